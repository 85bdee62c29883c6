/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of a split virtqueue. What the driver can change under us is read once.
 */
#include "config.h"

#include "storage/vhost/vh_ring.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "storage/vhost/vh_proto.h"

/* Deliberate faults, only ever built into test binaries: the crash points must turn red. */
#ifdef VH_MUTATE_NO_INFLIGHT
#define RING_DOES_AGAIN false
#else
#define RING_DOES_AGAIN true
#endif
#ifdef VH_MUTATE_CLEARED_EARLY
#define RING_CLEARS_BEHIND false
#else
#define RING_CLEARS_BEHIND true
#endif

/* Offsets (2.7.6, 2.7.8): flags, idx, ring[size], event */
enum { AVAIL_IDX = 2, AVAIL_RING = 4, USED_IDX = 2, USED_RING = 4, DESC_BYTES = 16 };

static uint16_t load16(const uint8_t *at)
{
    return __atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_ACQUIRE);
}

static void store16(uint8_t *at, uint16_t value)
{
    __atomic_store_n((uint16_t *)(void *)at, value, __ATOMIC_RELEASE);
}

int vh_ring_place(struct vh_ring *ring, struct vh_mem *mem, uint64_t desc_addr, uint64_t avail_addr,
                  uint64_t used_addr)
{
    const uint64_t size = ring->size;

    if (size == 0 || size > VH_QUEUE_SIZE_MAX || (size & (size - 1)) != 0 || desc_addr % 16 != 0 ||
        avail_addr % 2 != 0 || used_addr % 4 != 0)
        return -EINVAL;
    ring->desc = vh_mem_user(mem, desc_addr, size * DESC_BYTES);
    ring->avail = vh_mem_user(mem, avail_addr, AVAIL_RING + 2 * size + 2);
    ring->used = vh_mem_user(mem, used_addr, USED_RING + sizeof(struct vh_used_elem) * size + 2);
    ring->mem = mem;
    if (ring->desc != NULL && ring->avail != NULL && ring->used != NULL)
        return 0;
    ring->desc = NULL;
    return -EFAULT;
}

void vh_ring_start(struct vh_ring *ring, uint16_t base)
{
    ring->used_idx = load16(ring->used + USED_IDX);
    ring->last_avail = base;
    ring->signalled_valid = false;
    ring->broken = false;
    ring->in_use = 0;
    ring->counter = 0;
    ring->again_at = ring->again_count = 0;
    if (ring->inflight == NULL)
        return;
    ring->again_count = vh_inflight_recover(ring->inflight, ring->size, ring->used_idx, ring->again,
                                            &ring->counter);
    if (!RING_DOES_AGAIN)
        ring->again_count = 0;
    ring->last_avail = (uint16_t)(ring->used_idx + ring->again_count);
}

/* --- chains --- */

struct walk {
    struct vh_ring *ring;
    struct vh_chain *chain;
    unsigned count; /* descriptors so far, in all tables */
};

/* One descriptor's memory into the chain; all out parts stand before all in parts (2.7.4.2). */
static int add(struct walk *walk, const struct vh_desc *desc)
{
    struct vh_chain *chain = walk->chain;
    const unsigned have = chain->out_count + chain->in_count;
    int pieces;

    if ((desc->flags & VH_DESC_F_WRITE) == 0 && chain->in_count > 0)
        return -EBADMSG;
    pieces = vh_mem_pieces(walk->ring->mem, desc->addr, desc->len, chain->pieces + have,
                           VH_SEGMENTS - have);
    if (pieces < 0)
        return -EBADMSG;
    if ((desc->flags & VH_DESC_F_WRITE) != 0)
        chain->in_count += (unsigned)pieces;
    else
        chain->out_count += (unsigned)pieces;
    return 0;
}

static void copy_desc(const uint8_t *table, uint16_t at, struct vh_desc *ret_desc)
{
    memcpy(ret_desc, table + (size_t)at * DESC_BYTES, sizeof(*ret_desc));
    __atomic_signal_fence(__ATOMIC_SEQ_CST); /* judged as copied, not as read again */
}

/* Follow a chain within one table. An indirect table may stand at its end, once (2.7.5.3). */
static int follow(struct walk *walk, const uint8_t *table, unsigned table_size, uint16_t at,
                  bool indirect)
{
    struct vh_desc desc;

    for (;;) {
        if (at >= table_size || ++walk->count > walk->ring->size + 1u)
            return -EBADMSG; /* out of the table, or a loop */
        copy_desc(table, at, &desc);
        if ((desc.flags & VH_DESC_F_INDIRECT) != 0) {
            const uint8_t *inner;

            if (indirect || !walk->ring->indirect || (desc.flags & VH_DESC_F_NEXT) != 0 ||
                desc.len == 0 || desc.len % DESC_BYTES != 0 ||
                desc.len / DESC_BYTES > walk->ring->size)
                return -EBADMSG;
            inner = vh_mem_guest(walk->ring->mem, desc.addr, desc.len);
            if (inner == NULL)
                return -EBADMSG;
            return follow(walk, inner, desc.len / DESC_BYTES, 0, true);
        }
        if (add(walk, &desc) < 0)
            return -EBADMSG;
        if ((desc.flags & VH_DESC_F_NEXT) == 0)
            return 0;
        at = desc.next;
    }
}

static int take(struct vh_ring *ring, uint16_t head, struct vh_chain *chain)
{
    struct walk walk = { .ring = ring, .chain = chain };

    chain->head = head;
    chain->out_count = chain->in_count = 0;
    ring->in_use++;
    return follow(&walk, ring->desc, ring->size, head, false) < 0 ? -EBADMSG : 1;
}

static int broken(struct vh_ring *ring)
{
    ring->broken = true;
    return -EPROTO;
}

int vh_ring_pop(struct vh_ring *ring, struct vh_chain *chain)
{
    uint16_t available, head;

    if (ring->broken || ring->desc == NULL)
        return -EPROTO;
    if (ring->again_at < ring->again_count)
        return take(ring, ring->again[ring->again_at++], chain);
    available = load16(ring->avail + AVAIL_IDX);
    if (available == ring->last_avail)
        return 0;
    if ((uint16_t)(available - ring->last_avail) > ring->size)
        return broken(ring);
    head = load16(ring->avail + AVAIL_RING + 2 * (ring->last_avail % ring->size));
    if (head >= ring->size || ring->in_use >= ring->size)
        return broken(ring);
    ring->last_avail++;
    if (ring->inflight != NULL)
        vh_inflight_take(ring->inflight, head, ++ring->counter);
    return take(ring, head, chain);
}

void vh_ring_unpop(struct vh_ring *ring, unsigned count)
{
    ring->last_avail = (uint16_t)(ring->last_avail - count);
    ring->in_use -= count;
}

bool vh_ring_has_more(const struct vh_ring *ring)
{
    return ring->again_at < ring->again_count ||
           load16(ring->avail + AVAIL_IDX) != ring->last_avail;
}

static void log_used(const struct vh_ring *ring, uint64_t offset, uint64_t bytes)
{
    if (ring->log != NULL && ring->log_used)
        vh_log_mark(ring->log, ring->log_addr + offset, bytes);
}

void vh_ring_push(struct vh_ring *ring, uint16_t head, uint32_t written_bytes)
{
    const struct vh_used_elem element = { .id = head, .len = written_bytes };
    const size_t at = USED_RING + sizeof(element) * (ring->used_idx % ring->size);

    ring->in_use--;
    memcpy(ring->used + at, &element, sizeof(element));
    if (ring->inflight != NULL)
        vh_inflight_answer(ring->inflight, head);
    ring->used_idx++;
    if (ring->inflight != NULL && !RING_CLEARS_BEHIND)
        vh_inflight_answered(ring->inflight, head, ring->used_idx);
    log_used(ring, at, sizeof(element));
    log_used(ring, USED_IDX, 2); /* before it moves: a bit too early is read once more */
    store16(ring->used + USED_IDX, ring->used_idx);
    log_used(ring, USED_IDX, 2);
    if (ring->inflight != NULL && RING_CLEARS_BEHIND)
        vh_inflight_answered(ring->inflight, head, ring->used_idx);
}

bool vh_ring_wants_signal(struct vh_ring *ring)
{
    const uint16_t before = ring->signalled_used, now = ring->used_idx;
    const bool valid = ring->signalled_valid;
    uint16_t event;

    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the used index before the driver's wish */
    if (!ring->event_idx)
        return (load16(ring->avail) & VH_AVAIL_F_NO_INTERRUPT) == 0;
    ring->signalled_used = now;
    ring->signalled_valid = true;
    event = load16(ring->avail + AVAIL_RING + 2 * ring->size);
    return !valid || (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

void vh_ring_want_kicks(struct vh_ring *ring, bool wanted)
{
    const size_t event = USED_RING + sizeof(struct vh_used_elem) * ring->size;

    if (!ring->event_idx)
        store16(ring->used, wanted ? 0 : VH_USED_F_NO_NOTIFY);
    else if (wanted)
        store16(ring->used + event, ring->last_avail);
    log_used(ring, ring->event_idx ? event : 0, 2);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
