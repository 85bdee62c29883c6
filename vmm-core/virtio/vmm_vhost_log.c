/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dirty log of what a disk's server writes (vh_log.h), taken by atomic exchange: the server
 * sets bits at any time.
 */
#include "config.h"

#include "vmm-core/virtio/vmm_vhost_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/hw_cleanup.h"
#include "storage/vhost/vh_log.h"

enum { WORD_PAGES = 64, WORD_BYTES = WORD_PAGES / 8 };

int vmm_vhost_log_begin(struct vmm_vhost *link, uint64_t guest_bytes)
{
    const uint64_t words = (guest_bytes + (uint64_t)VH_LOG_PAGE_BYTES * WORD_PAGES - 1) /
                           VH_LOG_PAGE_BYTES / WORD_PAGES;
    hw_auto_close int fd = -1;
    void *bits;

    if (link->log.fd >= 0)
        return -EALREADY;
    if ((vh_front_features(link->front) & VH_F_LOG_ALL) == 0)
        return -ENOTSUP;
    fd = memfd_create("hawser-dirty", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (off_t)(words * WORD_BYTES)) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    bits = mmap(NULL, words * WORD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (bits == MAP_FAILED)
        return -errno;
    link->log =
        (struct link_log) { .fd = hw_take_fd(&fd), .bits = bits, .bytes = words * WORD_BYTES };
    link_poke(link);
    return 0;
}

/* Told again until it is taken; a server that is lost behind that is set up with it. */
int link_advance_log(struct vmm_vhost *link)
{
    struct link_log *log = &link->log;
    int rc;

    if (log->told || log->failed)
        return 0;
    rc = vh_front_log(link->front, log->fd, log->bytes);
    log->failed = rc == -ENOTSUP;
    log->told = rc >= 0;
    log->settled = rc == 1;
    return rc >= 0 || rc == -ENOTSUP || rc == -EALREADY ? 0 : rc;
}

int vmm_vhost_logging(const struct vmm_vhost *link)
{
    if (link->log.failed)
        return -ENOTSUP;
    return link->log.fd >= 0 && link->log.settled;
}

void vmm_vhost_log_take(struct vmm_vhost *link, uint64_t guest_at, uint64_t bytes, uint64_t *bits)
{
    const uint64_t first = guest_at / VH_LOG_PAGE_BYTES / WORD_PAGES;
    const uint64_t words = bytes / VH_LOG_PAGE_BYTES / WORD_PAGES;
    uint64_t *log = (uint64_t *)(void *)link->log.bits;

    for (uint64_t i = 0; i < words && first + i < link->log.bytes / WORD_BYTES; i++)
        if (__atomic_load_n(&log[first + i], __ATOMIC_RELAXED) != 0)
            bits[i] |= __atomic_exchange_n(&log[first + i], 0, __ATOMIC_SEQ_CST);
}

void vmm_vhost_log_end(struct vmm_vhost *link)
{
    struct link_log *log = &link->log;

    if (log->fd < 0)
        return;
    (void)munmap(log->bits, log->bytes);
    (void)close(log->fd);
    *log = (struct link_log) { .fd = -1 };
    link_poke(link);
}
