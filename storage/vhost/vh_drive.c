/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small driver: its memory, and the server that comes and goes. Its ring is in vh_drive_ring.c.
 */
#include "config.h"

#include "storage/vhost/vh_drive_priv.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum { REGION_ALIGN = 2 * 1024 * 1024 };

#define DRIVE_FEATURES                                                                     \
    (VH_F_VERSION_1 | VH_F_EVENT_IDX | VH_F_INDIRECT_DESC | VH_BLK_F_FLUSH | VH_BLK_F_MQ | \
     VH_BLK_F_BLK_SIZE | VH_BLK_F_SEG_MAX | VH_BLK_F_RO | VH_BLK_F_DISCARD |               \
     VH_BLK_F_WRITE_ZEROES)

uint64_t vh_drive_guest_addr(const struct vh_drive *drive, const void *pointer)
{
    const uint64_t at = (uint64_t)(uintptr_t)pointer;

    for (unsigned i = 0; i < drive->setup.region_count; i++) {
        const struct vh_region *region = &drive->setup.regions[i];

        if (at - region->user_addr < region->bytes)
            return region->guest_addr + (at - region->user_addr);
    }
    return 0;
}

/* --- making --- */

static void close_own(struct own *own, uint64_t bytes)
{
    if (own->memory != NULL)
        (void)munmap(own->memory, (size_t)bytes);
    if (own->memory_fd >= 0)
        (void)close(own->memory_fd);
    if (own->kick_fd >= 0)
        (void)close(own->kick_fd);
    if (own->call_fd >= 0)
        (void)close(own->call_fd);
    *own = NO_OWN;
}

static int open_own(struct own *own, uint64_t bytes)
{
    void *map;

    own->memory_fd = memfd_create("hawser-queue", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (own->memory_fd < 0 || ftruncate(own->memory_fd, (off_t)bytes) < 0 ||
        fcntl(own->memory_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    map = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED, own->memory_fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    own->memory = map;
    own->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    own->call_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return own->kick_fd < 0 || own->call_fd < 0 ? -errno : 0;
}

/* Where the server finds what is ours. */
static void set_up_own(struct vh_drive *drive)
{
    struct vh_front_setup *setup = &drive->setup;
    const uint64_t at = (uint64_t)(uintptr_t)drive->own.memory;

    setup->regions[0] = (struct vh_region) { .guest_addr = DRIVE_OWN_ADDR,
                                             .bytes = drive->memory_bytes,
                                             .user_addr = at };
    setup->region_fds[0] = drive->own.memory_fd;
    setup->queue_count = 1;
    setup->queues[0] = (struct vh_front_queue) { .size = drive->size,
                                                 .desc_addr = at,
                                                 .avail_addr = at + drive->avail_at,
                                                 .used_addr = at + drive->used_at,
                                                 .used_guest_addr = DRIVE_OWN_ADDR + drive->used_at,
                                                 .kick_fd = drive->own.kick_fd,
                                                 .call_fd = drive->own.call_fd };
}

/*
 * Nothing that the last server has of ours is the next one's. If it lives it may answer still, take
 * what it finds in the ring, or swallow a kick: in the old memory it does that to nobody.
 */
static int renew_own(struct vh_drive *drive)
{
    struct own old = drive->own, fresh = NO_OWN;
    int rc = open_own(&fresh, drive->memory_bytes);

    if (rc < 0) {
        close_own(&fresh, drive->memory_bytes);
        return rc;
    }
    drive->callbacks.watch(drive->callbacks.context, old.call_fd, 0);
    drive->callbacks.watch(drive->callbacks.context, fresh.call_fd, POLLIN);
    close_own(&old, drive->memory_bytes);
    drive->own = fresh;
    drive->avail_idx = drive->kicked_idx = drive->used_seen = 0;
    drive->stale = false;
    set_up_own(drive);
    return 0;
}

static void make_setup(struct vh_drive *drive, const struct vh_drive_region *regions,
                       unsigned count)
{
    struct vh_front_setup *setup = &drive->setup;
    uint64_t next = drive_align_up(DRIVE_OWN_ADDR + drive->memory_bytes, REGION_ALIGN);

    setup->region_count = count + 1;
    set_up_own(drive);
    for (unsigned i = 0; i < count; i++) {
        setup->regions[i + 1] =
            (struct vh_region) { .guest_addr = next,
                                 .bytes = regions[i].bytes,
                                 .user_addr = (uint64_t)(uintptr_t)regions[i].address,
                                 .file_offset = regions[i].file_offset };
        setup->region_fds[i + 1] = regions[i].fd;
        next = drive_align_up(next + regions[i].bytes, REGION_ALIGN);
    }
}

static void front_event(void *context, enum vh_front_event event, const char *text);
static void front_watch(void *context, int fd, short events)
{
    struct vh_drive *drive = context;

    drive->callbacks.watch(drive->callbacks.context, fd, events);
}

static int open_timers(struct vh_drive *drive)
{
    drive->more_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (drive->more_fd < 0)
        return -errno;
    drive->retry_fd = vh_retry_new();
    return drive->retry_fd < 0 ? drive->retry_fd : 0;
}

int vh_drive_new(uint16_t queue_size, const struct vh_drive_region *regions, unsigned count,
                 const struct vh_drive_callbacks *callbacks, struct vh_drive **ret_drive)
{
    struct vh_drive *drive;
    int rc;

    if (count > VH_DRIVE_REGIONS || queue_size == 0 || queue_size > VH_QUEUE_SIZE_MAX ||
        (queue_size & (queue_size - 1)) != 0)
        return -EINVAL;
    drive = calloc(1, sizeof(*drive));
    if (drive == NULL)
        return -ENOMEM;
    drive->callbacks = *callbacks;
    drive->size = queue_size;
    drive->own = NO_OWN;
    drive->more_fd = drive->retry_fd = -1;
    drive_place(drive);
    drive->ops = calloc(queue_size, sizeof(struct vh_drive_op *));
    rc = drive->ops == NULL ? -ENOMEM : open_own(&drive->own, drive->memory_bytes);
    if (rc == 0)
        rc = open_timers(drive);
    if (rc == 0 && callbacks->events == NULL)
        rc = vh_events_new(&drive->own_events);
    drive->events = callbacks->events != NULL ? callbacks->events : drive->own_events;
    if (rc == 0) {
        const struct vh_front_callbacks front = { .event = front_event,
                                                  .watch = front_watch,
                                                  .context = drive };

        make_setup(drive, regions, count);
        rc = vh_front_new(&front, &drive->front);
    }
    if (rc < 0) {
        vh_drive_free(drive);
        return rc;
    }
    callbacks->watch(callbacks->context, drive->own.call_fd, POLLIN);
    callbacks->watch(callbacks->context, drive->more_fd, POLLIN);
    *ret_drive = drive;
    return 0;
}

void vh_drive_free(struct vh_drive *drive)
{
    if (drive == NULL)
        return;
    if (drive->front != NULL) {
        drive->callbacks.watch(drive->callbacks.context, drive->own.call_fd, 0);
        drive->callbacks.watch(drive->callbacks.context, drive->more_fd, 0);
    }
    if (drive->retrying)
        drive->callbacks.watch(drive->callbacks.context, drive->retry_fd, 0);
    vh_front_free(drive->front);
    close_own(&drive->own, drive->memory_bytes);
    if (drive->more_fd >= 0)
        (void)close(drive->more_fd);
    if (drive->retry_fd >= 0)
        (void)close(drive->retry_fd);
    vh_events_free(drive->own_events);
    free(drive->ops);
    free(drive);
}

/* It moved its index for what was no answer: by the indices fewer are out than there are. No next
 * one would be asked for the rest, unless a record has them. */
static bool was_lied_to(const struct vh_drive *drive)
{
    return drive->in_flight != (uint16_t)(drive->avail_idx - drive->used_seen) &&
           !vh_front_has_record(drive->front);
}

/*
 * The back end is gone: what it answered last is taken. Without a record nothing that it has of
 * ours is the next one's, even if all is answered; but what was put there behind an end that was no
 * event goes on.
 */
static void lose(struct vh_drive *drive, const char *text)
{
    const bool record = vh_front_has_record(drive->front);

    if (vh_front_unsure(drive->front) || (text != NULL && !record))
        drive->started = false; /* what is new now waits for the next one */
    if (text != NULL)
        drive->callbacks.state(drive->callbacks.context, false, text);
    drive_take_used(drive);
    if (drive->started && !was_lied_to(drive) && (record || drive->in_flight > 0))
        return;
    drive->started = false;
    drive_fail_in_flight(drive);
}

/* --- the front end --- */

/* It cannot be started: no more of it, and the owner is told, who may connect again. */
static void give_up(struct vh_drive *drive, const char *why, int rc)
{
    char text[200];

    (void)snprintf(text, sizeof(text), "%s: %s", why, strerror(-rc));
    vh_front_disconnect(drive->front);
    drive->callbacks.state(drive->callbacks.context, false, text);
}

static void start(struct vh_drive *drive)
{
    int rc = drive->stale ? renew_own(drive) : 0;

    if (rc < 0) {
        give_up(drive, "there is no new memory for the queue", rc);
        return;
    }
    drive->setup.features = vh_front_features(drive->front) & DRIVE_FEATURES;
    drive->started = true; /* it may be running before the call returns */
    rc = vh_front_start(drive->front, &drive->setup);
    drive->started = rc == 0;
    if (rc == -ENOTSUP)
        give_up(drive, "the back end has no queue to give", rc);
    else if (rc < 0)
        give_up(drive, "the back end could not be set up", rc);
}

static void front_event(void *context, enum vh_front_event event, const char *text)
{
    struct vh_drive *drive = context;

    switch (event) {
    case VH_FRONT_KNOWN:
        if (drive->started)
            lose(drive, NULL); /* it was told to disconnect, which is no event */
        if (!drive->started)
            start(drive);
        break;
    case VH_FRONT_RUNNING:
        /* a back end that came back looks at the ring by itself; one more kick does no harm */
        drive_wake_server(drive);
        drive_put_waiting(drive);
        drive_take_used(drive);
        drive->callbacks.state(drive->callbacks.context, true, "");
        break;
    case VH_FRONT_LOST:
        lose(drive, text);
        break;
    case VH_FRONT_STOPPED:
    case VH_FRONT_LOGGING:
        break;
    }
}

int vh_drive_connect(struct vh_drive *drive, const char *path)
{
    return vh_front_connect(drive->front, path);
}

void vh_drive_service(struct vh_drive *drive, int fd, short revents)
{
    eventfd_t count;

    if (fd == drive->retry_fd) {
        vh_retry_take(fd);
        drive->retrying = false;
        drive->callbacks.watch(drive->callbacks.context, fd, 0);
        drive_wake_server(drive);
        return;
    }
    if (fd != drive->own.call_fd && fd != drive->more_fd) {
        vh_front_service(drive->front, fd, revents);
        return;
    }
    if (fd == drive->own.call_fd)
        (void)vh_event_take(fd);
    else
        (void)eventfd_read(fd, &count);
    drive_take_used(drive);
    if (drive->started)
        drive_put_waiting(drive);
}

struct vh_front *vh_drive_front(struct vh_drive *drive)
{
    return drive->front;
}

uint64_t vh_drive_sectors(const struct vh_drive *drive)
{
    uint64_t sectors;

    memcpy(&sectors, vh_front_config(drive->front), sizeof(sectors));
    return le64toh(sectors);
}

unsigned vh_drive_in_flight(const struct vh_drive *drive)
{
    return drive->in_flight + drive->waiting;
}
