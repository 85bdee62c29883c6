/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sections of device state: writer, reader, check. Pure. */
#include "config.h"

#include "vmm-core/save/vmm_save_tlv.h"

#include <errno.h>

#include "common/hw_crc32c.h"

enum { TYPE_AT = 4, LENGTH_AT = 16 }; /* the checksum comes first and covers what follows it */

struct vmm_save_tlv_writer vmm_save_tlv_writer_over(void *data, size_t size)
{
    return (struct vmm_save_tlv_writer) { .all = hw_writer_over(data, size) };
}

struct hw_writer *vmm_save_tlv_begin(struct vmm_save_tlv_writer *writer, uint32_t type,
                                     uint32_t instance, uint16_t version, bool required)
{
    writer->head_at = writer->all.at;
    writer->open = true;
    hw_write_le32(&writer->all, 0); /* checksum */
    hw_write_le32(&writer->all, type);
    hw_write_le32(&writer->all, instance);
    hw_write_le16(&writer->all, version);
    hw_write_le16(&writer->all, required ? VMM_SAVE_TLV_REQUIRED : 0);
    hw_write_le32(&writer->all, 0); /* length */
    hw_write_le32(&writer->all, 0);
    return &writer->all;
}

void vmm_save_tlv_end(struct vmm_save_tlv_writer *writer)
{
    size_t bytes = writer->all.at - writer->head_at, over = bytes % VMM_SAVE_TLV_ALIGN_BYTES;
    struct hw_writer fields;

    writer->open = false;
    if (bytes - VMM_SAVE_TLV_HEAD_BYTES > UINT32_MAX)
        writer->all.failed = true;
    if (hw_writer_status(&writer->all) < 0)
        return;
    fields = hw_writer_over(writer->all.data + writer->head_at, bytes);
    fields.at = LENGTH_AT;
    hw_write_le32(&fields, (uint32_t)(bytes - VMM_SAVE_TLV_HEAD_BYTES));
    fields.at = 0;
    hw_write_le32(&fields, hw_crc32c(fields.data + TYPE_AT, bytes - TYPE_AT));
    if (over != 0)
        hw_write_zeroes(&writer->all, VMM_SAVE_TLV_ALIGN_BYTES - over);
}

int vmm_save_tlv_finish(struct vmm_save_tlv_writer *writer, size_t *ret_bytes)
{
    if (writer->open)
        vmm_save_tlv_end(writer);
    if (hw_writer_status(&writer->all) < 0)
        return -ENOSPC;
    *ret_bytes = writer->all.at;
    return 0;
}

struct vmm_save_tlv_reader vmm_save_tlv_reader_over(const void *data, size_t size)
{
    return (struct vmm_save_tlv_reader) { .data = data, .size = size };
}

int vmm_save_tlv_next(struct vmm_save_tlv_reader *reader, struct vmm_save_tlv *ret_tlv)
{
    struct hw_reader fields = hw_reader_over(reader->data + reader->at, reader->size - reader->at);
    uint32_t crc, zero, over;
    uint16_t flags;

    *ret_tlv = (struct vmm_save_tlv) { .offset_bytes = reader->at };
    if (reader->at == reader->size)
        return -ENOENT;
    crc = hw_read_le32(&fields);
    ret_tlv->type = hw_read_le32(&fields);
    ret_tlv->instance = hw_read_le32(&fields);
    ret_tlv->version = hw_read_le16(&fields);
    flags = hw_read_le16(&fields);
    ret_tlv->length_bytes = hw_read_le32(&fields);
    zero = hw_read_le32(&fields);
    ret_tlv->required = (flags & VMM_SAVE_TLV_REQUIRED) != 0;
    ret_tlv->bytes = fields.data + fields.at;
    hw_read_skip(&fields, ret_tlv->length_bytes);
    if (hw_reader_status(&fields) < 0 ||
        crc != hw_crc32c(fields.data + TYPE_AT, fields.at - TYPE_AT))
        return -EBADMSG;
    over = (uint32_t)(fields.at % VMM_SAVE_TLV_ALIGN_BYTES);
    for (; over != 0 && over < VMM_SAVE_TLV_ALIGN_BYTES; over++)
        zero |= hw_read_u8(&fields);
    if (hw_reader_status(&fields) < 0 || zero != 0 || ret_tlv->type == 0 ||
        (flags & ~VMM_SAVE_TLV_REQUIRED) != 0)
        return -EBADMSG;
    reader->at += fields.at;
    return 0;
}

/* Does a section of this type and instance stand before `tlv`? */
static bool came_before(const void *data, const struct vmm_save_tlv *tlv)
{
    struct vmm_save_tlv_reader reader = vmm_save_tlv_reader_over(data, (size_t)tlv->offset_bytes);
    struct hw_reader fields;

    while (reader.at < reader.size) { /* checked when it was passed: only heads are looked at */
        uint32_t type, instance, length;

        fields = hw_reader_over(reader.data + reader.at, reader.size - reader.at);
        hw_read_seek(&fields, TYPE_AT);
        type = hw_read_le32(&fields);
        instance = hw_read_le32(&fields);
        if (type == tlv->type && instance == tlv->instance)
            return true;
        hw_read_seek(&fields, LENGTH_AT);
        length = hw_read_le32(&fields);
        reader.at += VMM_SAVE_TLV_HEAD_BYTES + (((size_t)length + VMM_SAVE_TLV_ALIGN_BYTES - 1) &
                                                ~(size_t)(VMM_SAVE_TLV_ALIGN_BYTES - 1));
    }
    return false;
}

int vmm_save_tlv_check(const void *data, size_t size,
                       bool (*known)(void *context, uint32_t type, uint16_t version), void *context,
                       struct vmm_save_tlv *ret_tlv)
{
    struct vmm_save_tlv_reader reader = vmm_save_tlv_reader_over(data, size);
    unsigned count = 0;
    int rc;

    while ((rc = vmm_save_tlv_next(&reader, ret_tlv)) == 0) {
        if (++count > VMM_SAVE_TLV_MAX)
            return -EBADMSG;
        if (came_before(data, ret_tlv))
            return -EEXIST;
        if (ret_tlv->required && !known(context, ret_tlv->type, ret_tlv->version))
            return -EPROTONOSUPPORT;
    }
    return rc == -ENOENT ? 0 : rc;
}
