/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the members' logs say to each other over the group. Messages may be lost, late, repeated,
 * or delivered in a later ring: each carries what a receiver needs to see that.
 *
 * Little-endian: magic 4, version 2, kind 2, from 4, flags 4, term 8, incarnation 8, ring sequence
 * 8, ring node 4, group 4, leader 4, zero 4, position's term 8 and index 8, size of the entry 4,
 * CRC-32C of all that 4; then an entry (core_entry.h), of an ENTRY only.
 */
#ifndef CORE_LOG_MESSAGE_H
#define CORE_LOG_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "clusterd/core/core_entry.h"

enum { CORE_LOG_MESSAGE_VERSION = 1, CORE_LOG_MESSAGE_HEAD = 80 };
#define CORE_LOG_MESSAGE_MAGIC UINT32_C(0x4d4c4348) /* "HCLM" */

enum core_log_message_kind {
    CORE_LOG_HELLO = 1, /* where my log ends, and what I have promised */
    CORE_LOG_ADOPT,     /* I open `term`; `position` is the base, the end of my log */
    CORE_LOG_PROMISE,   /* on my disk: nothing of a lower term any more; `position`: my log's end */
    CORE_LOG_ENTRY,     /* of the leader of `term` */
    CORE_LOG_ACK,       /* my log is the leader's up to position.index, and on my disk */
    CORE_LOG_NEED,      /* to the leader: send from position.index on */
    CORE_LOG_MESSAGE_KINDS,
};

struct core_position { /* of an entry: ordered by term, then index */
    uint64_t term;
    uint64_t index;
};

/*
 * Which membership: corosync's ring, and which processes of it are in the group (a hash of the
 * sorted node ids and process ids: all members make the same of the same list). A clusterd that
 * comes or goes within a ring gives another view.
 */
struct core_view_id {
    uint64_t ring_sequence;
    uint32_t ring_node;
    uint32_t group;
};

struct core_log_message {
    enum core_log_message_kind kind;
    uint32_t from;
    bool blank;      /* the sender's store is empty: it counts for nothing */
    bool leads;      /* HELLO: the sender leads its term */
    uint32_t leader; /* PROMISE, ACK, NEED: the leader that they are for */
    uint64_t term;
    uint64_t incarnation; /* of the sending clusterd */
    struct core_view_id view;
    struct core_position position;
    struct core_entry entry; /* ENTRY; bytes borrowed */
};

/* -1, 0, 1 as `left` is before, the same as, or behind `right`. */
int core_position_compare(struct core_position left, struct core_position right);
/* True if both name the same membership. */
bool core_view_id_equal(const struct core_view_id *left, const struct core_view_id *right);

/* Bytes that core_log_message_encode() writes. */
size_t core_log_message_size(const struct core_log_message *message);
/* Encode into `room` of core_log_message_size() bytes. */
void core_log_message_encode(const struct core_log_message *message, uint8_t *room);
/*
 * Decode all of `size` bytes; an entry's bytes point into them. 0; -EBADMSG: damaged;
 * -EPROTONOSUPPORT: of a newer release. ret_message is untouched on errors.
 */
int core_log_message_decode(const uint8_t *bytes, size_t size,
                            struct core_log_message *ret_message);

#endif
