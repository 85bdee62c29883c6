/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Beats, acknowledgements, ages and feeds.
 */
#include <config.h>

#include "clusterd/core/core_beat.h"

#include <errno.h>
#include <string.h>

enum { NS_PER_MS = 1000000 };

void core_beat_start(struct core_beat_machine *machine, uint32_t self, const struct core_life *life,
                     int64_t now_ns)
{
    memset(machine, 0, sizeof(*machine));
    machine->self = self;
    machine->life = *life;
    machine->started_ns = now_ns;
    machine->first_of_term = 1;
}

static bool same_life(const struct core_life *left, const struct core_life *right)
{
    return left->incarnation == right->incarnation &&
           memcmp(left->boot_id, right->boot_id, sizeof(left->boot_id)) == 0;
}

static struct core_beat_peer *find(struct core_beat_machine *machine, uint32_t id)
{
    for (uint32_t i = 0; i < machine->peer_count; i++) {
        if (machine->peers[i].id == id)
            return &machine->peers[i];
    }
    return NULL;
}

static const struct core_beat_peer *find_const(const struct core_beat_machine *machine, uint32_t id)
{
    for (uint32_t i = 0; i < machine->peer_count; i++) {
        if (machine->peers[i].id == id)
            return &machine->peers[i];
    }
    return NULL;
}

/* Beats that were sent before the term count in no other: what they were fed for may not be this
 * node's any more. */
void core_beat_set_table(struct core_beat_machine *machine, const struct core_beat_table *table)
{
    if (!table->current || !machine->table.current || table->term != machine->table.term) {
        machine->first_of_term = machine->number + 1;
        for (uint32_t i = 0; i < machine->peer_count; i++)
            machine->peers[i].acked = 0;
    }
    machine->table = *table;
}

void core_beat_members(struct core_beat_machine *machine, const uint32_t *ids, size_t count)
{
    for (uint32_t i = 0; i < machine->peer_count; i++) {
        bool is_there = false;

        for (size_t k = 0; k < count; k++)
            is_there = is_there || ids[k] == machine->peers[i].id;
        machine->peers[i].member = is_there;
        if (!is_there) /* its age is still asked for; what it acknowledged is nothing any more */
            machine->peers[i].acked = 0;
    }
}

static uint32_t cut(uint64_t age_ms)
{
    return age_ms < UINT32_MAX ? (uint32_t)age_ms : UINT32_MAX;
}

void core_beat_send(struct core_beat_machine *machine, int64_t now_ns, struct core_beat *ret_beat)
{
    machine->number++;
    machine->sent_ns[machine->number % CORE_BEAT_HISTORY] = now_ns;
    memset(ret_beat, 0, sizeof(*ret_beat));
    ret_beat->from = machine->self;
    ret_beat->life = machine->life;
    ret_beat->term = machine->table.current ? machine->table.term : 0;
    ret_beat->applied = machine->table.index;
    ret_beat->number = machine->number;
    ret_beat->deadman_ms = machine->table.deadman_ms;
    ret_beat->store_ms = machine->table.store_ms;
    ret_beat->unheard_ms = cut(core_beat_age_ms(machine, 0, now_ns));
    for (uint32_t i = 0; i < machine->peer_count; i++) {
        const struct core_beat_peer *peer = &machine->peers[i];
        uint64_t age_ms = core_beat_age_ms(machine, peer->id, now_ns);

        if (peer->answered)
            ret_beat->acks[ret_beat->count++] =
                (struct core_beat_ack) { peer->id, cut(age_ms), peer->life, peer->number };
    }
}

/* Room for one more: of a peer that is no member, least of all one that may vote again. */
static struct core_beat_peer *make_room(struct core_beat_machine *machine)
{
    struct core_beat_peer *out = NULL;

    if (machine->peer_count < CORE_VOTERS_MAX)
        return &machine->peers[machine->peer_count++];
    for (uint32_t i = 0; i < machine->peer_count; i++) {
        struct core_beat_peer *peer = &machine->peers[i];

        if (!peer->member &&
            (out == NULL || core_vote_map_votes(&machine->table.map, peer->id) == 0))
            out = peer;
    }
    if (out != NULL && out->heard && out->heard_ns > machine->forgotten_ns)
        machine->forgotten_ns = out->heard_ns;
    return out;
}

static bool is_barred(const struct core_beat_machine *machine, const struct core_beat *beat)
{
    for (uint32_t i = 0; i < machine->table.bar_count; i++) {
        if (machine->table.bars[i].id == beat->from)
            return beat->applied < machine->table.bars[i].index;
    }
    return false;
}

/* What this beat acknowledges of ours. */
static void take_ack(struct core_beat_machine *machine, struct core_beat_peer *peer,
                     const struct core_beat *beat)
{
    if (!machine->table.current || beat->term != machine->table.term)
        return;
    for (uint32_t i = 0; i < beat->count; i++) {
        const struct core_beat_ack *ack = &beat->acks[i];

        if (ack->id == machine->self && same_life(&ack->life, &machine->life) &&
            ack->number <= machine->number && ack->number >= machine->first_of_term &&
            ack->number > peer->acked)
            peer->acked = ack->number;
    }
}

int core_beat_receive(struct core_beat_machine *machine, const struct core_beat *beat,
                      int64_t now_ns)
{
    struct core_beat_peer *peer = find(machine, beat->from);

    if (beat->from == machine->self)
        return 0; /* own delivery acknowledges nothing */
    if (peer == NULL) {
        peer = make_room(machine);
        if (peer == NULL)
            return -ENOSPC;
        *peer = (struct core_beat_peer) { .id = beat->from, .member = true };
    }
    if (peer->heard && same_life(&peer->newest_life, &beat->life) && beat->number <= peer->newest)
        return -ESTALE;
    /* of one boot, a lower incarnation was before */
    if (peer->heard && beat->life.incarnation < peer->newest_life.incarnation &&
        memcmp(beat->life.boot_id, peer->newest_life.boot_id, sizeof(beat->life.boot_id)) == 0)
        return -ESTALE;
    if (!same_life(&peer->newest_life, &beat->life))
        peer->acked = 0;
    peer->heard = peer->member = true;
    peer->newest_life = beat->life;
    peer->newest = beat->number;
    peer->heard_ns = now_ns;
    take_ack(machine, peer, beat);
    if (is_barred(machine, beat))
        return -EPERM;
    peer->answered = true;
    peer->life = beat->life;
    peer->number = beat->number;
    peer->processed_ns = now_ns;
    return 0;
}

struct reached {
    const struct core_beat_machine *machine;
    uint64_t number;
};

static bool has_acked(void *context, uint32_t id)
{
    const struct reached *reached = context;
    const struct core_beat_peer *peer = find_const(reached->machine, id);

    if (id == reached->machine->self)
        return true; /* it sent it */
#ifdef CORE_MUTATE_ANY_ACK_FEEDS
    for (uint32_t i = 0; i < reached->machine->peer_count; i++) {
        if (reached->machine->peers[i].acked >= reached->number)
            return true;
    }
#endif
    return peer != NULL && peer->acked >= reached->number;
}

/* The answer is one of the numbers that somebody acknowledged; a member that is a majority by
 * itself (one node) has acknowledged its newest. */
int core_beat_fed(const struct core_beat_machine *machine, int64_t *ret_sent_ns)
{
    struct reached reached = { machine, machine->number };
    uint64_t best = 0;

#ifdef CORE_MUTATE_OWN_DELIVERY_FEEDS
    *ret_sent_ns = machine->sent_ns[machine->number % CORE_BEAT_HISTORY];
    return machine->number > 0 ? 0 : -EAGAIN;
#endif
    if (!machine->table.current || machine->number < machine->first_of_term)
        return -EAGAIN;
    if (core_vote_map_majority(&machine->table.map, has_acked, &reached))
        best = machine->number;
    for (uint32_t i = 0; i < machine->peer_count; i++) {
        reached.number = machine->peers[i].acked;
        if (reached.number > best &&
            core_vote_map_majority(&machine->table.map, has_acked, &reached))
            best = reached.number;
    }
    if (best < machine->first_of_term || machine->number - best >= CORE_BEAT_HISTORY)
        return -EAGAIN;
    *ret_sent_ns = machine->sent_ns[best % CORE_BEAT_HISTORY];
    return 0;
}

bool core_beat_feeds(const struct core_beat_machine *machine, uint32_t vm, uint32_t generation)
{
    size_t low = 0, high = machine->table.feed_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (machine->table.feeds[middle].vm < vm)
            low = middle + 1;
        else
            high = middle;
    }
    return low < machine->table.feed_count && machine->table.feeds[low].vm == vm &&
           machine->table.feeds[low].generation == generation;
}

static uint64_t ms_since(int64_t since, int64_t now_ns)
{
    return now_ns > since ? (uint64_t)(now_ns - since) / NS_PER_MS : 0;
}

/* Unknown is as old as this machine, or as the last that was forgotten: it may have acknowledged
 * one in an earlier life, or that one's. */
uint64_t core_beat_age_ms(const struct core_beat_machine *machine, uint32_t id, int64_t now_ns)
{
    const struct core_beat_peer *peer = find_const(machine, id);
    int64_t since = machine->started_ns;

    if (peer != NULL && peer->answered)
        since = peer->processed_ns;
    else if (machine->forgotten_ns > since)
        since = machine->forgotten_ns;
    return ms_since(since, now_ns);
}

bool core_beat_silent(const struct core_beat_machine *machine, uint32_t id, uint32_t deadman_ms,
                      int64_t now_ns)
{
    const struct core_beat_peer *peer = find_const(machine, id);
    int64_t since = machine->started_ns;

    if (peer != NULL && peer->heard && peer->heard_ns > since)
        since = peer->heard_ns;
    return id != machine->self && ms_since(since, now_ns) >= deadman_ms;
}
