/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_feed: the packet byte by byte, and which feeds make a lease longer.
 */
#include <config.h>

#include "common/hw_feed.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <string.h>

static const struct hw_feed sample = { .generation = 0x1122334455667788,
                                       .sent_ns = 0x0102030405060708,
                                       .term = 9 };

static void keeps_the_format(void)
{
    static const uint8_t expected[32] = { 'H',  'W',  'F',  'D',  1,    0, 0, 0, 0x88, 0x77, 0x66,
                                          0x55, 0x44, 0x33, 0x22, 0x11, 8, 7, 6, 5,    4,    3,
                                          2,    1,    9,    0,    0,    0, 0, 0, 0,    0 };
    uint8_t bytes[HW_FEED_BYTES];
    struct hw_feed feed;

    hw_feed_encode(&sample, bytes);
    CU_ASSERT_EQUAL(memcmp(bytes, expected, sizeof(expected)), 0);
    CU_ASSERT_EQUAL(memcmp(bytes + 36, "\0\0\0\0", 4), 0);
    CU_ASSERT_EQUAL(hw_feed_decode(bytes, sizeof(bytes), &feed), 0);
    CU_ASSERT_EQUAL(feed.generation, sample.generation);
    CU_ASSERT_EQUAL(feed.sent_ns, sample.sent_ns);
    CU_ASSERT_EQUAL(feed.term, sample.term);
}

static void refuses_anything_else(void)
{
    uint8_t bytes[HW_FEED_BYTES + 1] = { 0 };
    struct hw_feed feed, past = { .sent_ns = -1 };

    hw_feed_encode(&sample, bytes);
    for (size_t size = 0; size <= sizeof(bytes); size++)
        CU_ASSERT_EQUAL(hw_feed_decode(bytes, size, &feed), size == HW_FEED_BYTES ? 0 : -EBADMSG);
    for (size_t bit = 0; bit < HW_FEED_BYTES * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CU_ASSERT_EQUAL(hw_feed_decode(bytes, HW_FEED_BYTES, &feed), -EBADMSG);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    hw_feed_encode(&past, bytes);
    CU_ASSERT_EQUAL(hw_feed_decode(bytes, HW_FEED_BYTES, &feed), -EBADMSG);
}

static void takes_only_newer_feeds_of_its_own(void)
{
    struct hw_lease lease = hw_lease_new(16, 1000);
    struct hw_feed feed = { .generation = 16, .sent_ns = 500, .term = 4 };

    CU_ASSERT_EQUAL(hw_lease_until_ns(&lease), 0);      /* born expired */
    CU_ASSERT_FALSE(hw_lease_take(&lease, &feed, 499)); /* from the future */
    CU_ASSERT_EQUAL(hw_lease_until_ns(&lease), 0);
    CU_ASSERT_TRUE(hw_lease_take(&lease, &feed, 500));
    CU_ASSERT_EQUAL(hw_lease_until_ns(&lease), 1500);
    CU_ASSERT_FALSE(hw_lease_take(&lease, &feed, 600)); /* the same again */
    feed.sent_ns = 700;
    feed.generation = 17;
    CU_ASSERT_FALSE(hw_lease_take(&lease, &feed, 800));
    feed.generation = 16;
    feed.term = 3;
    CU_ASSERT_FALSE(hw_lease_take(&lease, &feed, 800)); /* of a leader that is none any more */
    feed.term = 5;
    CU_ASSERT_TRUE(hw_lease_take(&lease, &feed, 800));
    CU_ASSERT_EQUAL(hw_lease_until_ns(&lease), 1700);
    feed.sent_ns = 600; /* overtaken on its way */
    CU_ASSERT_FALSE(hw_lease_take(&lease, &feed, 800));
    CU_ASSERT_EQUAL(hw_lease_until_ns(&lease), 1700);
    feed.sent_ns = INT64_MAX - 5;
    CU_ASSERT_TRUE(hw_lease_take(&lease, &feed, INT64_MAX));
    CU_ASSERT_EQUAL(hw_lease_until_ns(&lease), INT64_MAX);
}

const struct unit_case unit_cases[] = {
    { "the packet, byte by byte", keeps_the_format },
    { "any other packet is refused", refuses_anything_else },
    { "only newer feeds of its own generation count", takes_only_newer_feeds_of_its_own },
    { 0 },
};
