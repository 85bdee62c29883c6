/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shared page: a sequence number around four words. Odd while it is written.
 */
#include "config.h"

#include "storage/serve/sv_page.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct words {
    uint32_t magic, version;
    _Atomic uint32_t sequence;
    _Atomic uint32_t gate, reason, generation;
    _Atomic int64_t confirmed_ns;
};

struct sv_page {
    struct words *words;
    int fd, reader_fd;
};

static int fail(struct hw_error *error, const char *what)
{
    return hw_error_setf(error, HW_ERROR_FAILED, errno, "shared page", "", "%s: %s", what,
                         strerror(errno));
}

/* The same memory, opened so that it cannot be mapped for writing. */
static int open_reader(int fd)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static int make(struct sv_page *page, struct hw_error *error)
{
    void *map;

    page->fd = memfd_create("hawser-page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (page->fd < 0 || ftruncate(page->fd, SV_PAGE_BYTES) < 0 ||
        fcntl(page->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
        return fail(error, "cannot be made");
    page->reader_fd = open_reader(page->fd);
    if (page->reader_fd < 0)
        return fail(error, "cannot be opened for reading");
    map = mmap(NULL, SV_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, page->fd, 0);
    if (map == MAP_FAILED)
        return fail(error, "cannot be mapped");
    page->words = map;
    /* behind the only mapping that writes: who got the descriptor can open it anew (proc(5)) */
    if (fcntl(page->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0)
        return fail(error, "cannot be sealed");
    page->words->magic = SV_PAGE_MAGIC;
    page->words->version = SV_PAGE_VERSION;
    return 0;
}

int sv_page_new(struct sv_page **ret_page, int *ret_reader_fd, struct hw_error *error)
{
    struct sv_page *page = calloc(1, sizeof(*page));
    int rc;

    if (page == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    page->fd = page->reader_fd = -1;
    rc = make(page, error);
    if (rc < 0) {
        sv_page_free(page);
        return rc;
    }
    *ret_page = page;
    *ret_reader_fd = page->reader_fd;
    return 0;
}

void sv_page_free(struct sv_page *page)
{
    if (page == NULL)
        return;
    if (page->words != NULL)
        (void)munmap(page->words, SV_PAGE_BYTES);
    if (page->reader_fd >= 0)
        (void)close(page->reader_fd);
    if (page->fd >= 0)
        (void)close(page->fd);
    free(page);
}

void sv_page_write(struct sv_page *page, const struct sv_page_view *view)
{
    struct words *words = page->words;
    uint32_t sequence = atomic_load_explicit(&words->sequence, memory_order_relaxed);

    atomic_store(&words->sequence, sequence + 1);
    atomic_store(&words->gate, (uint32_t)view->gate);
    atomic_store(&words->reason, (uint32_t)view->reason);
    atomic_store(&words->generation, view->generation);
    atomic_store(&words->confirmed_ns, view->confirmed_ns);
    atomic_store(&words->sequence, sequence + 2);
}

int sv_page_map(int reader_fd, const void **ret_map)
{
    struct stat stat;
    const struct words *words;
    void *map;
    int rc = 0;

    if (fstat(reader_fd, &stat) < 0)
        return -errno;
    if (stat.st_size != SV_PAGE_BYTES)
        return -EBADMSG;
    map = mmap(NULL, SV_PAGE_BYTES, PROT_READ, MAP_SHARED, reader_fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    words = map;
    if (words->magic != SV_PAGE_MAGIC)
        rc = -EBADMSG;
    else if (words->version != SV_PAGE_VERSION)
        rc = -EPROTONOSUPPORT;
    if (rc < 0)
        (void)munmap(map, SV_PAGE_BYTES);
    else
        *ret_map = map;
    return rc;
}

void sv_page_unmap(const void *map)
{
    (void)munmap((void *)(uintptr_t)map, SV_PAGE_BYTES);
}

bool sv_page_read(const void *map, struct sv_page_view *ret_view)
{
    const struct words *words = map;

    for (unsigned tries = 0; tries < 64; tries++) {
        uint32_t before = atomic_load(&words->sequence);
        struct sv_page_view view = {
            .gate = (enum sv_gate_state)atomic_load(&words->gate),
            .reason = (enum sv_reason)atomic_load(&words->reason),
            .generation = atomic_load(&words->generation),
            .confirmed_ns = atomic_load(&words->confirmed_ns),
        };

        if ((before & 1) != 0 || atomic_load(&words->sequence) != before)
            continue;
        *ret_view = view;
        return true;
    }
    return false;
}
