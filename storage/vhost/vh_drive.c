/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small driver: each request is one descriptor that names an indirect table in the slot of its
 * own. What the back end writes (the used ring) is judged before it is used.
 * (over 400: its ring and its making share every field).
 */
#include "config.h"

#include "storage/vhost/vh_drive.h"

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

#define DRIVE_FEATURES                                                                     \
    (VH_F_VERSION_1 | VH_F_EVENT_IDX | VH_F_INDIRECT_DESC | VH_BLK_F_FLUSH | VH_BLK_F_MQ | \
     VH_BLK_F_BLK_SIZE | VH_BLK_F_SEG_MAX | VH_BLK_F_RO | VH_BLK_F_DISCARD |               \
     VH_BLK_F_WRITE_ZEROES)

enum {
    PIECES = VH_BLK_SEG_MAX,
    OWN_ADDR = 0x1000, /* guest address of the driver's own region */
    ALIGN = 2 * 1024 * 1024,
};

/* In the driver's own memory, one for each entry of the queue. */
struct slot {
    struct vh_desc table[PIECES + 2];
    uint8_t header[VH_BLK_HEADER_BYTES];
    uint8_t segment[VH_BLK_SEGMENT_BYTES];
    uint8_t status;
    uint8_t padding[63];
};

/* What a server gets of ours: the memory of the rings and slots, and who wakes whom. */
struct own {
    int memory_fd, kick_fd, call_fd;
    uint8_t *memory; /* NULL: not there */
};

#define NO_OWN ((struct own) { .memory_fd = -1, .kick_fd = -1, .call_fd = -1 })

struct vh_drive {
    struct vh_drive_callbacks callbacks;
    struct vh_front *front;
    struct vh_events *events, *own_events; /* NULL: not ours */
    struct vh_front_setup setup;
    bool started; /* the set-up was handed over once */
    uint16_t size;
    struct own own;
    bool stale;   /* a server that may live answers into `own`: nothing there is believed */
    int more_fd;  /* an eventfd of ours alone: more was answered than one turn takes */
    int retry_fd; /* a timer: the kick is to be sent again; watched while `retrying` */
    bool retrying;
    uint64_t memory_bytes, avail_at, used_at, slots_at;
    uint16_t avail_idx, kicked_idx, used_seen;
    struct vh_drive_op **ops;         /* by slot; NULL: free */
    unsigned in_flight;               /* in the ring */
    struct vh_drive_op *first, *last; /* waiting for a slot */
    unsigned waiting;
};

static struct slot *slot_of(struct vh_drive *drive, unsigned i)
{
    return (struct slot *)(void *)(drive->own.memory + drive->slots_at) + i;
}

static uint64_t own_addr(const struct vh_drive *drive, const void *pointer)
{
    return OWN_ADDR + (uint64_t)((const uint8_t *)pointer - drive->own.memory);
}

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

static uint64_t align_up(uint64_t value, uint64_t align)
{
    return (value + align - 1) / align * align;
}

static void place(struct vh_drive *drive)
{
    const uint64_t size = drive->size;

    drive->avail_at = size * sizeof(struct vh_desc);
    drive->used_at = align_up(drive->avail_at + 6 + 2 * size, 64);
    drive->slots_at = align_up(drive->used_at + 6 + 8 * size, 64);
    drive->memory_bytes = align_up(drive->slots_at + size * sizeof(struct slot), 4096);
}

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

    setup->regions[0] = (struct vh_region) { .guest_addr = OWN_ADDR,
                                             .bytes = drive->memory_bytes,
                                             .user_addr = at };
    setup->region_fds[0] = drive->own.memory_fd;
    setup->queue_count = 1;
    setup->queues[0] = (struct vh_front_queue) { .size = drive->size,
                                                 .desc_addr = at,
                                                 .avail_addr = at + drive->avail_at,
                                                 .used_addr = at + drive->used_at,
                                                 .used_guest_addr = OWN_ADDR + drive->used_at,
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
    uint64_t next = align_up(OWN_ADDR + drive->memory_bytes, ALIGN);

    setup->region_count = count + 1;
    set_up_own(drive);
    for (unsigned i = 0; i < count; i++) {
        setup->regions[i + 1] =
            (struct vh_region) { .guest_addr = next,
                                 .bytes = regions[i].bytes,
                                 .user_addr = (uint64_t)(uintptr_t)regions[i].address,
                                 .file_offset = regions[i].file_offset };
        setup->region_fds[i + 1] = regions[i].fd;
        next = align_up(next + regions[i].bytes, ALIGN);
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
    place(drive);
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

/* --- the ring --- */

static uint16_t load16(const void *at)
{
    return __atomic_load_n((const uint16_t *)at, __ATOMIC_ACQUIRE);
}

static void store16(void *at, uint16_t value)
{
    __atomic_store_n((uint16_t *)at, value, __ATOMIC_RELEASE);
}

/* The kick itself. One that the kernel does not take is sent again by the timer. */
static void wake_server(struct vh_drive *drive)
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
        wake_server(drive);
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

static void put_waiting(struct vh_drive *drive)
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
static void take_used(struct vh_drive *drive)
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

/* Nobody knows which of the requests in the ring were done: they fail. Whoever answers them late
 * does so where nobody looks, and the next one gets a ring of its own: renew_own(). */
static void fail_in_flight(struct vh_drive *drive)
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
    take_used(drive);
    if (drive->started && !was_lied_to(drive) && (record || drive->in_flight > 0))
        return;
    drive->started = false;
    fail_in_flight(drive);
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
        wake_server(drive);
        put_waiting(drive);
        take_used(drive);
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
        wake_server(drive);
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
    take_used(drive);
    if (drive->started)
        put_waiting(drive);
}

static int judge(const struct vh_drive *drive, const struct vh_drive_op *op)
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
    int rc = judge(drive, op);

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
        put_waiting(drive);
    return 0;
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
