/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lease thread. Its only shared data are the deadline (atomic) and the lease itself, under a
 * mutex that inherits priority and is held for a few instructions. Its stack and its data are one
 * area that stays in memory: a host that swaps must not make a feed late. What is mapped when it
 * starts stays likewise, once touched: its code. What is mapped later, a guest's memory above all,
 * does not.
 */
#include "config.h"

#include "storage/serve/sv_lease.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/hw_clock.h"
#include "common/hw_feed.h"
#include "common/hw_socket.h"

enum {
    FEEDS_A_TURN = 64,
    PRIORITY = 1,
    GUARD_BYTES = 64 * 1024, /* of any page size */
    STACK_BYTES = 256 * 1024,
    DATA_BYTES = 64 * 1024,
    AREA_BYTES = GUARD_BYTES + STACK_BYTES + DATA_BYTES,
};

struct sv_lease {
    _Atomic int64_t until_ns;
    pthread_mutex_t mutex;
    struct hw_lease lease; /* under the mutex */
    int listener, feed_fd, wake_fd, stop_fd;
    bool started;
    pthread_t thread;
    sem_t runs; /* posted when the thread has made its first system calls */
    _Atomic uint64_t taken, refused;
    _Atomic bool connected, real_time;
    bool locked, code_locked;
};

_Static_assert(sizeof(struct sv_lease) <= DATA_BYTES, "the data has its place");

/* Guard, stack, data, in this order: the stack grows towards the guard. NULL: no memory. */
static struct sv_lease *map_area(void)
{
    uint8_t *area =
        mmap(NULL, AREA_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

    if (area == MAP_FAILED)
        return NULL;
    if (mprotect(area + GUARD_BYTES, AREA_BYTES - GUARD_BYTES, PROT_READ | PROT_WRITE) < 0) {
        (void)munmap(area, AREA_BYTES);
        return NULL;
    }
    return (struct sv_lease *)(void *)(area + GUARD_BYTES + STACK_BYTES);
}

static uint8_t *stack_of(const struct sv_lease *lease)
{
    return (uint8_t *)(uintptr_t)lease - STACK_BYTES;
}

static void unmap_area(struct sv_lease *lease)
{
    (void)munmap(stack_of(lease) - GUARD_BYTES, AREA_BYTES);
}

/* Without the right it goes on, and tells. mlock2(2) makes all of it present, too. */
static void lock_memory(struct sv_lease *lease)
{
    lease->locked = mlock2(stack_of(lease), STACK_BYTES + DATA_BYTES, 0) == 0;
    lease->code_locked = mlockall(MCL_CURRENT | MCL_ONFAULT) == 0;
}

static int make_mutex(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    int rc = pthread_mutexattr_init(&attributes);

    if (rc != 0)
        return -rc;
    rc = pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    if (rc == 0)
        rc = pthread_mutex_init(mutex, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    return -rc;
}

int sv_lease_new(uint32_t length_ms, int listener, int feed_fd, int wake_fd,
                 struct sv_lease **ret_lease)
{
    struct sv_lease *lease = map_area();
    int rc;

    if (lease == NULL)
        return -ENOMEM;
    rc = make_mutex(&lease->mutex);
    if (rc < 0) {
        unmap_area(lease);
        return rc;
    }
    lease->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (lease->stop_fd < 0) {
        rc = -errno;
        (void)pthread_mutex_destroy(&lease->mutex);
        unmap_area(lease);
        return rc;
    }
    (void)sem_init(&lease->runs, 0, 0);
    lease->lease = hw_lease_new(0, (int64_t)length_ms * 1000000);
    lease->listener = listener;
    lease->feed_fd = feed_fd;
    lease->connected = feed_fd >= 0;
    lease->wake_fd = wake_fd;
    *ret_lease = lease;
    return 0;
}

void sv_lease_raise_limits(void)
{
    const struct rlimit priority = { PRIORITY, PRIORITY };
    const struct rlimit memory = { RLIM_INFINITY, RLIM_INFINITY };

    (void)setrlimit(RLIMIT_RTPRIO, &priority); /* without the right: normal priority, told */
    (void)setrlimit(RLIMIT_MEMLOCK, &memory);  /* without the right: the limit that is, told */
}

/* One packet that came: the deadline moves, or it counts as refused. */
static void take(struct sv_lease *lease, const uint8_t *bytes, size_t size)
{
    int64_t now_ns = hw_clock_now_ns(hw_clock_boottime());
    struct hw_feed feed;
    bool longer = false, was_over;
    int64_t old_ns;

    if (hw_feed_decode(bytes, size, &feed) == 0) {
        (void)pthread_mutex_lock(&lease->mutex);
        longer = hw_lease_take(&lease->lease, &feed, now_ns);
        old_ns = lease->until_ns;
        if (longer)
            lease->until_ns = hw_lease_until_ns(&lease->lease);
        /* Asked after the store: whoever found the old deadline over did so before, and this
         * thread may have been stopped since `now_ns`. */
        was_over = hw_clock_now_ns(hw_clock_boottime()) >= old_ns;
        (void)pthread_mutex_unlock(&lease->mutex);
        if (longer && was_over)
            (void)eventfd_write(lease->wake_fd, 1);
    }
    if (longer)
        lease->taken++;
    else
        lease->refused++;
}

static void drop_feeder(struct sv_lease *lease)
{
    if (lease->feed_fd >= 0)
        (void)close(lease->feed_fd);
    lease->feed_fd = -1;
    lease->connected = false;
}

static void read_feeds(struct sv_lease *lease)
{
    for (unsigned i = 0; i < FEEDS_A_TURN; i++) {
        uint8_t bytes[HW_FEED_BYTES + 1];
        ssize_t got = recv(lease->feed_fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) {
            drop_feeder(lease);
            return;
        }
        take(lease, bytes, (size_t)got);
    }
}

static void accept_feeder(struct sv_lease *lease)
{
    int fd;

    if (hw_socket_accept(lease->listener, &fd) < 0)
        return;
    drop_feeder(lease); /* its successor: a clusterd that was started again */
    lease->feed_fd = fd;
    lease->connected = true;
}

static void *run(void *context)
{
    struct sv_lease *lease = context;
    const struct sched_param priority = { .sched_priority = PRIORITY };

    lease->real_time = sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) == 0;
    (void)sem_post(&lease->runs);
    for (;;) {
        struct pollfd fds[] = { { .fd = lease->stop_fd, .events = POLLIN },
                                { .fd = lease->listener, .events = POLLIN },
                                { .fd = lease->feed_fd, .events = POLLIN } };

        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            return NULL;
        if (fds[0].revents != 0)
            return NULL;
        if (fds[2].revents != 0)
            read_feeds(lease);
        if (fds[1].revents != 0)
            accept_feeder(lease);
    }
}

static int start_thread(struct sv_lease *lease)
{
    pthread_attr_t attributes;
    int rc = pthread_attr_init(&attributes);

    if (rc != 0)
        return -rc;
    rc = pthread_attr_setstack(&attributes, stack_of(lease), STACK_BYTES);
    if (rc == 0)
        rc = pthread_create(&lease->thread, &attributes, run, lease);
    (void)pthread_attr_destroy(&attributes);
    return -rc;
}

int sv_lease_start(struct sv_lease *lease)
{
    int rc;

    lock_memory(lease);
    rc = start_thread(lease);
    if (rc < 0)
        return rc;
    lease->started = true;
    /* what a new thread calls (rseq, scheduling) is on no list of the sandbox */
    while (sem_wait(&lease->runs) < 0 && errno == EINTR)
        continue;
    return 0;
}

void sv_lease_free(struct sv_lease *lease)
{
    if (lease == NULL)
        return;
    if (lease->started) {
        (void)eventfd_write(lease->stop_fd, 1);
        (void)pthread_join(lease->thread, NULL);
    }
    drop_feeder(lease);
    if (lease->listener >= 0)
        (void)close(lease->listener);
    (void)close(lease->stop_fd);
    (void)sem_destroy(&lease->runs);
    (void)pthread_mutex_destroy(&lease->mutex);
    unmap_area(lease);
}

void sv_lease_set_generation(struct sv_lease *lease, uint64_t generation)
{
    (void)pthread_mutex_lock(&lease->mutex);
    lease->lease = hw_lease_new(generation, lease->lease.length_ns);
    lease->until_ns = 0;
    (void)pthread_mutex_unlock(&lease->mutex);
}

const _Atomic int64_t *sv_lease_until_ns(const struct sv_lease *lease)
{
    return &lease->until_ns;
}

struct sv_lease_stats sv_lease_stats(const struct sv_lease *lease)
{
    return (struct sv_lease_stats) { .taken = lease->taken,
                                     .refused = lease->refused,
                                     .connected = lease->connected,
                                     .real_time = lease->real_time,
                                     .locked = lease->locked,
                                     .code_locked = lease->code_locked };
}
