/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_pump: lists, the timer behind the one descriptor, and the delivery of results: only
 * from a service, in order, and never without end.
 */
#include <config.h>

#include "storage/sto_pump.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static struct sto_lun lun;
static struct sto_pump pump;
static unsigned done_count;
static bool submit_again;

static void set_up(void)
{
    memset(&lun, 0, sizeof(lun));
    lun.clock = hw_clock_boottime();
    done_count = 0;
    submit_again = false;
    CU_ASSERT_EQUAL_FATAL(sto_pump_open(&pump, &lun), 0);
}

static bool readable(int timeout_ms)
{
    struct pollfd poll_fd = { .fd = pump.epoll_fd, .events = POLLIN };

    return poll(&poll_fd, 1, timeout_ms) == 1;
}

static void service(void)
{
    struct epoll_event events[4];

    sto_pump_begin(&pump);
    CU_ASSERT_EQUAL(sto_pump_events(&pump, events, 4), 0);
    sto_pump_deliver(&pump);
    sto_pump_end_service(&pump);
}

static void count_done(struct sto_op *op)
{
    done_count++;
    CU_ASSERT_TRUE(op->result.done_ns > 0);
    if (submit_again) { /* the worst caller: what failed is submitted again at once */
        lun.in_flight++;
        sto_pump_end_with(&pump, op, STO_NOT_SENT, NULL);
    }
}

static void end(struct sto_op *op)
{
    op->done = count_done;
    lun.in_flight++;
    sto_pump_end_with(&pump, op, STO_MEDIUM, "words \n");
}

static void lists(void)
{
    struct sto_op ops[3] = { 0 };
    struct sto_op_list list = { 0 };

    CU_ASSERT_PTR_NULL(sto_op_list_take(&list));
    for (unsigned i = 0; i < 3; i++)
        sto_op_list_add(&list, &ops[i]);
    sto_op_list_remove(&list, &ops[1]);
    CU_ASSERT_PTR_EQUAL(sto_op_list_take(&list), &ops[0]);
    sto_op_list_add(&list, &ops[1]);
    CU_ASSERT_PTR_EQUAL(sto_op_list_take(&list), &ops[2]);
    CU_ASSERT_PTR_EQUAL(sto_op_list_take(&list), &ops[1]);
    sto_op_list_push(&list, &ops[0]);
    sto_op_list_add(&list, &ops[1]);
    sto_op_list_push(&list, &ops[2]);
    CU_ASSERT_PTR_EQUAL(sto_op_list_take(&list), &ops[2]);
    CU_ASSERT_PTR_EQUAL(sto_op_list_take(&list), &ops[0]);
    CU_ASSERT_PTR_EQUAL(sto_op_list_take(&list), &ops[1]);
    CU_ASSERT_TRUE(list.first == NULL && list.last == NULL);
    CU_ASSERT_PTR_NULL(list.first);
    CU_ASSERT_PTR_NULL(list.last);
}

static void delivers_from_the_service_only(void)
{
    struct sto_op ops[2] = { 0 };

    set_up();
    CU_ASSERT_FALSE(readable(0));
    end(&ops[0]);
    end(&ops[1]);
    CU_ASSERT_EQUAL(done_count, 0);
    CU_ASSERT_EQUAL(lun.in_flight, 2);
    CU_ASSERT_TRUE(readable(5000)); /* the caller is woken */
    service();
    CU_ASSERT_EQUAL(done_count, 2);
    CU_ASSERT_EQUAL(lun.in_flight, 0);
    CU_ASSERT_EQUAL(ops[0].result.rc, STO_MEDIUM);
    CU_ASSERT_STRING_EQUAL(ops[0].result.detail, "words");
    CU_ASSERT_FALSE(readable(0));
    sto_pump_close(&pump);
}

static void never_stays_in_a_service(void)
{
    struct sto_op op = { 0 };

    set_up();
    submit_again = true;
    end(&op);
    for (unsigned i = 1; i <= 5; i++) {
        CU_ASSERT_TRUE(readable(5000));
        service();
        CU_ASSERT_EQUAL(done_count, i);
    }
    submit_again = false;
    sto_pump_deliver_all(&pump);
    CU_ASSERT_EQUAL(done_count, 6);
    CU_ASSERT_EQUAL(lun.in_flight, 0);
    sto_pump_close(&pump);
}

static void earliest_wish_counts(void)
{
    int64_t now_ns;

    set_up();
    now_ns = hw_clock_now_ns(lun.clock);
    sto_pump_wake_at(&pump, INT64_MAX);
    CU_ASSERT_TRUE(sto_pump_due(&pump));
    sto_pump_wake_at(&pump, now_ns + INT64_C(3600000000000));
    CU_ASSERT_FALSE(sto_pump_due(&pump));
    CU_ASSERT_FALSE(readable(0));
    sto_pump_wake_at(&pump, now_ns + 1000000);
    sto_pump_wake_at(&pump, now_ns + INT64_C(7200000000000)); /* later: no change */
    CU_ASSERT_TRUE(readable(5000));
    service();
    CU_ASSERT_TRUE(sto_pump_due(&pump));
    sto_pump_wake_at(&pump, 0); /* long past */
    CU_ASSERT_TRUE(readable(5000));
    sto_pump_close(&pump);
}

static void events_carry_their_tag(void)
{
    struct epoll_event events[4];
    int ends[2];

    set_up();
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    CU_ASSERT_EQUAL(sto_pump_watch(&pump, ends[0], EPOLLIN, 7), 0);
    sto_pump_wake(&pump);
    CU_ASSERT_EQUAL(write(ends[1], "x", 1), 1);
    CU_ASSERT_TRUE(readable(5000));
    CU_ASSERT_EQUAL(sto_pump_events(&pump, events, 4), 1);
    CU_ASSERT_EQUAL(events[0].data.u32, 7);
    CU_ASSERT_EQUAL(sto_pump_change(&pump, ends[0], 0, 8), 0);
    CU_ASSERT_EQUAL(sto_pump_events(&pump, events, 4), 0);
    sto_pump_forget(&pump, ends[0]);
    close(ends[0]);
    close(ends[1]);
    sto_pump_close(&pump);
}

const struct unit_case unit_cases[] = {
    { "lists keep order", lists },
    { "results are delivered from the service only", delivers_from_the_service_only },
    { "a service ends even if all fails again and again", never_stays_in_a_service },
    { "the earliest wish sets the timer", earliest_wish_counts },
    { "events carry their tag", events_carry_their_tag },
    { 0 },
};
