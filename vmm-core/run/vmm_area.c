/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver of the state queue in the main loop. The target cannot say over vhost-user-blk that it
 * has restarted; a server that notices fails the requests, and one that ends may have ended for
 * that reason, so each loss of it counts.
 */
#include "config.h"

#include "vmm-core/run/vmm_area.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "storage/vhost/vh_drive.h"

enum { SECTOR_BYTES = 512, QUEUE_ENTRIES = 128, OPS = 32, PATH_BYTES = 108 };
#define AGAIN_NS UINT64_C(20000000)

/* A request as both sides have it. */
struct area_op {
    struct vh_drive_op drive;
    struct vmm_save_op *op; /* NULL: free */
};

struct vmm_area {
    qb_loop_t *loop;
    struct vmm_area_callbacks callbacks;
    char path[PATH_BYTES];
    struct vh_drive *drive;
    struct vh_events *events;
    int part_fd;
    uint8_t *part; /* NULL: not mapped */
    uint64_t part_bytes;
    uint64_t bytes, restarts;
    bool up, near;
    bool waits; /* the timer is set */
    qb_loop_timer_handle timer;
    struct area_op ops[OPS];
};

/* --- its connection --- */

static void try_again(struct vmm_area *area);

static void connect_now(void *data)
{
    struct vmm_area *area = data;
    int rc;

    area->waits = false;
    rc = vh_drive_connect(area->drive, area->path);
    area->near = rc == 0 || rc == -EALREADY || rc == -EAGAIN;
    if (rc == 0 || rc == -EALREADY)
        return;
    try_again(area);
    area->callbacks.changed(area->callbacks.context, false,
                            rc == -EAGAIN ? "its server is not ready" : strerror(-rc));
}

static void try_again(struct vmm_area *area)
{
    if (!area->waits)
        area->waits = qb_loop_timer_add(area->loop, QB_LOOP_MED, AGAIN_NS, area, connect_now,
                                        &area->timer) == 0;
}

static void state(void *context, bool up, const char *text)
{
    struct vmm_area *area = context;

    if (area->up && !up)
        area->restarts++;
    area->up = area->near = up;
    if (up && area->bytes == 0)
        area->bytes = vh_drive_sectors(area->drive) * SECTOR_BYTES;
    if (!up)
        try_again(area);
    area->callbacks.changed(area->callbacks.context, up, text);
}

static int32_t ready(int32_t fd, int32_t revents, void *data)
{
    vh_drive_service(((struct vmm_area *)data)->drive, fd, (short)revents);
    return 0;
}

static void watch(void *context, int fd, short events)
{
    struct vmm_area *area = context;

    if (events == 0)
        (void)qb_loop_poll_del(area->loop, fd);
    else if (qb_loop_poll_mod(area->loop, QB_LOOP_MED, fd, events, area, ready) < 0)
        (void)qb_loop_poll_add(area->loop, QB_LOOP_MED, fd, events, area, ready);
}

/* --- making it --- */

static int open_part(struct vmm_area *area)
{
    void *map;

    area->part_fd = memfd_create("hawser-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (area->part_fd < 0 || ftruncate(area->part_fd, (off_t)area->part_bytes) < 0 ||
        fcntl(area->part_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    map = mmap(NULL, area->part_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, area->part_fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    area->part = map;
    return 0;
}

/* Guest memory is one piece here and in its memfd, whatever the gap in the guest. */
static int open_drive(struct vmm_area *area, const struct vmm_memory *memory)
{
    const struct vh_drive_callbacks callbacks = {
        .watch = watch, .state = state, .context = area, .events = area->events
    };
    struct vh_drive_region regions[2] = {
        { .address = area->part, .bytes = area->part_bytes, .fd = area->part_fd }
    };

    if (memory != NULL)
        regions[1] = (struct vh_drive_region) { .address = memory->ranges[0].address,
                                                .bytes = memory->bytes,
                                                .fd = memory->fd };
    return vh_drive_new(QUEUE_ENTRIES, regions, memory != NULL ? 2 : 1, &callbacks, &area->drive);
}

static int make(struct vmm_area *area, const struct vmm_memory *memory, struct hw_error *error)
{
    int rc = vh_events_new(&area->events);

    if (rc < 0)
        return vh_events_error(rc, error);
    rc = open_part(area);
    if (rc == 0)
        rc = open_drive(area, memory);
    if (rc == 0) {
        try_again(area);
        rc = area->waits ? 0 : -ENOMEM;
    }
    return rc < 0 ? hw_error_setf(error, HW_ERROR_FAILED, -rc, "--state", "give this host more",
                                  "its queue cannot be made: %s", strerror(-rc))
                  : 0;
}

int vmm_area_new(qb_loop_t *loop, const char *path, const struct vmm_memory *memory,
                 uint64_t part_bytes, const struct vmm_area_callbacks *callbacks,
                 struct vmm_area **ret_area, struct hw_error *error)
{
    struct vmm_area *area;
    int rc;

    if (path[0] == '\0' || strlen(path) >= PATH_BYTES)
        return hw_error_set(error, HW_ERROR_USAGE, ENAMETOOLONG, "--state",
                            "names no socket of at most 107 bytes", "give vhost:SOCKET");
    area = calloc(1, sizeof(*area));
    if (area == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    area->loop = loop;
    area->callbacks = *callbacks;
    (void)snprintf(area->path, sizeof(area->path), "%s", path);
    area->part_fd = -1;
    area->part_bytes = part_bytes;
    rc = make(area, memory, error);
    if (rc < 0)
        vmm_area_free(area);
    else
        *ret_area = area;
    return rc;
}

void vmm_area_free(struct vmm_area *area)
{
    if (area == NULL)
        return;
    if (area->waits)
        (void)qb_loop_timer_del(area->loop, area->timer);
    vh_drive_free(area->drive);
    vh_events_free(area->events);
    if (area->part != NULL)
        (void)munmap(area->part, area->part_bytes);
    if (area->part_fd >= 0)
        (void)close(area->part_fd);
    free(area);
}

/* --- its queue --- */

static void done(struct vh_drive_op *drive, enum vh_blk_status status)
{
    struct area_op *slot = drive->context;
    struct vmm_save_op *op = slot->op;

    slot->op = NULL;
    op->done(op, status == VH_BLK_OK ? 0 : -EIO);
}

static struct area_op *free_slot(struct vmm_area *area)
{
    for (unsigned i = 0; i < OPS; i++)
        if (area->ops[i].op == NULL)
            return &area->ops[i];
    return NULL;
}

static enum vh_blk_type type_of(enum vmm_save_io io)
{
    switch (io) {
    case VMM_SAVE_READ:
        return VH_BLK_IN;
    case VMM_SAVE_WRITE:
        return VH_BLK_OUT;
    case VMM_SAVE_FLUSH:
        break;
    }
    return VH_BLK_FLUSH;
}

static int submit(void *context, struct vmm_save_op *op)
{
    struct vmm_area *area = context;
    struct area_op *slot = free_slot(area);
    int rc;

    if (slot == NULL)
        return -EAGAIN;
    slot->op = op;
    slot->drive = (struct vh_drive_op) { .type = type_of(op->io),
                                         .sector = op->offset_bytes / SECTOR_BYTES,
                                         .iov = op->iov,
                                         .iov_count = op->iov_count,
                                         .done = done,
                                         .context = slot };
    rc = vh_drive_submit(area->drive, &slot->drive);
    if (rc < 0)
        slot->op = NULL;
    return rc;
}

static uint64_t restarts(void *context)
{
    return ((const struct vmm_area *)context)->restarts;
}

void vmm_area_queue(struct vmm_area *area, struct vmm_save_queue *ret_queue)
{
    *ret_queue = (struct vmm_save_queue) { .submit = submit,
                                           .restarts = restarts,
                                           .context = area,
                                           .depth = VMM_SAVE_DEPTH_MAX,
                                           .iov_max = VMM_SAVE_IOV_MAX };
}

uint8_t *vmm_area_part(struct vmm_area *area)
{
    const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

    if (fallocate(area->part_fd, mode, 0, (off_t)area->part_bytes) < 0)
        memset(area->part, 0, area->part_bytes);
    return area->part;
}

uint64_t vmm_area_bytes(const struct vmm_area *area)
{
    return area->bytes;
}

bool vmm_area_is_near(const struct vmm_area *area)
{
    return area->near;
}

bool vmm_area_is_up(const struct vmm_area *area)
{
    return area->up;
}
