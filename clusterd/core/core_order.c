/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encoding of orders, and their words.
 */
#include <config.h>

#include "clusterd/core/core_order.h"

#include "common/hw_cursor.h"

#include <errno.h>
#include <string.h>

size_t core_order_size(const struct core_order *order)
{
    return CORE_ORDER_HEAD + strlen(order->object) + order->text_size;
}

void core_order_encode(const struct core_order *order, uint8_t *room)
{
    struct hw_writer writer = hw_writer_over(room, core_order_size(order));

    hw_write_le16(&writer, CORE_ORDER_VERSION);
    hw_write_le16(&writer, order->kind);
    hw_write_le32(&writer, order->from);
    hw_write_le64(&writer, order->incarnation);
    hw_write_le64(&writer, order->request);
    hw_write_le64(&writer, order->index);
    hw_write_le32(&writer, order->node);
    hw_write_le32(&writer, order->generation);
    hw_write_le32(&writer, order->value);
    hw_write_le32(&writer, (uint32_t)strlen(order->object));
    hw_write_le32(&writer, order->text_size);
    hw_write_bytes(&writer, (const uint8_t *)order->object, strlen(order->object));
    if (order->text_size > 0)
        hw_write_bytes(&writer, (const uint8_t *)order->text, order->text_size);
}

int core_order_decode(const uint8_t *bytes, size_t size, struct core_order *ret_order)
{
    struct hw_reader reader = hw_reader_over(bytes, size);
    struct core_order order = { 0 };
    uint16_t version = hw_read_le16(&reader);
    uint32_t of_object;

    order.kind = hw_read_le16(&reader);
    order.from = hw_read_le32(&reader);
    order.incarnation = hw_read_le64(&reader);
    order.request = hw_read_le64(&reader);
    order.index = hw_read_le64(&reader);
    order.node = hw_read_le32(&reader);
    order.generation = hw_read_le32(&reader);
    order.value = hw_read_le32(&reader);
    of_object = hw_read_le32(&reader);
    order.text_size = hw_read_le32(&reader);
    if (hw_reader_status(&reader) < 0 || version == 0 || order.kind < CORE_ENTRY_USER)
        return -EBADMSG;
    if (version > CORE_ORDER_VERSION || order.kind >= CORE_ORDER_END)
        return -EPROTONOSUPPORT;
    if (of_object >= CORE_NAME_BYTES || of_object > hw_reader_left(&reader) ||
        order.text_size != hw_reader_left(&reader) - of_object)
        return -EBADMSG;
    hw_read_bytes(&reader, order.object, of_object);
    if (strlen(order.object) != of_object || (of_object > 0 && core_name_check(order.object) < 0))
        return -EBADMSG;
    if (order.text_size > 0)
        order.text = (const char *)bytes + (size - order.text_size);
    *ret_order = order;
    return 0;
}

const char *core_order_word(uint32_t kind)
{
#define CORE_ORDER_WORD(name, word) word,
    static const char *const words[] = { CORE_ORDERS(CORE_ORDER_WORD) };

    return kind > CORE_ORDER_BEFORE && kind < CORE_ORDER_END ? words[kind - CORE_ENTRY_USER] : "?";
}

const char *core_stop_word(uint32_t stop)
{
#define CORE_STOP_WORD(prefix, name, word) word,
    static const char *const words[] = { CORE_STOPS(CORE_STOP_WORD, ) };

    return stop < CORE_STOP_COUNT ? words[stop] : "?";
}
