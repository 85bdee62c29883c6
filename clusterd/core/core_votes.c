/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The vote map: a small sorted table by value.
 */
#include <config.h>

#include "clusterd/core/core_votes.h"

#include <errno.h>
#include <string.h>

static uint32_t place_of(const struct core_vote_map *map, uint32_t id)
{
    uint32_t at = 0;

    while (at < map->count && map->voters[at].id < id)
        at++;
    return at;
}

int core_vote_map_set(struct core_vote_map *map, uint32_t id, uint32_t votes)
{
    uint32_t at = place_of(map, id);
    struct core_voter *here = &map->voters[at];

    if (id == 0 || id > CORE_WITNESS_ID || votes > CORE_VOTES_EACH_MAX)
        return -EINVAL;
    if (at < map->count && here->id == id) {
        if (votes > 0) {
            here->votes = votes;
            return 0;
        }
        map->count--;
        memmove(here, here + 1, (map->count - at) * sizeof(*here));
        memset(&map->voters[map->count], 0, sizeof(*here));
        return 0;
    }
    if (votes == 0)
        return 0;
    if (map->count == CORE_VOTERS_MAX)
        return -ENOSPC;
    memmove(here + 1, here, (map->count - at) * sizeof(*here));
    *here = (struct core_voter) { id, votes };
    map->count++;
    return 0;
}

uint32_t core_vote_map_votes(const struct core_vote_map *map, uint32_t id)
{
    uint32_t at = place_of(map, id);

    return at < map->count && map->voters[at].id == id ? map->voters[at].votes : 0;
}

bool core_vote_map_majority(const struct core_vote_map *map,
                            bool (*has)(void *context, uint32_t id), void *context)
{
    uint64_t all = 0, those = 0;

    for (uint32_t i = 0; i < map->count; i++) {
        all += map->voters[i].votes;
        if (has(context, map->voters[i].id))
            those += map->voters[i].votes;
    }
    return 2 * those > all;
}

bool core_vote_map_one_step(const struct core_vote_map *before, const struct core_vote_map *after)
{
    uint32_t b = 0, a = 0;
    uint64_t changes = 0;

    while (b < before->count || a < after->count) {
        uint32_t left = b < before->count ? before->voters[b].id : UINT32_MAX;
        uint32_t right = a < after->count ? after->voters[a].id : UINT32_MAX;

        uint32_t votes_before = left <= right ? before->voters[b].votes : 0;
        uint32_t votes_after = right <= left ? after->voters[a].votes : 0;

        changes +=
            votes_before > votes_after ? votes_before - votes_after : votes_after - votes_before;
        b += left <= right;
        a += right <= left;
    }
#ifdef CORE_MUTATE_NEW_MAP_ALONE
    return changes > 0;
#endif
    return changes == 1;
}

void core_vote_map_encode(const struct core_vote_map *map, struct hw_writer *to)
{
    hw_write_le32(to, map->count);
    for (uint32_t i = 0; i < map->count; i++) {
        hw_write_le32(to, map->voters[i].id);
        hw_write_le32(to, map->voters[i].votes);
    }
}

int core_vote_map_decode(const uint8_t *bytes, size_t size, struct core_vote_map *ret_map)
{
    struct hw_reader reader = hw_reader_over(bytes, size);
    struct core_vote_map map = { 0 };
    uint32_t count = hw_read_le32(&reader), last = 0;

    if (count > CORE_VOTERS_MAX)
        return -EBADMSG;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = hw_read_le32(&reader), votes = hw_read_le32(&reader);

        if (hw_reader_status(&reader) < 0 || id <= last || votes == 0 ||
            core_vote_map_set(&map, id, votes) < 0)
            return -EBADMSG;
        last = id;
    }
    if (hw_reader_status(&reader) < 0 || hw_reader_left(&reader) > 0)
        return -EBADMSG;
    *ret_map = map;
    return 0;
}
