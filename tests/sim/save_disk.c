/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tests' disk for saved states: see the header. */
#include <config.h>

#include "tests/sim/save_disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

struct save_disk *save_disk_new(uint64_t bytes, uint64_t seed)
{
    struct save_disk *disk = must(calloc(1, sizeof(*disk)));

    disk->pages = bytes / SAVE_DISK_PAGE_BYTES;
    disk->now = must(calloc(disk->pages, sizeof(*disk->now)));
    disk->safe = must(calloc(disk->pages, sizeof(*disk->safe)));
    disk->prng = hw_prng_seeded(seed);
    disk->unreadable = UINT64_MAX;
    return disk;
}

void save_disk_free(struct save_disk *disk)
{
    if (disk == NULL)
        return;
    for (uint64_t i = 0; i < disk->pages; i++) {
        free(disk->now[i]);
        free(disk->safe[i]);
    }
    free(disk->now);
    free(disk->safe);
    free(disk->writes);
    free(disk);
}

void save_disk_put(uint8_t **pages, uint64_t page, const uint8_t *data, unsigned sectors)
{
    if (pages[page] == NULL)
        pages[page] = must(calloc(1, SAVE_DISK_PAGE_BYTES));
    for (unsigned i = 0; i < SAVE_DISK_SECTORS; i++)
        if (sectors & 1u << i)
            memcpy(pages[page] + i * 512, data + i * 512, 512);
}

/* Every page of a write is unflushed from when it is submitted. */
static void add_writes(struct save_disk *disk, const struct vmm_save_op *op, uint64_t sequence,
                       unsigned holder)
{
    uint64_t page = op->offset_bytes / SAVE_DISK_PAGE_BYTES;

    for (unsigned i = 0; i < op->iov_count; i++) {
        for (size_t at = 0; at < op->iov[i].iov_len; at += SAVE_DISK_PAGE_BYTES) {
            struct save_disk_write *write;

            if (disk->write_count == disk->write_room) {
                disk->write_room = disk->write_room * 2 + 64;
                disk->writes =
                    must(realloc(disk->writes, disk->write_room * sizeof(*disk->writes)));
            }
            write = &disk->writes[disk->write_count++];
            write->page = page++;
            write->sequence = sequence;
            write->holder = holder;
            write->done = false;
            write->sectors = 0xff;
            memcpy(write->data, (const uint8_t *)op->iov[i].iov_base + at, SAVE_DISK_PAGE_BYTES);
        }
    }
}

static int reject(struct save_disk *disk, unsigned holder, const struct vmm_save_op *op)
{
    if (disk->watch.submitted != NULL)
        disk->watch.submitted(disk->watch.context, holder, op);
    if (disk->watch.answered != NULL)
        disk->watch.answered(disk->watch.context, holder, op, -ENOBUFS);
    return -ENOBUFS;
}

static int submit(void *context, struct vmm_save_op *op)
{
    struct save_disk_user *user = context;
    struct save_disk *disk = user->disk;
    uint64_t bytes = 0;

    for (unsigned i = 0; i < op->iov_count; i++) {
        bytes += op->iov[i].iov_len;
        if (op->iov[i].iov_len % SAVE_DISK_PAGE_BYTES != 0)
            abort();
    }
    if (disk->request_count == SAVE_DISK_REQUESTS || op->offset_bytes % SAVE_DISK_PAGE_BYTES != 0 ||
        op->offset_bytes / SAVE_DISK_PAGE_BYTES + bytes / SAVE_DISK_PAGE_BYTES > disk->pages)
        abort();
    disk->sequence++;
    disk->ops++;
    if (disk->restart_op == disk->ops)
        save_disk_restart(disk);
    if (disk->reject_op == disk->ops)
        return reject(disk, user->holder, op);
    if (op->io == VMM_SAVE_WRITE && user->holder == disk->holder && disk->fail_op != disk->ops)
        add_writes(disk, op, disk->sequence, user->holder);
    if (disk->watch.submitted != NULL)
        disk->watch.submitted(disk->watch.context, user->holder, op);
    disk->requests[disk->request_count++] =
        (struct save_disk_request) { .op = op, .sequence = disk->sequence, .holder = user->holder };
    if (disk->lose_op == disk->ops)
        disk->requests[disk->request_count - 1].sequence |= UINT64_C(1) << 63;
    if (disk->fail_op == disk->ops)
        disk->requests[disk->request_count - 1].sequence = 0;
    return 0;
}

static uint64_t restarts(void *context)
{
    const struct save_disk_user *user = context;

    return user->disk->restarts;
}

struct vmm_save_queue save_disk_queue(struct save_disk_user *user)
{
    return (struct vmm_save_queue) {
        .submit = submit, .restarts = restarts, .context = user, .depth = 4, .iov_max = 64
    };
}

static int read_pages(const struct save_disk *disk, const struct vmm_save_op *op)
{
    uint64_t page = op->offset_bytes / SAVE_DISK_PAGE_BYTES;

    for (unsigned i = 0; i < op->iov_count; i++)
        for (size_t at = 0; at < op->iov[i].iov_len; at += SAVE_DISK_PAGE_BYTES, page++) {
            if (page == disk->unreadable)
                return -EIO;
            save_disk_peek(disk, page * SAVE_DISK_PAGE_BYTES, (uint8_t *)op->iov[i].iov_base + at,
                           SAVE_DISK_PAGE_BYTES);
        }
    return 0;
}

/* Memory that changed since the write was submitted: each sector as it was, or as it is. */
static void take_late(struct save_disk *disk, struct save_disk_write *write,
                      const struct vmm_save_op *op)
{
    uint64_t at = write->page * SAVE_DISK_PAGE_BYTES - op->offset_bytes;

    for (unsigned i = 0; i < op->iov_count; i++) {
        const uint8_t *memory = op->iov[i].iov_base;

        if (at >= op->iov[i].iov_len) {
            at -= op->iov[i].iov_len;
            continue;
        }
        for (unsigned sector = 0; sector < SAVE_DISK_SECTORS; sector++)
            if (hw_prng_chance(&disk->prng, 1, 2))
                memcpy(write->data + sector * 512, memory + at + sector * 512, 512);
        return;
    }
}

static void write_pages(struct save_disk *disk, const struct save_disk_request *request,
                        uint64_t sequence)
{
    for (unsigned i = 0; i < disk->write_count; i++) {
        struct save_disk_write *write = &disk->writes[i];

        if (write->sequence != sequence)
            continue;
        if (disk->wild)
            take_late(disk, write, request->op);
        save_disk_put(disk->now, write->page, write->data, 0xff);
        write->done = true;
        /* a cache answers out of order: what counts for a flush is when it was answered */
        write->sequence = disk->sequence + 1;
        disk->bytes_written += SAVE_DISK_PAGE_BYTES;
    }
    disk->sequence++;
    disk->writes_done++;
}

/* What was answered before the flush was submitted is safe; the rest may be or not. */
static void flush(struct save_disk *disk, uint64_t sequence)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < disk->write_count; i++) {
        if (disk->writes[i].done && disk->writes[i].sequence < sequence)
            save_disk_put(disk->safe, disk->writes[i].page, disk->writes[i].data,
                          disk->writes[i].sectors);
        else if (kept++ != i)
            disk->writes[kept - 1] = disk->writes[i];
    }
    disk->write_count = kept;
    disk->flushes_done++;
}

static int carry_out(struct save_disk *disk, const struct save_disk_request *request)
{
    uint64_t sequence = request->sequence & ~(UINT64_C(1) << 63);

    if (request->holder != disk->holder)
        return -EBADE;
    if (request->sequence == 0)
        return -EIO;
    if (disk->down) {
        if (disk->wild)
            save_disk_land_in_part(disk, sequence);
        return -EIO;
    }
    switch (request->op->io) {
    case VMM_SAVE_READ:
        return read_pages(disk, request->op);
    case VMM_SAVE_WRITE:
        write_pages(disk, request, sequence);
        break;
    case VMM_SAVE_FLUSH:
        flush(disk, sequence);
        break;
    }
    return request->sequence >> 63 != 0 ? -EIO : 0;
}

static void answer(struct save_disk *disk, unsigned at)
{
    struct save_disk_request request = disk->requests[at];
    int rc;

    disk->request_count--;
    memmove(&disk->requests[at], &disk->requests[at + 1],
            (disk->request_count - at) * sizeof(disk->requests[0]));
    rc = request.ended ? request.rc : carry_out(disk, &request);
    if (disk->watch.answered != NULL)
        disk->watch.answered(disk->watch.context, request.holder, request.op, rc);
    request.op->done(request.op, rc);
}

void save_disk_give(struct save_disk *disk, unsigned holder, save_disk_keeps *keeps, void *context)
{
    if (disk->holder == holder)
        return;
    for (unsigned i = 0; i < disk->request_count; i++) {
        struct save_disk_request *request = &disk->requests[i];

        if (request->ended)
            continue;
        request->rc = -EBADE;
        if (disk->wild && hw_prng_chance(&disk->prng, 1, 2)) /* just in time */
            request->rc = carry_out(disk, request);
        request->ended = true;
    }
    save_disk_barrier(disk, keeps, context);
    disk->holder = holder;
}

bool save_disk_step(struct save_disk *disk)
{
    if (disk->request_count == 0)
        return false;
    answer(disk, disk->in_order ? 0 : (unsigned)hw_prng_below(&disk->prng, disk->request_count));
    return true;
}

bool save_disk_step_of(struct save_disk *disk, unsigned holder)
{
    unsigned mine[SAVE_DISK_REQUESTS], count = 0;

    for (unsigned i = 0; i < disk->request_count; i++)
        if (disk->requests[i].holder == holder)
            mine[count++] = i;
    if (count == 0)
        return false;
    answer(disk, mine[disk->in_order ? 0 : hw_prng_below(&disk->prng, count)]);
    return true;
}

void save_disk_forget(struct save_disk *disk, unsigned holder)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < disk->request_count; i++)
        if (disk->requests[i].holder != holder)
            disk->requests[kept++] = disk->requests[i];
    disk->request_count = kept;
}

void save_disk_peek(const struct save_disk *disk, uint64_t offset_bytes, void *ret_bytes,
                    uint64_t bytes)
{
    for (uint64_t at = 0; at < bytes;) {
        uint64_t page = (offset_bytes + at) / SAVE_DISK_PAGE_BYTES;
        uint64_t from = (offset_bytes + at) % SAVE_DISK_PAGE_BYTES;
        uint64_t part = SAVE_DISK_PAGE_BYTES - from;

        if (part > bytes - at)
            part = bytes - at;
        if (disk->now[page] != NULL)
            memcpy((uint8_t *)ret_bytes + at, disk->now[page] + from, part);
        else
            memset((uint8_t *)ret_bytes + at, 0, part);
        at += part;
    }
}

unsigned save_disk_unflushed(const struct save_disk *disk)
{
    return disk->write_count;
}
