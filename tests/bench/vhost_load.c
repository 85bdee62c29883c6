/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Load on a vhost-user-blk disk, by hawser's own front end, for a time:
 *   vhost_load --socket PATH --pid N [--mode read|write] [--order sequential|random] [--bytes N]
 *              [--depth N] [--seconds N] [--first SECTOR] [--sectors N]
 * Prints "OPERATIONS-PER-SECOND BYTES-PER-SECOND MICROSECONDS": the last is the CPU time, in user
 * and kernel, that the server (process N) took for each operation. Counting begins after a tenth of
 * a second of load. Writes destroy what is on the disk, from sector `first` on.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "common/hw_prng.h"
#include "storage/vhost/vh_drive.h"
#include "tests/unit/watch_loop.h"

enum { DEPTH_MAX = 128, BYTES_MAX = 1 << 20, NS_PER_S = 1000000000, WARM_NS = NS_PER_S / 10 };

struct load {
    struct watch_loop loop;
    const char *socket;
    uint64_t pid, bytes, depth, seconds, first, sectors;
    enum vh_blk_type type;
    bool random;

    struct vh_drive *drive;
    uint8_t *memory;
    bool up, counting, ended;
    uint64_t places, next; /* in units of `bytes` */
    uint64_t moved, failed;
    int64_t start_ns, end_ns, cpu_ns;
    struct hw_prng prng;
    struct vh_drive_op ops[DEPTH_MAX];
    struct iovec iovs[DEPTH_MAX];
};

static int64_t now(void)
{
    return hw_clock_now_ns(hw_clock_boottime());
}

/* What all threads of the server used so far, those that ended too; -1: it is not there. */
static int64_t server_cpu_ns(const struct load *load)
{
    struct timespec used;
    clockid_t clock;

    if (clock_getcpuclockid((pid_t)load->pid, &clock) != 0 || clock_gettime(clock, &used) < 0)
        return -1;
    return (int64_t)used.tv_sec * NS_PER_S + used.tv_nsec;
}

static void submit(struct load *load, struct vh_drive_op *op)
{
    const uint64_t place =
        load->random ? hw_prng_below(&load->prng, load->places) : load->next++ % load->places;

    op->sector = load->first + place * load->bytes / 512;
    if (vh_drive_submit(load->drive, op) < 0)
        load->failed++;
}

/* The clock is asked here, so that the end of the window and the count belong together. */
static void done(struct vh_drive_op *op, enum vh_blk_status status)
{
    struct load *load = op->context;
    const int64_t now_ns = now();

    if (status != VH_BLK_OK) {
        load->failed++;
        return;
    }
    if (load->ended)
        return;
    if (load->counting)
        load->moved++;
    if (!load->counting && now_ns >= load->start_ns) {
        load->counting = true;
        load->start_ns = now_ns;
        load->cpu_ns = server_cpu_ns(load);
    } else if (load->counting && now_ns >= load->start_ns + (int64_t)load->seconds * NS_PER_S) {
        load->ended = true;
        load->end_ns = now_ns;
        load->cpu_ns = server_cpu_ns(load) - load->cpu_ns;
    }
    if (!load->ended)
        submit(load, op);
}

static void ready(void *context, int fd, short revents)
{
    vh_drive_service(((struct load *)context)->drive, fd, revents);
}

static void watch(void *context, int fd, short events)
{
    struct load *load = context;

    watch_loop_set(&load->loop, fd, events, ready, load);
}

static void state(void *context, bool up, const char *text)
{
    struct load *load = context;

    load->up = up;
    if (!up) {
        (void)fprintf(stderr, "vhost_load: %s\n", text);
        load->failed++;
    }
}

static bool is_up(void *context)
{
    return ((struct load *)context)->up;
}

/* It may not be ready to be connected to. */
static bool connect_to(struct load *load)
{
    const int64_t end_ns = now() + (int64_t)20 * NS_PER_S;
    int rc = vh_drive_connect(load->drive, load->socket);

    while (rc == -EAGAIN && now() < end_ns) {
        (void)watch_loop_turn(&load->loop, 1);
        rc = vh_drive_connect(load->drive, load->socket);
    }
    return rc == 0;
}

static bool bring_up(struct load *load)
{
    const struct vh_drive_callbacks callbacks = { .watch = watch, .state = state, .context = load };
    struct vh_drive_region region = { .bytes = load->depth * load->bytes };

    region.fd = memfd_create("vhost_load", MFD_CLOEXEC);
    if (region.fd < 0 || ftruncate(region.fd, (off_t)region.bytes) < 0)
        return false;
    region.address = mmap(NULL, region.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, region.fd, 0);
    if (region.address == MAP_FAILED)
        return false;
    load->memory = region.address;
    memset(load->memory, 'h', region.bytes);
    if (vh_drive_new(DEPTH_MAX, &region, 1, &callbacks, &load->drive) < 0 || !connect_to(load) ||
        !watch_loop_until(&load->loop, is_up, load))
        return false;
    if (load->sectors == 0)
        load->sectors = vh_drive_sectors(load->drive) - load->first;
    load->places = load->sectors * 512 / load->bytes;
    return load->places > 0;
}

static bool run(struct load *load)
{
    int64_t last_ns;

    load->start_ns = now() + WARM_NS;
    last_ns = load->start_ns + (int64_t)(load->seconds + 20) * NS_PER_S;
    for (unsigned i = 0; i < load->depth; i++) {
        load->iovs[i] = (struct iovec) { load->memory + i * load->bytes, load->bytes };
        load->ops[i] = (struct vh_drive_op) {
            .type = load->type, .iov = &load->iovs[i], .iov_count = 1, .done = done, .context = load
        };
        submit(load, &load->ops[i]);
    }
    while (vh_drive_in_flight(load->drive) > 0 && load->failed == 0)
        if (!watch_loop_turn(&load->loop, 1000) && now() > last_ns)
            return false;
    return load->failed == 0 && load->cpu_ns > 0;
}

static bool set_option(struct load *load, const char *name, const char *value)
{
    if (strcmp(name, "--socket") == 0)
        load->socket = value;
    else if (strcmp(name, "--pid") == 0)
        load->pid = strtoull(value, NULL, 10);
    else if (strcmp(name, "--mode") == 0)
        load->type = strcmp(value, "write") == 0 ? VH_BLK_OUT : VH_BLK_IN;
    else if (strcmp(name, "--order") == 0)
        load->random = strcmp(value, "random") == 0;
    else if (strcmp(name, "--bytes") == 0)
        load->bytes = strtoull(value, NULL, 10);
    else if (strcmp(name, "--depth") == 0)
        load->depth = strtoull(value, NULL, 10);
    else if (strcmp(name, "--seconds") == 0)
        load->seconds = strtoull(value, NULL, 10);
    else if (strcmp(name, "--first") == 0)
        load->first = strtoull(value, NULL, 10);
    else if (strcmp(name, "--sectors") == 0)
        load->sectors = strtoull(value, NULL, 10);
    else
        return false;
    return true;
}

static bool is_whole(const struct load *load)
{
    return load->socket != NULL && load->pid > 0 && load->depth > 0 && load->depth <= DEPTH_MAX &&
           load->bytes > 0 && load->bytes <= BYTES_MAX && load->bytes % 512 == 0 &&
           load->seconds > 0;
}

int main(int argc, char **argv)
{
    struct load *load = calloc(1, sizeof(*load));
    bool good;
    int at = 1;

    if (load == NULL)
        return 1;
    load->bytes = 4096;
    load->depth = 32;
    load->seconds = 1;
    load->type = VH_BLK_IN;
    load->prng = hw_prng_seeded(1);
    for (; at + 1 < argc; at += 2)
        if (!set_option(load, argv[at], argv[at + 1]))
            break;
    if (at != argc || !is_whole(load)) {
        (void)fprintf(stderr, "usage: vhost_load --socket PATH --pid N [OPTION VALUE]...\n");
        free(load);
        return 2;
    }
    good = bring_up(load) && run(load);
    if (good) {
        const double seconds = (double)(load->end_ns - load->start_ns) / NS_PER_S;

        printf("%.0f %.0f %.2f\n", (double)load->moved / seconds,
               (double)(load->moved * load->bytes) / seconds,
               (double)load->cpu_ns / 1000 / (double)load->moved);
    } else {
        (void)fprintf(stderr, "vhost_load: no connection, or operations failed or hang\n");
    }
    vh_drive_free(load->drive);
    free(load);
    return good ? 0 : 1;
}
