/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making a link: the first connection is waited for, since nothing can be said of the machine
 * before it is known what its disk is. Later a server that comes back has to offer the same.
 */
#include "config.h"

#include "vmm-core/virtio/vmm_vhost_priv.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* What a guest may be offered: what a server does without this process. */
#define GUEST_FEATURES                                                                         \
    (VH_F_VERSION_1 | VH_F_EVENT_IDX | VH_F_INDIRECT_DESC | VH_BLK_F_SEG_MAX | VH_BLK_F_RO |   \
     VH_BLK_F_BLK_SIZE | VH_BLK_F_FLUSH | VH_BLK_F_TOPOLOGY | VH_BLK_F_MQ | VH_BLK_F_DISCARD | \
     VH_BLK_F_WRITE_ZEROES)

/* struct virtio_blk_config (5.2.4) */
enum { CAPACITY = 0, QUEUES = 34, BEHIND_QUEUES = 36 };
enum { TRY_MS = 100, PATIENCE_MS = 1000 };

/* --- what the disk is --- */

static uint64_t capacity_of(const uint8_t *config)
{
    uint64_t sectors;

    memcpy(&sectors, config + CAPACITY, sizeof(sectors));
    return le64toh(sectors);
}

static unsigned queues_of(const struct vmm_vhost *link)
{
    const uint8_t *config = vh_front_config(link->front);
    const unsigned has = vh_front_queues(link->front);
    unsigned queues = config[QUEUES] | (unsigned)config[QUEUES + 1] << 8;

    if ((vh_front_features(link->front) & VH_BLK_F_MQ) == 0)
        queues = 1;
    if (queues > has)
        queues = has;
    return queues < link->most_queues ? queues : link->most_queues;
}

static void take(struct vmm_vhost *link)
{
    link->queues = queues_of(link);
    link->features = vh_front_features(link->front) & GUEST_FEATURES;
    if (link->queues == 1)
        link->features &= ~VH_BLK_F_MQ;
    memcpy(link->config, vh_front_config(link->front), sizeof(link->config));
    link->config[QUEUES] = (uint8_t)link->queues;
    link->config[QUEUES + 1] = 0;
}

/* All but capacity and queues. */
static bool is_same_config(const struct vmm_vhost *link)
{
    const uint8_t *config = vh_front_config(link->front);

    return memcmp(config + 8, link->config + 8, QUEUES - 8) == 0 &&
           memcmp(config + BEHIND_QUEUES, link->config + BEHIND_QUEUES,
                  sizeof(link->config) - BEHIND_QUEUES) == 0;
}

static const char *judge_again(const struct vmm_vhost *link)
{
    const uint64_t features = vh_front_features(link->front);

    if ((link->features & ~features) != 0 || queues_of(link) < link->queues)
        return "its server offers less than the one before";
    if ((features & ~link->features & VH_BLK_F_RO) != 0)
        return "the disk can only be read now";
    if (capacity_of(vh_front_config(link->front)) < capacity_of(link->config))
        return "the disk is smaller than it was";
    return is_same_config(link) ? NULL : "it is another disk, by its configuration";
}

bool link_judge(struct vmm_vhost *link, const char **ret_text, bool *ret_larger)
{
    const char *wrong = link->opened           ? judge_again(link)
                        : queues_of(link) == 0 ? "its server has no queue"
                                               : NULL;

    if (wrong != NULL) {
        *ret_text = wrong;
        return false;
    }
    if (!link->opened) {
        take(link);
        return true;
    }
    *ret_larger = memcmp(link->config, vh_front_config(link->front), 8) != 0;
    memcpy(link->config, vh_front_config(link->front), 8);
    return true;
}

/* --- making it --- */

static int add(const struct vmm_vhost *link, int fd, uint64_t source)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = source };

    return epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_fds(struct vmm_vhost *link)
{
    int rc;

    link->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    link->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    link->poke_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (link->epoll_fd < 0 || link->timer_fd < 0 || link->poke_fd < 0)
        return -errno;
    rc = add(link, link->timer_fd, LINK_TIMER);
    if (rc == 0)
        rc = add(link, link->poke_fd, LINK_POKE);
    for (unsigned i = 0; rc == 0 && i < link->most_queues; i++) {
        link->kick_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        link->call_fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (link->kick_fds[i] < 0 || link->call_fds[i] < 0)
            return -errno;
        rc = add(link, link->call_fds[i], i);
        link->takes_calls[i] = true;
    }
    return rc;
}

static int fail(struct vmm_vhost *link, int rc, struct hw_error *error)
{
    if (rc == -ENOMEM)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    return hw_error_setf(error, HW_ERROR_FAILED, -rc, link->path, "allow more open files",
                         "its link cannot be made: %s", strerror(-rc));
}

static int make(struct vmm_vhost *link, struct hw_error *error)
{
    const struct vh_front_callbacks callbacks = { link_event, link_watch, link };
    int rc = open_fds(link);

    if (rc == 0)
        rc = vh_front_new(&callbacks, &link->front);
    if (rc < 0)
        return fail(link, rc, error);
    rc = vh_events_new(&link->events);
    return rc < 0 ? vh_events_error(rc, error) : 0;
}

static struct vmm_vhost *new_link(const char *path, unsigned queues)
{
    struct vmm_vhost *link = calloc(1, sizeof(*link));

    if (link == NULL)
        return NULL;
    link->epoll_fd = link->timer_fd = link->poke_fd = link->log.fd = -1;
    link->log.told = true;
    for (unsigned i = 0; i < VH_QUEUES; i++)
        link->kick_fds[i] = link->call_fds[i] = -1;
    link->most_queues = queues;
    link->path = strdup(path);
    if (link->path == NULL) {
        free(link);
        return NULL;
    }
    return link;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void vmm_vhost_close(struct vmm_vhost *link)
{
    if (link == NULL)
        return;
    vmm_vhost_log_end(link);
    vh_front_free(link->front);
    vh_events_free(link->events);
    for (unsigned i = 0; i < link->most_queues; i++) {
        close_fd(link->kick_fds[i]);
        close_fd(link->call_fds[i]);
    }
    close_fd(link->poke_fd);
    close_fd(link->timer_fd);
    close_fd(link->epoll_fd);
    free(link->path);
    free(link);
}

/* --- the first connection --- */

static int cannot_connect(const char *path, int rc, struct hw_error *error)
{
    static const char remedy[] = "start its server first, or name another socket";
    struct stat status;

    if (stat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
        return hw_error_set(error, HW_ERROR_REFUSED, ENOTSOCK, path, "is no socket",
                            "name the socket of a vhost-user-blk server");
    if (rc == -ENAMETOOLONG)
        return hw_error_set(error, HW_ERROR_USAGE, ENAMETOOLONG, path,
                            "is longer than a socket's path may be", "name a shorter one");
    if (rc == -ECONNREFUSED)
        return hw_error_set(error, HW_ERROR_FAILED, ECONNREFUSED, path, "has no server", remedy);
    return hw_error_setf(error, HW_ERROR_FAILED, -rc, path, remedy, "cannot be connected to: %s",
                         strerror(-rc));
}

static int judge_first(const struct vmm_vhost *link, struct hw_error *error)
{
    return hw_error_setf(error, HW_ERROR_REFUSED, EPROTO, link->path,
                         "use a server for disks that hawser-vmm can use (doc/vhost.md)",
                         "cannot be used as a disk: %s", link->told);
}

/* How long nothing may happen before people are told. */
static void wait_some(const struct vmm_vhost *link, int ms, unsigned *left_ms,
                      void (*waiting)(const char *path))
{
    struct pollfd ready = { .fd = link->connected ? link->epoll_fd : -1, .events = POLLIN };

    if (poll(&ready, 1, ms) != 0 || *left_ms == 0)
        return;
    *left_ms -= (unsigned)ms < *left_ms ? (unsigned)ms : *left_ms;
    if (*left_ms == 0 && waiting != NULL)
        waiting(link->path);
}

static int connect_first(struct vmm_vhost *link, void (*waiting)(const char *path),
                         struct hw_error *error)
{
    unsigned left_ms = PATIENCE_MS;

    while (!link->opened) {
        const int rc = link->connected ? 0 : link_connect(link);

        if (rc < 0 && rc != -EAGAIN)
            return cannot_connect(link->path, rc, error);
        wait_some(link, TRY_MS, &left_ms, waiting);
        if (rc == 0)
            vmm_vhost_service(link);
        if (rc == 0 && !link->opened && !link->connected)
            return judge_first(link, error);
    }
    return 0;
}

int vmm_vhost_open(const char *path, unsigned queues, void (*waiting)(const char *path),
                   struct vmm_vhost **ret_link, struct hw_error *error)
{
    struct vmm_vhost *link;
    int rc;

    if (queues == 0 || queues > VH_QUEUES)
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, path, "cannot have so many queues", "");
    link = new_link(path, queues);
    if (link == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    rc = make(link, error);
    if (rc == 0)
        rc = connect_first(link, waiting, error);
    if (rc < 0) {
        vmm_vhost_close(link);
        return rc;
    }
    *ret_link = link;
    return 0;
}

/* --- what it was told --- */

int vmm_vhost_fd(const struct vmm_vhost *link)
{
    return link->epoll_fd;
}

uint64_t vmm_vhost_features(const struct vmm_vhost *link)
{
    return link->features;
}

const uint8_t *vmm_vhost_config(const struct vmm_vhost *link)
{
    return link->config;
}

unsigned vmm_vhost_queues(const struct vmm_vhost *link)
{
    return link->queues;
}

const char *vmm_vhost_path(const struct vmm_vhost *link)
{
    return link->path;
}
