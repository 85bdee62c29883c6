/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vote map: who has how many votes. A configuration object of its own, changed by one voter at
 * a time through the log (timing.md, The log); corosync's runtime votes are never an input. The
 * witness LUN is a voter too, under CORE_WITNESS_ID.
 */
#ifndef CORE_VOTES_H
#define CORE_VOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hw_cursor.h"

enum {
    CORE_VOTERS_MAX = 128,
    CORE_VOTES_EACH_MAX = 1000,
    CORE_WITNESS_ID = 65536,                       /* above every node's id */
    CORE_VOTE_MAP_BYTES = 4 + 8 * CORE_VOTERS_MAX, /* longest encoding */
};

struct core_voter {
    uint32_t id; /* node id, or CORE_WITNESS_ID */
    uint32_t votes;
};

/* Plain data: copied by assignment. Sorted by id, each id once. */
struct core_vote_map {
    uint32_t count;
    struct core_voter voters[CORE_VOTERS_MAX];
};

/* Give a voter its votes; 0 takes it out. 0, -EINVAL (id or votes), -ENOSPC; then unchanged. */
int core_vote_map_set(struct core_vote_map *map, uint32_t id, uint32_t votes);
/* The votes of `id`, 0 if it has none. */
uint32_t core_vote_map_votes(const struct core_vote_map *map, uint32_t id);
/*
 * True if the voters for whom `has` says yes hold more than half of all votes. An empty map has no
 * majority. `has` is asked once for each voter, in order.
 */
bool core_vote_map_majority(const struct core_vote_map *map,
                            bool (*has)(void *context, uint32_t id), void *context);
/*
 * True if the two maps differ in exactly one voter, by exactly one vote. Then each majority of the
 * one shares a voter with each majority of the other; with two votes at once it would not: of three
 * voters with a vote each, two are a majority, and so is a fourth that comes with four.
 */
bool core_vote_map_one_step(const struct core_vote_map *before, const struct core_vote_map *after);

/* Write: count 4, then id 4 and votes 4 of each, little-endian. Room is the caller's. */
void core_vote_map_encode(const struct core_vote_map *map, struct hw_writer *to);
/* Read all of `size` bytes. 0 or -EBADMSG; ret_map is untouched then. */
int core_vote_map_decode(const uint8_t *bytes, size_t size, struct core_vote_map *ret_map);

#endif
