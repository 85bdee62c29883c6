/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The points. SIGKILL to oneself is delivered before kill(2) returns: nothing behind it happens.
 */
#include <config.h>

#include "tests/lab/crash_points.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "storage/vhost/vh_ring.h"

static struct crash_points *armed;

void crash_points_arm(struct crash_points *points)
{
    armed = points;
}

static void point(const char *name)
{
    if (armed == NULL || ++armed->count != armed->at)
        return;
    (void)snprintf(armed->last, sizeof(armed->last), "%s", name);
    (void)kill(getpid(), SIGKILL);
}

/* What ld --wrap gives: __real_X is X, and whoever calls X gets __wrap_X. */
void __real_vh_inflight_take(struct vh_inflight_queue *queue, uint16_t head, uint64_t counter);
void __wrap_vh_inflight_take(struct vh_inflight_queue *queue, uint16_t head, uint64_t counter);
void __real_vh_inflight_answer(struct vh_inflight_queue *queue, uint16_t head);
void __wrap_vh_inflight_answer(struct vh_inflight_queue *queue, uint16_t head);
void __real_vh_inflight_answered(struct vh_inflight_queue *queue, uint16_t head, uint16_t used_idx);
void __wrap_vh_inflight_answered(struct vh_inflight_queue *queue, uint16_t head, uint16_t used_idx);
void __real_vh_ring_push(struct vh_ring *ring, uint16_t head, uint32_t written_bytes);
void __wrap_vh_ring_push(struct vh_ring *ring, uint16_t head, uint32_t written_bytes);

void __wrap_vh_inflight_take(struct vh_inflight_queue *queue, uint16_t head, uint64_t counter)
{
    point("taken out of the ring, not in the region yet");
    __atomic_store_n(&queue->entries[head].counter, counter, __ATOMIC_RELAXED);
    point("its counter is in the region, its mark is not");
    __real_vh_inflight_take(queue, head, counter);
    point("in the region, not submitted");
}

void __wrap_vh_ring_push(struct vh_ring *ring, uint16_t head, uint32_t written_bytes)
{
    point("done, its status is written, its used element is not");
    __real_vh_ring_push(ring, head, written_bytes);
    point("answered and out of the region, the driver was not signalled");
}

void __wrap_vh_inflight_answer(struct vh_inflight_queue *queue, uint16_t head)
{
    point("its used element is written, it is not the last head yet");
    __real_vh_inflight_answer(queue, head);
    point("it is the last head, the used index has not moved");
}

void __wrap_vh_inflight_answered(struct vh_inflight_queue *queue, uint16_t head, uint16_t used_idx)
{
    point("the used index has moved, it is still in the region");
    __atomic_store_n(&queue->entries[head].inflight, 0, __ATOMIC_SEQ_CST);
    point("out of the region, the region's used index has not moved");
    __real_vh_inflight_answered(queue, head, used_idx);
}
