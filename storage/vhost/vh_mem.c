/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory table.
 */
#include "config.h"

#include "storage/vhost/vh_mem.h"

#include <errno.h>
#include <stdlib.h>

#include "storage/vhost/vh_shared.h"

struct mapped {
    struct vh_region region;
    struct vh_shared shared;
};

struct vh_mem {
    unsigned references, count;
    const struct vh_log *log;
    struct mapped regions[VH_REGIONS];
};

static bool overlap(uint64_t a, uint64_t b, uint64_t a_bytes, uint64_t b_bytes)
{
    return a < b + b_bytes && b < a + a_bytes;
}

static bool wraps(uint64_t at, uint64_t bytes)
{
    uint64_t end;

    return __builtin_add_overflow(at, bytes, &end);
}

static int judge(const struct vh_region *regions, unsigned count)
{
    if (count == 0 || count > VH_REGIONS)
        return -EINVAL;
    for (unsigned i = 0; i < count; i++) {
        const struct vh_region *one = &regions[i];

        if (one->bytes == 0 || wraps(one->guest_addr, one->bytes) ||
            wraps(one->user_addr, one->bytes))
            return -EINVAL;
        for (unsigned k = 0; k < i; k++)
            if (overlap(one->guest_addr, regions[k].guest_addr, one->bytes, regions[k].bytes) ||
                overlap(one->user_addr, regions[k].user_addr, one->bytes, regions[k].bytes))
                return -EINVAL;
    }
    return 0;
}

/* A table that has none of the regions yet. */
static int make(const struct vh_region *regions, unsigned count, struct vh_mem **ret_mem)
{
    struct vh_mem *mem;
    int rc = judge(regions, count);

    if (rc < 0)
        return rc;
    mem = calloc(1, sizeof(*mem));
    if (mem == NULL)
        return -ENOMEM;
    mem->references = 1;
    *ret_mem = mem;
    return 0;
}

int vh_mem_new(const struct vh_region *regions, const int *fds, unsigned count,
               struct vh_mem **ret_mem)
{
    struct vh_mem *mem;
    int rc = make(regions, count, &mem);

    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < count; i++) {
        rc = vh_shared_map(fds[i], regions[i].file_offset, regions[i].bytes,
                           &mem->regions[i].shared);
        if (rc < 0) {
            vh_mem_unref(mem);
            return rc;
        }
        mem->regions[i].region = regions[i];
        mem->count++;
    }
    *ret_mem = mem;
    return 0;
}

int vh_mem_over(const struct vh_region *regions, void *const *addresses, unsigned count,
                struct vh_mem **ret_mem)
{
    struct vh_mem *mem;
    int rc = make(regions, count, &mem);

    if (rc < 0)
        return rc;
    mem->count = count;
    for (unsigned i = 0; i < count; i++) {
        mem->regions[i].region = regions[i];
        mem->regions[i].shared.first = addresses[i]; /* no map: it is not ours to unmap */
    }
    *ret_mem = mem;
    return 0;
}

void vh_mem_set_log(struct vh_mem *mem, const struct vh_log *log)
{
    mem->log = log;
}

const struct vh_log *vh_mem_log(const struct vh_mem *mem)
{
    return mem->log;
}

struct vh_mem *vh_mem_ref(struct vh_mem *mem)
{
    mem->references++;
    return mem;
}

void vh_mem_unref(struct vh_mem *mem)
{
    if (mem == NULL || --mem->references > 0)
        return;
    for (unsigned i = 0; i < mem->count; i++)
        vh_shared_unmap(&mem->regions[i].shared);
    free(mem);
}

/* The region that has the byte at guest address `addr`. */
static const struct mapped *find(const struct vh_mem *mem, uint64_t addr)
{
    for (unsigned i = 0; i < mem->count; i++)
        if (addr - mem->regions[i].region.guest_addr < mem->regions[i].region.bytes)
            return &mem->regions[i];
    return NULL;
}

void *vh_mem_guest(const struct vh_mem *mem, uint64_t guest_addr, uint64_t bytes)
{
    const struct mapped *mapped = find(mem, guest_addr);
    uint64_t at;

    if (mapped == NULL)
        return NULL;
    at = guest_addr - mapped->region.guest_addr;
    return bytes <= mapped->region.bytes - at ? mapped->shared.first + at : NULL;
}

void *vh_mem_user(const struct vh_mem *mem, uint64_t user_addr, uint64_t bytes)
{
    for (unsigned i = 0; i < mem->count; i++) {
        const struct mapped *mapped = &mem->regions[i];
        const uint64_t at = user_addr - mapped->region.user_addr;

        if (at < mapped->region.bytes && bytes <= mapped->region.bytes - at)
            return mapped->shared.first + at;
    }
    return NULL;
}

int vh_mem_pieces(const struct vh_mem *mem, uint64_t guest_addr, uint64_t bytes,
                  struct iovec *pieces, unsigned room)
{
    unsigned count = 0;

    while (bytes > 0) {
        const struct mapped *mapped = find(mem, guest_addr);
        uint64_t at, take;

        if (mapped == NULL)
            return -EFAULT;
        if (count == room)
            return -E2BIG;
        at = guest_addr - mapped->region.guest_addr;
        take = mapped->region.bytes - at;
        if (take > bytes)
            take = bytes;
        pieces[count++] =
            (struct iovec) { .iov_base = mapped->shared.first + at, .iov_len = (size_t)take };
        bytes -= take;
        if (bytes > 0 && __builtin_add_overflow(guest_addr, take, &guest_addr))
            return -EFAULT;
    }
    return (int)count;
}

uint64_t vh_mem_guest_addr(const struct vh_mem *mem, const void *pointer)
{
    const uint8_t *at = pointer;

    for (unsigned i = 0; i < mem->count; i++) {
        const struct mapped *mapped = &mem->regions[i];

        if (at >= mapped->shared.first && at < mapped->shared.first + mapped->region.bytes)
            return mapped->region.guest_addr + (uint64_t)(at - mapped->shared.first);
    }
    return 0;
}
