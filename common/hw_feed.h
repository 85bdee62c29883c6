/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Feeds and the lease they keep alive (timing.md, Feed and freeze). A feed tells a VM's process
 * that this node still has the right to run it: it carries the send time of the newest own beat
 * that a majority has acknowledged. Whoever is fed may act until T_deadman after that time, by the
 * clock that both ends share (CLOCK_BOOTTIME of one host). A lease is born expired. Pure.
 *
 * A feed is one packet of 40 bytes, little-endian: magic 4, version 4, generation 8, send time in
 * ns 8, term 8, CRC-32C of all before it 4, zero 4.
 */
#ifndef HW_FEED_H
#define HW_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HW_FEED_BYTES = 40, HW_FEED_VERSION = 1 };
#define HW_FEED_MAGIC UINT32_C(0x44465748) /* "HWFD" */

struct hw_feed {
    uint64_t generation; /* first of the block that the grant gave */
    int64_t sent_ns;     /* of the beat, CLOCK_BOOTTIME */
    uint64_t term;       /* of the log that the grant stands in */
};

/* Write the packet. */
void hw_feed_encode(const struct hw_feed *feed, uint8_t bytes[HW_FEED_BYTES]);
/* Read one of `size` bytes. 0; -EBADMSG: wrong size, magic or checksum, or a time below 0;
 * -EPROTONOSUPPORT: another version. */
int hw_feed_decode(const uint8_t *bytes, size_t size, struct hw_feed *ret_feed);

struct hw_lease {
    uint64_t generation; /* whose feeds count */
    int64_t length_ns;   /* T_deadman */
    uint64_t term;       /* greatest so far */
    int64_t fed_ns;      /* newest send time that counted; 0: never */
};

/* A lease that was never fed, for this generation. */
struct hw_lease hw_lease_new(uint64_t generation, int64_t length_ns);
/*
 * Take a feed at time `now_ns`. True if it makes the lease longer. It does not if it is another
 * generation's, of an earlier term than one that was taken, no newer than the last, or from the
 * future (a mistake or a lie: no clock here can be behind its own host's).
 */
bool hw_lease_take(struct hw_lease *lease, const struct hw_feed *feed, int64_t now_ns);
/* Nothing may be done at or after this time; 0 if it was never fed. */
int64_t hw_lease_until_ns(const struct hw_lease *lease);

#endif
