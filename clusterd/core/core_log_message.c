/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encoding of what the members' logs say to each other.
 */
#include <config.h>

#include "clusterd/core/core_log_message.h"

#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"

#include <errno.h>

enum { FLAG_BLANK = 1, FLAG_LEADS = 2, FLAGS = 3 };

int core_position_compare(struct core_position left, struct core_position right)
{
#ifndef CORE_MUTATE_LONGER_WINS
    if (left.term != right.term)
        return left.term < right.term ? -1 : 1;
#endif
    return left.index < right.index ? -1 : left.index > right.index ? 1 : 0;
}

bool core_view_id_equal(const struct core_view_id *left, const struct core_view_id *right)
{
    return left->ring_sequence == right->ring_sequence && left->ring_node == right->ring_node &&
           left->group == right->group;
}

static uint32_t entry_size(const struct core_log_message *message)
{
    return message->kind == CORE_LOG_ENTRY ? (uint32_t)core_entry_size(&message->entry) : 0;
}

size_t core_log_message_size(const struct core_log_message *message)
{
    return CORE_LOG_MESSAGE_HEAD + entry_size(message);
}

void core_log_message_encode(const struct core_log_message *message, uint8_t *room)
{
    struct hw_writer writer = hw_writer_over(room, CORE_LOG_MESSAGE_HEAD);

    hw_write_le32(&writer, CORE_LOG_MESSAGE_MAGIC);
    hw_write_le16(&writer, CORE_LOG_MESSAGE_VERSION);
    hw_write_le16(&writer, (uint16_t)message->kind);
    hw_write_le32(&writer, message->from);
    hw_write_le32(&writer, (message->blank ? FLAG_BLANK : 0u) | (message->leads ? FLAG_LEADS : 0u));
    hw_write_le64(&writer, message->term);
    hw_write_le64(&writer, message->incarnation);
    hw_write_le64(&writer, message->view.ring_sequence);
    hw_write_le32(&writer, message->view.ring_node);
    hw_write_le32(&writer, message->view.group);
    hw_write_le32(&writer, message->leader);
    hw_write_le32(&writer, 0);
    hw_write_le64(&writer, message->position.term);
    hw_write_le64(&writer, message->position.index);
    hw_write_le32(&writer, entry_size(message));
    hw_write_le32(&writer, hw_crc32c(room, CORE_LOG_MESSAGE_HEAD - 4));
    if (message->kind == CORE_LOG_ENTRY)
        core_entry_encode(&message->entry, room + CORE_LOG_MESSAGE_HEAD);
}

int core_log_message_decode(const uint8_t *bytes, size_t size, struct core_log_message *ret_message)
{
    struct hw_reader reader = hw_reader_over(bytes, size);
    struct core_log_message message = { 0 };
    uint32_t magic = hw_read_le32(&reader), flags, zero, of_entry, crc;
    uint16_t version = hw_read_le16(&reader), kind = hw_read_le16(&reader);

    message.from = hw_read_le32(&reader);
    flags = hw_read_le32(&reader);
    message.term = hw_read_le64(&reader);
    message.incarnation = hw_read_le64(&reader);
    message.view.ring_sequence = hw_read_le64(&reader);
    message.view.ring_node = hw_read_le32(&reader);
    message.view.group = hw_read_le32(&reader);
    message.leader = hw_read_le32(&reader);
    zero = hw_read_le32(&reader);
    message.position.term = hw_read_le64(&reader);
    message.position.index = hw_read_le64(&reader);
    of_entry = hw_read_le32(&reader);
    crc = hw_read_le32(&reader);
    if (hw_reader_status(&reader) < 0 || magic != CORE_LOG_MESSAGE_MAGIC || version == 0 ||
        crc != hw_crc32c(bytes, CORE_LOG_MESSAGE_HEAD - 4))
        return -EBADMSG;
    if (version > CORE_LOG_MESSAGE_VERSION)
        return -EPROTONOSUPPORT;
    if (kind == 0 || kind >= CORE_LOG_MESSAGE_KINDS || flags > FLAGS || zero != 0 ||
        message.from == 0 || of_entry != size - CORE_LOG_MESSAGE_HEAD ||
        (of_entry > 0) != (kind == CORE_LOG_ENTRY))
        return -EBADMSG;
    message.kind = kind;
    message.blank = (flags & FLAG_BLANK) != 0;
    message.leads = (flags & FLAG_LEADS) != 0;
    if (kind == CORE_LOG_ENTRY) {
        int rc = core_entry_decode(bytes + CORE_LOG_MESSAGE_HEAD, of_entry, &message.entry);

        if (rc < 0)
            return rc;
    }
    *ret_message = message;
    return 0;
}
