/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The in-flight region. Stores are ordered as the protocol says: a process may end between any two
 * of them.
 */
#include "config.h"

#include "storage/vhost/vh_inflight.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/hw_cleanup.h"
#include "storage/vhost/vh_proto.h"

/* A deliberate fault, only ever built into test binaries: the crash points must turn red. */
#ifdef VH_MUTATE_NO_LAST_HEAD
#define INFLIGHT_MINDS_LAST_HEAD false
#else
#define INFLIGHT_MINDS_LAST_HEAD true
#endif

enum { ALIGN = 64, REGION_VERSION = 1 };

static uint64_t queue_bytes(uint16_t queue_size)
{
    const uint64_t bytes =
        sizeof(struct vh_inflight_queue) + (uint64_t)queue_size * sizeof(struct vh_inflight_entry);

    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static uint64_t all_queues_bytes(unsigned queues, uint16_t queue_size)
{
    return queues * queue_bytes(queue_size);
}

uint64_t vh_inflight_bytes(unsigned queues, uint16_t queue_size)
{
    return all_queues_bytes(queues, queue_size) + ALIGN;
}

int vh_inflight_create(unsigned queues, uint16_t queue_size)
{
    hw_auto_close int fd = memfd_create("hawser-inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, (off_t)vh_inflight_bytes(queues, queue_size)) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    return hw_take_fd(&fd);
}

int vh_inflight_map(struct vh_inflight *inflight, int fd, uint64_t offset, uint64_t bytes,
                    unsigned queues, uint16_t queue_size)
{
    struct vh_shared shared;
    int rc;

    if (queues == 0 || queues > VH_QUEUES || queue_size == 0 || queue_size > VH_QUEUE_SIZE_MAX ||
        bytes < all_queues_bytes(queues, queue_size) || offset % ALIGN != 0)
        return -EINVAL;
    rc = vh_shared_map(fd, offset, bytes, &shared);
    if (rc < 0)
        return rc;
    vh_inflight_unmap(inflight);
    *inflight =
        (struct vh_inflight) { .shared = shared, .queues = queues, .queue_size = queue_size };
    if (bytes >= vh_inflight_bytes(queues, queue_size))
        inflight->origin = (void *)(shared.first + all_queues_bytes(queues, queue_size));
    return 0;
}

void vh_inflight_unmap(struct vh_inflight *inflight)
{
    vh_shared_unmap(&inflight->shared);
    memset(inflight, 0, sizeof(*inflight));
}

int vh_inflight_clear(int fd, uint64_t offset, uint64_t bytes, unsigned queues, uint16_t queue_size)
{
    struct vh_inflight inflight = { 0 };
    int rc = vh_inflight_map(&inflight, fd, offset, bytes, queues, queue_size);

    if (rc < 0)
        return rc;
    if (inflight.origin != NULL &&
        __atomic_load_n(&inflight.origin->magic, __ATOMIC_ACQUIRE) == VH_INFLIGHT_ORIGIN_MAGIC)
        memset(inflight.shared.first, 0, all_queues_bytes(queues, queue_size));
    else
        rc = -ENOTSUP;
    vh_inflight_unmap(&inflight);
    return rc;
}

struct vh_inflight_queue *vh_inflight_queue(const struct vh_inflight *inflight, unsigned i)
{
    if (inflight->shared.map == NULL || i >= inflight->queues)
        return NULL;
    return (void *)(inflight->shared.first + i * queue_bytes(inflight->queue_size));
}

bool vh_inflight_goes_on(const struct vh_inflight *inflight, uint64_t lun, uint64_t line, bool runs)
{
    struct vh_inflight_origin *ran = inflight->origin;

    if (ran == NULL)
        return true;
    if (__atomic_load_n(&ran->magic, __ATOMIC_ACQUIRE) == VH_INFLIGHT_ORIGIN_MAGIC)
        return __atomic_load_n(&ran->lun, __ATOMIC_RELAXED) == lun &&
               __atomic_load_n(&ran->line, __ATOMIC_RELAXED) == line;
    if (!runs)
        return true;
    __atomic_store_n(&ran->lun, lun, __ATOMIC_RELAXED);
    __atomic_store_n(&ran->line, line, __ATOMIC_RELAXED);
    __atomic_store_n(&ran->magic, VH_INFLIGHT_ORIGIN_MAGIC, __ATOMIC_RELEASE);
    return true;
}

void vh_inflight_take(struct vh_inflight_queue *queue, uint16_t head, uint64_t counter)
{
    __atomic_store_n(&queue->entries[head].counter, counter, __ATOMIC_RELAXED);
    __atomic_store_n(&queue->entries[head].inflight, 1, __ATOMIC_SEQ_CST);
}

void vh_inflight_answer(struct vh_inflight_queue *queue, uint16_t head)
{
    __atomic_store_n(&queue->last_batch_head, head, __ATOMIC_SEQ_CST);
}

void vh_inflight_answered(struct vh_inflight_queue *queue, uint16_t head, uint16_t used_idx)
{
    __atomic_store_n(&queue->entries[head].inflight, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&queue->used_idx, used_idx, __ATOMIC_SEQ_CST);
}

/* Heads in order of their counters: insertion, since there are few. */
static unsigned insert(const struct vh_inflight_queue *queue, uint16_t *heads, uint64_t *counters,
                       unsigned count, uint16_t head)
{
    const uint64_t counter = __atomic_load_n(&queue->entries[head].counter, __ATOMIC_RELAXED);
    unsigned at = count;

    for (; at > 0 && counters[at - 1] > counter; at--) {
        counters[at] = counters[at - 1];
        heads[at] = heads[at - 1];
    }
    counters[at] = counter;
    heads[at] = head;
    return count + 1;
}

unsigned vh_inflight_recover(struct vh_inflight_queue *queue, uint16_t size, uint16_t used_idx,
                             uint16_t *ret_heads, uint64_t *ret_counter)
{
    uint64_t counters[VH_QUEUE_SIZE_MAX];
    const uint16_t last = __atomic_load_n(&queue->last_batch_head, __ATOMIC_SEQ_CST);
    unsigned count = 0;

    *ret_counter = 0;
    if (queue->version == 0) { /* fresh */
        queue->version = REGION_VERSION;
        queue->desc_num = size;
        queue->used_idx = used_idx;
        return 0;
    }
    /* it died between the used index and its own mark: that one was answered */
    if (INFLIGHT_MINDS_LAST_HEAD && queue->used_idx != used_idx && last < size)
        queue->entries[last].inflight = 0;
    queue->used_idx = used_idx;
    for (uint16_t head = 0; head < size; head++)
        if (__atomic_load_n(&queue->entries[head].inflight, __ATOMIC_SEQ_CST) == 1)
            count = insert(queue, ret_heads, counters, count, head);
    if (count > 0)
        *ret_counter = counters[count - 1];
    return count;
}
