/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clusterd/core/core_message, clusterd/core/core_order: what cores say to each other and what
 * entries say comes back as it was, and damage is seen.
 */
#include <config.h>

#include "clusterd/core/core_message.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

enum { ROOM = 1024 };

static const struct core_order full = {
    .kind = CORE_ORDER_CONFIG,
    .from = 3,
    .incarnation = 77,
    .request = 9,
    .index = UINT64_MAX,
    .node = 2,
    .generation = 33,
    .value = 4,
    .object = "web1",
    .text = "cluster lab\n",
    .text_size = 12,
};

static void same_order(const struct core_order *left, const struct core_order *right)
{
    CU_ASSERT_EQUAL(left->kind, right->kind);
    CU_ASSERT_EQUAL(left->from, right->from);
    CU_ASSERT_EQUAL(left->incarnation, right->incarnation);
    CU_ASSERT_EQUAL(left->request, right->request);
    CU_ASSERT_EQUAL(left->index, right->index);
    CU_ASSERT_EQUAL(left->node, right->node);
    CU_ASSERT_EQUAL(left->generation, right->generation);
    CU_ASSERT_EQUAL(left->value, right->value);
    CU_ASSERT_STRING_EQUAL(left->object, right->object);
    CU_ASSERT_EQUAL_FATAL(left->text_size, right->text_size);
    CU_ASSERT(left->text_size == 0 || memcmp(left->text, right->text, left->text_size) == 0);
}

static void orders_come_back(void)
{
    const struct core_order bare = { .kind = CORE_ORDER_FORGIVE };
    uint8_t room[ROOM];
    struct core_order back;

    core_order_encode(&full, room);
    CU_ASSERT_EQUAL_FATAL(core_order_decode(room, core_order_size(&full), &back), 0);
    same_order(&full, &back);
    for (size_t size = 0; size < core_order_size(&full); size++)
        CU_ASSERT_EQUAL(core_order_decode(room, size, &back), -EBADMSG);
    CU_ASSERT_EQUAL(core_order_decode(room, core_order_size(&full) + 1, &back), -EBADMSG);
    core_order_encode(&bare, room);
    CU_ASSERT_EQUAL_FATAL(core_order_decode(room, core_order_size(&bare), &back), 0);
    same_order(&bare, &back);
}

/* What this release does not know is told apart from what is broken. */
static void orders_are_judged(void)
{
    struct core_order order = full, back;
    uint8_t room[ROOM];
    size_t size = core_order_size(&order);

    core_order_encode(&order, room);
    room[0] = CORE_ORDER_VERSION + 1;
    CU_ASSERT_EQUAL(core_order_decode(room, size, &back), -EPROTONOSUPPORT);
    room[0] = 0;
    CU_ASSERT_EQUAL(core_order_decode(room, size, &back), -EBADMSG);
    order.kind = CORE_ORDER_END;
    core_order_encode(&order, room);
    CU_ASSERT_EQUAL(core_order_decode(room, size, &back), -EPROTONOSUPPORT);
    order.kind = CORE_ORDER_BEFORE;
    core_order_encode(&order, room);
    CU_ASSERT_EQUAL(core_order_decode(room, size, &back), -EBADMSG);
    order.kind = CORE_ORDER_WANT;
    order.object[1] = ' '; /* no name */
    core_order_encode(&order, room);
    CU_ASSERT_EQUAL(core_order_decode(room, size, &back), -EBADMSG);
    core_order_encode(&full, room);
    room[CORE_ORDER_HEAD + 1] = '\0'; /* a name that ends early */
    CU_ASSERT_EQUAL(core_order_decode(room, size, &back), -EBADMSG);
}

static const struct core_report_item item_1 = { 1, 17, CORE_RUN_STOPPED, CORE_STOP_CRASHED, 40, 5 },
                                     item_2 = { 9, 33, CORE_RUN_RUNNING, 0, 0, UINT64_MAX };

/* By fields: there is padding between them. */
static bool same_item(const struct core_report_item *a, const struct core_report_item *b)
{
    return a->vm == b->vm && a->generation == b->generation && a->run == b->run &&
           a->stop == b->stop && a->seen == b->seen && a->since_ms == b->since_ms;
}

static void messages_come_back(void)
{
    static struct core_report_item items[CORE_REPORT_ITEMS_MAX];
    const struct core_report_item two[] = { item_1, item_2 };
    struct core_message report = { .kind = CORE_MESSAGE_REPORT,
                                   .from = 2,
                                   .incarnation = 6,
                                   .view = { 7, 1, 9 },
                                   .term = 5,
                                   .applied = 44,
                                   .items = two,
                                   .count = 2 };
    struct core_message request = report, back;
    uint8_t room[ROOM];
    size_t size = core_message_size(&report);

    core_message_encode(&report, room);
    CU_ASSERT_EQUAL_FATAL(core_message_decode(room, size, items, &back), 0);
    CU_ASSERT_EQUAL(back.count, 2);
    CU_ASSERT(same_item(&items[0], &item_1) && same_item(&items[1], &item_2));
    CU_ASSERT(back.from == 2 && back.incarnation == 6 && back.term == 5 && back.applied == 44);
    CU_ASSERT(core_view_id_equal(&back.view, &report.view));
    for (size_t i = 0; i < size; i++) {
        room[i] ^= 4;
        CU_ASSERT(core_message_decode(room, size, items, &back) < 0);
        room[i] ^= 4;
        CU_ASSERT_EQUAL(core_message_decode(room, i, items, &back), -EBADMSG);
    }
    request.kind = CORE_MESSAGE_REQUEST;
    request.count = 0;
    request.order = full;
    size = core_message_size(&request);
    core_message_encode(&request, room);
    CU_ASSERT_EQUAL_FATAL(core_message_decode(room, size, items, &back), 0);
    CU_ASSERT_EQUAL(back.kind, CORE_MESSAGE_REQUEST);
    same_order(&full, &back.order);
    for (size_t i = 0; i < size; i++) {
        room[i] ^= 4;
        CU_ASSERT(core_message_decode(room, size, items, &back) < 0);
        room[i] ^= 4;
    }
}

static void reports_are_judged(void)
{
    static struct core_report_item items[CORE_REPORT_ITEMS_MAX];
    struct core_report_item odd = item_1;
    struct core_message report = { .kind = CORE_MESSAGE_REPORT,
                                   .from = 2,
                                   .items = &odd,
                                   .count = 1 },
                        back;
    uint8_t room[ROOM];

    odd.run = CORE_RUN_COUNT;
    core_message_encode(&report, room);
    CU_ASSERT_EQUAL(core_message_decode(room, core_message_size(&report), items, &back), -EBADMSG);
    odd = item_1;
    odd.stop = CORE_STOP_COUNT;
    core_message_encode(&report, room);
    CU_ASSERT_EQUAL(core_message_decode(room, core_message_size(&report), items, &back), -EBADMSG);
    odd = item_1;
    report.from = 0;
    core_message_encode(&report, room);
    CU_ASSERT_EQUAL(core_message_decode(room, core_message_size(&report), items, &back), -EBADMSG);
}

static void words(void)
{
    CU_ASSERT_STRING_EQUAL(core_order_word(CORE_ORDER_CONFIG), "configuration");
    CU_ASSERT_STRING_EQUAL(core_order_word(CORE_ORDER_FORGIVE), "forgive");
    CU_ASSERT_STRING_EQUAL(core_order_word(CORE_ORDER_END), "?");
    CU_ASSERT_STRING_EQUAL(core_order_word(CORE_ENTRY_OPEN), "?");
    CU_ASSERT_STRING_EQUAL(core_stop_word(CORE_STOP_CRASHED), "crashed");
    CU_ASSERT_STRING_EQUAL(core_stop_word(CORE_STOP_COUNT), "?");
    CU_ASSERT_STRING_EQUAL(core_run_word(CORE_RUN_CLAIMED), "claimed");
    CU_ASSERT_STRING_EQUAL(core_run_word(CORE_RUN_COUNT), "?");
}

const struct unit_case unit_cases[] = {
    { "orders come back, and damage is seen", orders_come_back },
    { "orders are judged", orders_are_judged },
    { "messages come back, and damage is seen", messages_come_back },
    { "reports are judged", reports_are_judged },
    { "words", words },
    { NULL, NULL },
};
