/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encoding and decoding of objects by their tables (format: clusterd/core/core_snapshot.h). What
 * decodes is canonical: encoded again it gives the same bytes.
 */
#include <config.h>

#include "clusterd/core/core_object_priv.h"

#include "clusterd/core/core_state.h"

#include <errno.h>
#include <string.h>

enum { FIELD_HEAD = 6 };

static uint32_t get_u32(const char *place)
{
    uint32_t value;

    memcpy(&value, place, sizeof(value));
    return value;
}

static uint64_t get_u64(const char *place)
{
    uint64_t value;

    memcpy(&value, place, sizeof(value));
    return value;
}

static const char *get_text(const struct core_field *field, const char *place)
{
    char *text;

    if (field->kind == CORE_KIND_NAME)
        return place;
    memcpy(&text, place, sizeof(text));
    return text;
}

/* Bytes of the field's value; 0: left out. */
static size_t value_size(const struct core_field *field, const char *place)
{
    static const uint8_t zero[CORE_UUID_BYTES];
    struct core_list list;
    size_t size = 4;

    switch (field->kind) {
    case CORE_KIND_U32:
    case CORE_KIND_I32:
        return get_u32(place) != 0 ? 4 : 0;
    case CORE_KIND_U64:
        return get_u64(place) != 0 ? 8 : 0;
    case CORE_KIND_UUID:
        return memcmp(place, zero, sizeof(zero)) != 0 ? sizeof(zero) : 0;
    case CORE_KIND_NAME:
    case CORE_KIND_TEXT:
        return strlen(get_text(field, place));
    case CORE_KIND_ITEM:
        return core_object_size(field->type, place);
    case CORE_KIND_LIST:
        break;
    }
    list = core_list_get(place);
    for (size_t i = 0; i < list.count; i++)
        size += 4 + core_object_size(field->type, list.items + i * field->type->bytes);
    return list.count > 0 ? size : 0;
}

size_t core_object_size(const struct core_type *type, const void *object)
{
    size_t size = 0;

    for (size_t i = 0; i < type->count; i++) {
        const struct core_field *field = &type->fields[i];
        size_t value = value_size(field, (const char *)object + field->offset);

        size += value > 0 ? FIELD_HEAD + value : 0;
    }
    return size;
}

static void encode_value(const struct core_field *field, const char *place, size_t size,
                         struct hw_writer *to)
{
    struct core_list list;

    switch (field->kind) {
    case CORE_KIND_U32:
    case CORE_KIND_I32:
        hw_write_le32(to, get_u32(place));
        return;
    case CORE_KIND_U64:
        hw_write_le64(to, get_u64(place));
        return;
    case CORE_KIND_UUID:
        hw_write_bytes(to, place, size);
        return;
    case CORE_KIND_NAME:
    case CORE_KIND_TEXT:
        hw_write_bytes(to, get_text(field, place), size);
        return;
    case CORE_KIND_ITEM:
        core_object_encode(field->type, place, to);
        return;
    case CORE_KIND_LIST:
        break;
    }
    list = core_list_get(place);
    hw_write_le32(to, (uint32_t)list.count);
    for (size_t i = 0; i < list.count; i++) {
        const char *item = list.items + i * field->type->bytes;

        hw_write_le32(to, (uint32_t)core_object_size(field->type, item));
        core_object_encode(field->type, item, to);
    }
}

void core_object_encode(const struct core_type *type, const void *object, struct hw_writer *to)
{
    for (size_t i = 0; i < type->count; i++) {
        const struct core_field *field = &type->fields[i];
        const char *place = (const char *)object + field->offset;
        size_t size = value_size(field, place);

        if (size == 0)
            continue;
        hw_write_le16(to, field->tag);
        hw_write_le32(to, (uint32_t)size);
        encode_value(field, place, size, to);
    }
}

static int decode_text(const struct core_field *field, char *place, const char *bytes, size_t size)
{
    char *text, *old;

    if (size > CORE_TEXT_MAX || memchr(bytes, '\0', size) != NULL)
        return -EBADMSG;
    text = strndup(bytes, size);
    if (text == NULL)
        return -ENOMEM;
    if (field->kind == CORE_KIND_NAME) {
        int rc = core_name_check(text) < 0 ? -EBADMSG : core_name_set(place, text);

        free(text);
        return rc;
    }
    memcpy(&old, place, sizeof(old));
    free(old);
    memcpy(place, &text, sizeof(text));
    return 0;
}

static int decode_list(const struct core_field *field, char *place, struct hw_reader *from)
{
    uint32_t count = hw_read_le32(from);
    void *previous = NULL;

    if (count == 0 || count > CORE_LIST_MAX)
        return -EBADMSG;
    for (uint32_t i = 0; i < count; i++) {
        size_t size = hw_read_le32(from);
        struct hw_reader inner;
        void *item;
        int rc;

        if (hw_reader_status(from) < 0 || size > hw_reader_left(from))
            return -EBADMSG;
        rc = core_list_grow(field->type, place, &item);
        if (rc < 0)
            return rc;
        inner = hw_reader_over(from->data + from->at, size);
        rc = core_object_decode(field->type, item, &inner);
        if (rc < 0)
            return rc;
        hw_read_skip(from, size);
        previous = i > 0 ? (char *)item - field->type->bytes : NULL;
        if (previous != NULL && field->type->compare != NULL &&
            field->type->compare(previous, item) >= 0)
            return -EBADMSG;
    }
    return hw_reader_left(from) == 0 ? 0 : -EBADMSG;
}

static int decode_value(const struct core_field *field, char *place, struct hw_reader *from)
{
    size_t size = hw_reader_left(from);
    uint64_t u64;
    uint32_t u32;

    switch (field->kind) {
    case CORE_KIND_U32:
    case CORE_KIND_I32:
        u32 = hw_read_le32(from);
        if (size != 4 || u32 == 0 || (field->kind == CORE_KIND_U32 && u32 > field->max))
            return -EBADMSG;
        memcpy(place, &u32, sizeof(u32));
        return 0;
    case CORE_KIND_U64:
        u64 = hw_read_le64(from);
        if (size != 8 || u64 == 0)
            return -EBADMSG;
        memcpy(place, &u64, sizeof(u64));
        return 0;
    case CORE_KIND_UUID:
        if (size != CORE_UUID_BYTES)
            return -EBADMSG;
        hw_read_bytes(from, place, size);
        return value_size(field, place) != 0 ? 0 : -EBADMSG;
    case CORE_KIND_NAME:
    case CORE_KIND_TEXT:
        return decode_text(field, place, (const char *)from->data + from->at, size);
    case CORE_KIND_ITEM:
        return core_object_decode(field->type, place, from);
    case CORE_KIND_LIST:
        break;
    }
    return decode_list(field, place, from);
}

/* A field that may not be empty, and is. */
static int check_required(const struct core_type *type, const void *object)
{
    for (size_t i = 0; i < type->count; i++) {
        const struct core_field *field = &type->fields[i];

        if (field->kind == CORE_KIND_NAME && field->max == 1 &&
            ((const char *)object)[field->offset] == '\0')
            return -EBADMSG;
    }
    return 0;
}

int core_object_decode(const struct core_type *type, void *object, struct hw_reader *from)
{
    size_t next = 0;

    while (hw_reader_left(from) > 0) {
        uint16_t tag = hw_read_le16(from);
        size_t size = hw_read_le32(from);
        struct hw_reader value;
        int rc;

        if (hw_reader_status(from) < 0 || size > hw_reader_left(from) || size == 0)
            return -EBADMSG;
        while (next < type->count && type->fields[next].tag < tag)
            next++;
        if (next == type->count) /* above all tags that this release knows, or a repetition */
            return tag > type->fields[type->count - 1].tag ? -EPROTONOSUPPORT : -EBADMSG;
        if (type->fields[next].tag != tag)
            return -EBADMSG;
        value = hw_reader_over(from->data + from->at, size);
        rc = decode_value(&type->fields[next], (char *)object + type->fields[next].offset, &value);
        if (rc < 0)
            return rc;
        hw_read_skip(from, size);
        next++;
    }
    return check_required(type, object);
}
