/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet of a feed, field by field, and the rule by which a lease takes it.
 */
#include <config.h>

#include "common/hw_feed.h"

#include <errno.h>

#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"

enum { CRC_AT = 32 };

void hw_feed_encode(const struct hw_feed *feed, uint8_t bytes[HW_FEED_BYTES])
{
    struct hw_writer writer = hw_writer_over(bytes, HW_FEED_BYTES);

    hw_write_le32(&writer, HW_FEED_MAGIC);
    hw_write_le32(&writer, HW_FEED_VERSION);
    hw_write_le64(&writer, feed->generation);
    hw_write_le64(&writer, (uint64_t)feed->sent_ns);
    hw_write_le64(&writer, feed->term);
    hw_write_le32(&writer, hw_crc32c(bytes, CRC_AT));
    hw_write_zeroes(&writer, 4);
}

int hw_feed_decode(const uint8_t *bytes, size_t size, struct hw_feed *ret_feed)
{
    struct hw_reader reader = hw_reader_over(bytes, size);
    struct hw_feed feed;
    uint32_t version;

    if (size != HW_FEED_BYTES || hw_read_le32(&reader) != HW_FEED_MAGIC)
        return -EBADMSG;
    version = hw_read_le32(&reader);
    feed.generation = hw_read_le64(&reader);
    feed.sent_ns = (int64_t)hw_read_le64(&reader);
    feed.term = hw_read_le64(&reader);
    if (hw_read_le32(&reader) != hw_crc32c(bytes, CRC_AT) || hw_read_le32(&reader) != 0)
        return -EBADMSG;
    if (version != HW_FEED_VERSION)
        return -EPROTONOSUPPORT;
    if (feed.sent_ns < 0)
        return -EBADMSG;
    *ret_feed = feed;
    return 0;
}

struct hw_lease hw_lease_new(uint64_t generation, int64_t length_ns)
{
    return (struct hw_lease) { .generation = generation, .length_ns = length_ns };
}

bool hw_lease_take(struct hw_lease *lease, const struct hw_feed *feed, int64_t now_ns)
{
    if (feed->generation != lease->generation || feed->term < lease->term ||
        feed->sent_ns > now_ns || feed->sent_ns <= lease->fed_ns)
        return false;
    lease->term = feed->term;
    lease->fed_ns = feed->sent_ns;
    return true;
}

int64_t hw_lease_until_ns(const struct hw_lease *lease)
{
    int64_t until_ns;

    if (lease->fed_ns == 0)
        return 0;
    if (__builtin_add_overflow(lease->fed_ns, lease->length_ns, &until_ns))
        return INT64_MAX;
    return until_ns;
}
