/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small driver's ring: each request is one descriptor that names an indirect table in the slot
 * of its own. What the back end writes (the used ring) is judged before it is used.
 */
#include "config.h"

#include "storage/vhost/vh_drive_priv.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

enum { PIECES = VH_BLK_SEG_MAX };

/* In the driver's own memory, one for each entry of the queue. */
struct slot {
    struct vh_desc table[PIECES + 2];
    uint8_t header[VH_BLK_HEADER_BYTES];
    uint8_t segment[VH_BLK_SEGMENT_BYTES];
    uint8_t status;
    uint8_t padding[63];
};

void drive_place(struct vh_drive *drive)
{
    const uint64_t size = drive->size;

    drive->avail_at = size * sizeof(struct vh_desc);
    drive->used_at = drive_align_up(drive->avail_at + 6 + 2 * size, 64);
    drive->slots_at = drive_align_up(drive->used_at + 6 + 8 * size, 64);
    drive->memory_bytes = drive_align_up(drive->slots_at + size * sizeof(struct slot), 4096);
}

static struct slot *slot_of(struct vh_drive *drive, unsigned i)
{
    return (struct slot *)(void *)(drive->own.memory + drive->slots_at) + i;
}

static uint64_t own_addr(const struct vh_drive *drive, const void *pointer)
{
    return DRIVE_OWN_ADDR + (uint64_t)((const uint8_t *)pointer - drive->own.memory);
}

int drive_judge(const struct vh_drive *drive, const struct vh_drive_op *op)
{
    const unsigned clears = op->type == VH_BLK_DISCARD || op->type == VH_BLK_WRITE_ZEROES;

    /* header, segment and status beside them; a table longer than the queue is refused (2.7.5.3) */
    if (op->iov_count > PIECES || op->iov_count + 2 + clears > drive->size)
        return -E2BIG;
    for (unsigned i = 0; i < op->iov_count; i++) {
        const uint8_t *at = op->iov[i].iov_base;
        const size_t bytes = op->iov[i].iov_len;
        const uint64_t first = vh_drive_guest_addr(drive, at);

        if (bytes == 0 || bytes > UINT32_MAX || first == 0 ||
            vh_drive_guest_addr(drive, at + bytes - 1) != first + bytes - 1)
            return -EFAULT;
    }
    return 0;
}

int vh_drive_submit(struct vh_drive *drive, struct vh_drive_op *op)
{
    int rc = drive_judge(drive, op);

    if (rc < 0)
        return rc;
    op->next = NULL;
    if (drive->last != NULL)
        drive->last->next = op;
    else
        drive->first = op;
    drive->last = op;
    drive->waiting++;
    if (drive->started)
        drive_put_waiting(drive);
    return 0;
}

/* --- requests --- */

static uint16_t load16(const void *at)
{
    return __atomic_load_n((const uint16_t *)at, __ATOMIC_ACQUIRE);
}

static void store16(void *at, uint16_t value)
{
    __atomic_store_n((uint16_t *)at, value, __ATOMIC_RELEASE);
}

void drive_wake_server(struct vh_drive *drive)
{
    const bool later = vh_events_signal(drive->events, drive->own.kick_fd) < 0;

    if (later == drive->retrying)
        return;
    drive->retrying = later;
    if (later)
        vh_retry_arm(drive->retry_fd);
    drive->callbacks.watch(drive->callbacks.context, drive->retry_fd, later ? POLLIN : 0);
}

static void kick(struct vh_drive *drive)
{
    const uint16_t before = drive->kicked_idx, now = drive->avail_idx;
    uint16_t event;

    if (before == now)
        return;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    event = load16(drive->own.memory + drive->used_at + 4 + 8u * drive->size);
    drive->kicked_idx = now;
    if ((drive->setup.features & VH_F_EVENT_IDX) == 0 ||
        (uint16_t)(now - event - 1) < (uint16_t)(now - before))
        drive_wake_server(drive);
}

static void fill_header(struct slot *slot, const struct vh_drive_op *op)
{
    const uint32_t type = htole32(op->type);
    const uint64_t sector = htole64(op->sector);
    const uint32_t count = htole32((uint32_t)op->sectors);

    memset(slot->header, 0, sizeof(slot->header));
    memcpy(slot->header, &type, sizeof(type));
    if (op->type == VH_BLK_IN || op->type == VH_BLK_OUT)
        memcpy(slot->header + 8, &sector, sizeof(sector));
    memset(slot->segment, 0, sizeof(slot->segment));
    memcpy(slot->segment, &sector, sizeof(sector));
    memcpy(slot->segment + 8, &count, sizeof(count));
    slot->status = 0xff;
}

static void add(struct slot *slot, unsigned *count, uint64_t addr, uint64_t bytes, uint16_t flags)
{
    slot->table[*count] = (struct vh_desc) { .addr = addr,
                                             .len = (uint32_t)bytes,
                                             .flags = (uint16_t)(flags | VH_DESC_F_NEXT),
                                             .next = (uint16_t)(*count + 1) };
    (*count)++;
}

static void put(struct vh_drive *drive, unsigned head, struct vh_drive_op *op)
{
    struct slot *slot = slot_of(drive, head);
    struct vh_desc *desc = (struct vh_desc *)(void *)drive->own.memory + head;
    uint8_t *avail = drive->own.memory + drive->avail_at;
    unsigned count = 0;

    fill_header(slot, op);
    add(slot, &count, own_addr(drive, slot->header), sizeof(slot->header), 0);
    if (op->type == VH_BLK_DISCARD || op->type == VH_BLK_WRITE_ZEROES)
        add(slot, &count, own_addr(drive, slot->segment), sizeof(slot->segment), 0);
    for (unsigned i = 0; i < op->iov_count; i++)
        add(slot, &count, vh_drive_guest_addr(drive, op->iov[i].iov_base), op->iov[i].iov_len,
            op->type == VH_BLK_OUT ? 0 : VH_DESC_F_WRITE);
    add(slot, &count, own_addr(drive, &slot->status), 1, VH_DESC_F_WRITE);
    slot->table[count - 1].flags = VH_DESC_F_WRITE;
    *desc = (struct vh_desc) { .addr = own_addr(drive, slot->table),
                               .len = count * (uint32_t)sizeof(struct vh_desc),
                               .flags = VH_DESC_F_INDIRECT };
    store16(avail + 4 + 2 * (drive->avail_idx % drive->size), (uint16_t)head);
    drive->ops[head] = op;
    drive->in_flight++;
    store16(avail + 2, ++drive->avail_idx);
}

void drive_put_waiting(struct vh_drive *drive)
{
    for (unsigned head = 0; drive->first != NULL && head < drive->size; head++) {
        struct vh_drive_op *op = drive->first;

        if (drive->ops[head] != NULL)
            continue;
        drive->first = op->next;
        if (drive->first == NULL)
            drive->last = NULL;
        drive->waiting--;
        put(drive, head, op);
    }
    kick(drive);
}

/* Is an answer there? False: the back end is asked to tell of the next one. */
static bool has_used(struct vh_drive *drive)
{
    const uint8_t *used = drive->own.memory + drive->used_at;
    uint8_t *used_event = drive->own.memory + drive->avail_at + 4 + 2u * drive->size;

    if (load16(used + 2) != drive->used_seen)
        return true;
    store16(used_event, drive->used_seen); /* tell of the next one, and look again */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return load16(used + 2) != drive->used_seen;
}

static void take_one(struct vh_drive *drive)
{
    const uint8_t *used = drive->own.memory + drive->used_at;
    struct vh_used_elem element;
    struct vh_drive_op *op;
    uint8_t status;

    memcpy(&element, used + 4 + sizeof(element) * (drive->used_seen % drive->size),
           sizeof(element));
    drive->used_seen++;
    if (element.id >= drive->size || drive->ops[element.id] == NULL)
        return; /* nothing that we asked for */
    op = drive->ops[element.id];
    drive->ops[element.id] = NULL;
    drive->in_flight--;
    status = __atomic_load_n(&slot_of(drive, element.id)->status, __ATOMIC_RELAXED);
    op->done(op, status <= VH_BLK_UNSUPP ? (enum vh_blk_status)status : VH_BLK_IOERR);
}

/* A back end that moves its index for ever keeps nobody out: a turn takes what one ring holds. */
void drive_take_used(struct vh_drive *drive)
{
    unsigned left = drive->size;

    while (!drive->stale && has_used(drive)) {
        if (left-- == 0) {
            (void)eventfd_write(drive->more_fd, 1);
            return;
        }
        take_one(drive);
    }
}

void drive_fail_in_flight(struct vh_drive *drive)
{
    drive->stale = true;
    for (unsigned head = 0; head < drive->size; head++) {
        struct vh_drive_op *op = drive->ops[head];

        if (op == NULL)
            continue;
        drive->ops[head] = NULL;
        drive->in_flight--;
        op->done(op, VH_BLK_IOERR);
    }
}
