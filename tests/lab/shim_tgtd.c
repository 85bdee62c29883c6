/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into the lab's SCSI target: delays chosen writes between their acceptance by the target
 * and the disk, which is where a fenced node's writes hide on a slow disk. What is delayed is
 * decided by the stamp in the buffer and by the policy in the shared page (shim_control.h), read
 * again at each write. It never changes, drops or reorders bytes itself. Without the page it does
 * nothing. Delays are a function of seed and stamp, so a seed replays them.
 */
/* config.h is left out: both names of each call are defined here, so neither may be an alias of the
 * other */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "shim_control.h"
#include "stamp.h"

#define LOAD(field)       __atomic_load_n(&(field), __ATOMIC_SEQ_CST)
#define STORE(field, v)   __atomic_store_n(&(field), (v), __ATOMIC_SEQ_CST)
#define ADD(field, delta) __atomic_fetch_add(&(field), (delta), __ATOMIC_SEQ_CST)

/* The calls of the C library that we stand in front of, under both of its names for each. */
struct shim {
    struct lab_shim_control *control; /* NULL: no policy */
    ssize_t (*write_one)(int, const void *, size_t, off64_t);
    ssize_t (*write_vec)(int, const struct iovec *, int, off64_t);
    ssize_t (*read_one)(int, void *, size_t, off64_t);
    int (*punch)(int, int, off64_t, off64_t);
    int (*sync)(int);
    int (*sync_data)(int);
};

/* A preloaded library has no main to own its state: this is the one place that does. Set up before
 * main, constant after. */
static struct shim shim;

static void *next_call(const char *name)
{
    void *call = dlsym(RTLD_NEXT, name);
    if (call == NULL)
        abort();
    return call;
}

__attribute__((constructor)) static void shim_start(void)
{
    const char *path = getenv(LAB_SHIM_ENV);
    void *page;
    int fd;

    *(void **)&shim.write_one = next_call("pwrite64");
    *(void **)&shim.write_vec = next_call("pwritev64");
    *(void **)&shim.read_one = next_call("pread64");
    *(void **)&shim.punch = next_call("fallocate64");
    *(void **)&shim.sync = next_call("fsync");
    *(void **)&shim.sync_data = next_call("fdatasync");
    if (path == NULL)
        return;
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    page = mmap(NULL, sizeof(*shim.control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED)
        return;
    shim.control = page;
    if (LOAD(shim.control->magic) != LAB_SHIM_MAGIC)
        shim.control = NULL;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_us(uint64_t us)
{
    struct timespec left = { .tv_sec = (time_t)(us / 1000000u),
                             .tv_nsec = (long)(us % 1000000u) * 1000 };
    while (nanosleep(&left, &left) != 0)
        ;
}

/* Takes one of the places for stuck writes; false when all are taken. */
static bool catch_stuck(struct lab_shim_control *control)
{
    uint64_t left = LOAD(control->stuck_left);
    while (left > 0) {
        if (__atomic_compare_exchange_n(&control->stuck_left, &left, left - 1, false,
                                        __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return true;
    }
    return false;
}

/* `released` is the count read before the place was taken: a release in between counts. */
static void stay_stuck(struct lab_shim_control *control, uint64_t released)
{
    ADD(control->stuck_now, 1);
    while (LOAD(control->released) == released)
        sleep_us(1000);
    ADD(control->stuck_now, (uint64_t)-1);
}

static void delay_chosen(struct lab_shim_control *control, uint64_t number)
{
    uint64_t dice = lab_mix(LOAD(control->seed) ^ lab_mix(number));
    uint64_t delay_us = LOAD(control->delay_us);
    uint64_t released = LOAD(control->released);

    if (dice % 1000u >= LOAD(control->permille))
        return;
    switch (LOAD(control->mode)) {
    case LAB_SHIM_RANDOM:
        ADD(control->delayed, 1);
        sleep_us((dice >> 16) % (delay_us + 1));
        break;
    case LAB_SHIM_FIXED:
        ADD(control->delayed, 1);
        sleep_us(delay_us);
        break;
    case LAB_SHIM_STUCK:
        if (catch_stuck(control)) {
            ADD(control->delayed, 1);
            stay_stuck(control, released);
        }
        break;
    default:
        break;
    }
}

/* Called before a write of `length` bytes that begin at `bytes`; true when it is the victim's. */
static bool before_write(const void *bytes, size_t length, off64_t at)
{
    struct lab_shim_control *control = shim.control;
    struct lab_stamp stamp = { .node = 0 };
    bool stamped = length >= LAB_STAMP_BYTES && lab_stamp_peek(bytes, &stamp);
    uint64_t node = LOAD(control->node);

    if (!stamped)
        ADD(control->unstamped, 1);
    if (node != LAB_SHIM_ANY_NODE && (!stamped || stamp.node != node))
        return false;
    ADD(control->waiting, 1);
    uint64_t arrival = ADD(control->seen, 1);
    STORE(control->last_kind, stamped ? stamp.kind : 0);
    /* WRITE SAME arrives as one write for each block: one command is delayed once */
    if (!stamped || (uint64_t)at == stamp.lba * LAB_STAMP_BYTES)
        delay_chosen(control, stamped ? stamp.number : arrival);
    return true;
}

static void after_write(void)
{
    STORE(shim.control->last_land_ns, now_ns());
    ADD(shim.control->landed, 1);
    ADD(shim.control->waiting, (uint64_t)-1);
}

static ssize_t shim_pwrite(int fd, const void *bytes, size_t length, off64_t at)
{
    bool victim = shim.control != NULL && before_write(bytes, length, at);
    ssize_t done = shim.write_one(fd, bytes, length, at);
    if (victim)
        after_write();
    return done;
}

static ssize_t shim_pwritev(int fd, const struct iovec *parts, int count, off64_t at)
{
    bool victim =
        shim.control != NULL && count > 0 && before_write(parts[0].iov_base, parts[0].iov_len, at);
    ssize_t done = shim.write_vec(fd, parts, count, at);
    if (victim)
        after_write();
    return done;
}

/* An error of the medium. */
static ssize_t shim_pread(int fd, void *bytes, size_t length, off64_t at)
{
    if (shim.control != NULL && (uint64_t)at < LOAD(shim.control->read_fails_below)) {
        errno = EIO;
        return -1;
    }
    return shim.read_one(fd, bytes, length, at);
}

/* UNMAP arrives as a deallocation without a stamp: it is delayed like the victim's writes. */
static int shim_fallocate(int fd, int mode, off64_t at, off64_t length)
{
    int rc;

    if (shim.control != NULL && (mode & FALLOC_FL_PUNCH_HOLE) != 0) {
        ADD(shim.control->waiting, 1);
        delay_chosen(shim.control, ADD(shim.control->punched, 1));
    }
    rc = shim.punch(fd, mode, at, length);
    if (shim.control != NULL && (mode & FALLOC_FL_PUNCH_HOLE) != 0) {
        STORE(shim.control->last_land_ns, now_ns());
        ADD(shim.control->waiting, (uint64_t)-1);
    }
    return rc;
}

static int shim_sync(int fd, int (*call)(int))
{
    if (shim.control != NULL && LOAD(shim.control->sync_fails) != 0) {
        errno = EIO;
        return -1;
    }
    return call(fd);
}

/* The exported names; the C library's headers declare them with attributes that a definition may
 * not repeat. */
#define EXPORT __attribute__((visibility("default")))
EXPORT ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at)
{
    return shim_pwrite(fd, bytes, length, at);
}

EXPORT ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at)
{
    return shim_pwrite(fd, bytes, length, at);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    return shim_pwritev(fd, parts, count, at);
}

EXPORT ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
    return shim_pwritev(fd, parts, count, at);
}

EXPORT ssize_t pread(int fd, void *bytes, size_t length, off_t at)
{
    return shim_pread(fd, bytes, length, at);
}

EXPORT ssize_t pread64(int fd, void *bytes, size_t length, off64_t at)
{
    return shim_pread(fd, bytes, length, at);
}

EXPORT int fsync(int fd)
{
    return shim_sync(fd, shim.sync);
}

EXPORT int fdatasync(int fd)
{
    return shim_sync(fd, shim.sync_data);
}

EXPORT int fallocate(int fd, int mode, off_t at, off_t length)
{
    return shim_fallocate(fd, mode, at, length);
}

EXPORT int fallocate64(int fd, int mode, off64_t at, off64_t length)
{
    return shim_fallocate(fd, mode, at, length);
}
