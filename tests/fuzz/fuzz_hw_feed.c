/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes common/hw_feed: any packet, as it came and with its checksum made right. One that is taken
 * encodes to the same bytes again, and no feed makes a lease shorter, or longer than its length
 * from now on.
 */
#include <config.h>

#include "common/hw_crc32c.h"
#include "common/hw_cursor.h"
#include "common/hw_feed.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

enum { CRC_AT = 32, LENGTH_NS = 1000000 };

static bool decode(const uint8_t *bytes, size_t size, struct hw_feed *ret_feed)
{
    uint8_t again[HW_FEED_BYTES];
    int rc = hw_feed_decode(bytes, size, ret_feed);

    fuzz_require(rc == 0 || rc == -EBADMSG || rc == -EPROTONOSUPPORT);
    if (rc < 0)
        return false;
    fuzz_require(ret_feed->sent_ns >= 0);
    hw_feed_encode(ret_feed, again);
    fuzz_require(size == sizeof(again) && memcmp(bytes, again, sizeof(again)) == 0);
    return true;
}

static void feed(struct hw_lease *lease, const struct hw_feed *one, int64_t now_ns)
{
    const int64_t before_ns = hw_lease_until_ns(lease);
    const bool taken = hw_lease_take(lease, one, now_ns);
    const int64_t until_ns = hw_lease_until_ns(lease);

    fuzz_require(taken ? until_ns > before_ns || until_ns == INT64_MAX : until_ns == before_ns);
    if (taken)
        fuzz_require(one->sent_ns <= now_ns && until_ns - one->sent_ns <= LENGTH_NS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hw_lease lease = hw_lease_new(16, LENGTH_NS);
    struct hw_feed one;
    uint8_t packet[HW_FEED_BYTES];
    int64_t now_ns = 0;

    (void)decode(data, size, &one);
    while (size > sizeof(packet)) { /* a byte, by which time goes on, and a packet */
        struct hw_writer crc = hw_writer_over(packet + CRC_AT, 4);

        now_ns += (int64_t)data[0] << (data[0] % 50);
        memcpy(packet, data + 1, sizeof(packet));
        hw_write_le32(&crc, hw_crc32c(packet, CRC_AT));
        if (decode(packet, sizeof(packet), &one))
            feed(&lease, &one, now_ns);
        data += 1 + sizeof(packet);
        size -= 1 + sizeof(packet);
    }
    return 0;
}
