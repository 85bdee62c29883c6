/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encoding of reports and requests.
 */
#include <config.h>

#include "clusterd/core/core_message.h"

#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"

#include <errno.h>
#include <string.h>

enum { CRC_AT = CORE_MESSAGE_HEAD - 4 };

static size_t body_size(const struct core_message *message)
{
    return message->kind == CORE_MESSAGE_REQUEST ? core_order_size(&message->order)
                                                 : (size_t)message->count * CORE_REPORT_ITEM_BYTES;
}

size_t core_message_size(const struct core_message *message)
{
    return CORE_MESSAGE_HEAD + body_size(message);
}

static void write_items(const struct core_message *message, struct hw_writer *writer)
{
    for (uint32_t i = 0; i < message->count; i++) {
        const struct core_report_item *item = &message->items[i];

        hw_write_le32(writer, item->vm);
        hw_write_le32(writer, item->generation);
        hw_write_le32(writer, item->run);
        hw_write_le32(writer, item->stop);
        hw_write_le32(writer, item->seen);
        hw_write_le32(writer, 0);
        hw_write_le64(writer, item->since_ms);
    }
}

/* Of the head, through the checksum of the body: nothing is copied but the head. */
static uint32_t checksum(const uint8_t *bytes, size_t size)
{
    uint8_t head[CORE_MESSAGE_HEAD];
    struct hw_writer of_body = hw_writer_over(head + CRC_AT, 4);

    memcpy(head, bytes, sizeof(head));
    hw_write_le32(&of_body, hw_crc32c(bytes + sizeof(head), size - sizeof(head)));
    return hw_crc32c(head, sizeof(head));
}

void core_message_encode(const struct core_message *message, uint8_t *room)
{
    size_t size = core_message_size(message);
    struct hw_writer writer = hw_writer_over(room, size);
    struct hw_writer crc = hw_writer_over(room + CRC_AT, 4);

    hw_write_le32(&writer, CORE_MESSAGE_MAGIC);
    hw_write_le16(&writer, CORE_MESSAGE_VERSION);
    hw_write_le16(&writer, (uint16_t)message->kind);
    hw_write_le32(&writer, message->from);
    hw_write_le32(&writer, message->kind == CORE_MESSAGE_REPORT ? message->count : 0);
    hw_write_le64(&writer, message->incarnation);
    hw_write_le64(&writer, message->view.ring_sequence);
    hw_write_le32(&writer, message->view.ring_node);
    hw_write_le32(&writer, message->view.group);
    hw_write_le64(&writer, message->term);
    hw_write_le64(&writer, message->applied);
    hw_write_le32(&writer, (uint32_t)body_size(message));
    hw_write_le32(&writer, 0);
    if (message->kind == CORE_MESSAGE_REQUEST)
        core_order_encode(&message->order, room + CORE_MESSAGE_HEAD);
    else
        write_items(message, &writer);
    hw_write_le32(&crc, checksum(room, size));
}

static int read_items(struct hw_reader *reader, uint32_t count, struct core_report_item *items)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t zero;

        items[i].vm = hw_read_le32(reader);
        items[i].generation = hw_read_le32(reader);
        items[i].run = hw_read_le32(reader);
        items[i].stop = hw_read_le32(reader);
        items[i].seen = hw_read_le32(reader);
        zero = hw_read_le32(reader);
        items[i].since_ms = hw_read_le64(reader);
        if (items[i].run >= CORE_RUN_COUNT || items[i].stop >= CORE_STOP_COUNT || zero != 0)
            return -EBADMSG;
    }
    return hw_reader_status(reader) < 0 || hw_reader_left(reader) > 0 ? -EBADMSG : 0;
}

int core_message_decode(const uint8_t *bytes, size_t size, struct core_report_item *items,
                        struct core_message *ret_message)
{
    struct hw_reader reader = hw_reader_over(bytes, size);
    struct core_message message = { 0 };
    uint32_t magic = hw_read_le32(&reader), of_body, crc;
    uint16_t version = hw_read_le16(&reader), kind = hw_read_le16(&reader);
    int rc;

    message.from = hw_read_le32(&reader);
    message.count = hw_read_le32(&reader);
    message.incarnation = hw_read_le64(&reader);
    message.view.ring_sequence = hw_read_le64(&reader);
    message.view.ring_node = hw_read_le32(&reader);
    message.view.group = hw_read_le32(&reader);
    message.term = hw_read_le64(&reader);
    message.applied = hw_read_le64(&reader);
    of_body = hw_read_le32(&reader);
    crc = hw_read_le32(&reader);
    if (hw_reader_status(&reader) < 0 || magic != CORE_MESSAGE_MAGIC || version == 0 ||
        of_body != size - CORE_MESSAGE_HEAD)
        return -EBADMSG;
    if (version > CORE_MESSAGE_VERSION)
        return -EPROTONOSUPPORT;
    message.kind = kind;
    if (message.from == 0 || message.count > CORE_REPORT_ITEMS_MAX || kind == 0 ||
        kind >= CORE_MESSAGE_KINDS || (kind == CORE_MESSAGE_REQUEST && message.count > 0))
        return -EBADMSG;
    if (crc != checksum(bytes, size))
        return -EBADMSG;
    rc = kind == CORE_MESSAGE_REPORT
             ? read_items(&reader, message.count, items)
             : core_order_decode(bytes + CORE_MESSAGE_HEAD, of_body, &message.order);
    if (rc < 0)
        return rc;
    message.items = kind == CORE_MESSAGE_REPORT ? items : NULL;
    *ret_message = message;
    return 0;
}

const char *core_run_word(uint32_t run)
{
#define CORE_RUN_WORD(prefix, name, word) word,
    static const char *const words[] = { CORE_RUNS(CORE_RUN_WORD, ) };

    return run < CORE_RUN_COUNT ? words[run] : "?";
}
