/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restore: the blocks of memory, read to where the guest has them, verified, then told. Somebody's
 * who waits come first. A block that is wrong is read once more. When the guest runs (lazy), the
 * background takes part of the queue only, in small requests, so that a fault does not wait long.
 */
#include "config.h"

#include <errno.h>

#include "vmm-core/save/vmm_restore_priv.h"

enum {
    BRIDGE_PAGES = 4,     /* between blocks: a longer gap begins another request */
    BACKGROUND_BLOCKS = 4 /* of one request, when the guest runs */
};

static bool test(const uint64_t *bits, uint64_t i)
{
    return (bits[i / 64] >> i % 64 & 1) != 0;
}

static void set(uint64_t *bits, uint64_t i)
{
    bits[i / 64] |= UINT64_C(1) << i % 64;
}

static void clear(uint64_t *bits, uint64_t i)
{
    bits[i / 64] &= ~(UINT64_C(1) << i % 64);
}

static bool is_lazy(const struct vmm_restore *restore)
{
    return restore->phase == VMM_RESTORE_PHASE_RUNNING;
}

uint16_t vmm_restore_delta_pages(const struct vmm_restore *restore, uint64_t block)
{
    uint16_t pages = 0;

    if (restore->delta.pages == 0)
        return 0;
    for (unsigned i = 0; i < VMM_SAVE_BLOCK_PAGES; i++)
        if (vmm_save_delta_find(&restore->delta, block * VMM_SAVE_BLOCK_PAGES + i) !=
            VMM_SAVE_NO_SLOT)
            pages = (uint16_t)(pages | 1u << i);
    return pages;
}

static void populate(const struct vmm_restore *restore, uint64_t block)
{
    if (restore->options.populated != NULL)
        __atomic_fetch_or(&restore->options.populated[block / 64], UINT64_C(1) << block % 64,
                          __ATOMIC_RELEASE);
}

void vmm_restore_load_begin(struct vmm_restore *restore)
{
    for (uint64_t block = 0; block < restore->geometry.blocks; block++) {
        if (vmm_save_table_block(restore->part.table, block).codec == VMM_SAVE_CODEC_ZERO) {
            populate(restore, block);
            continue;
        }
        set(restore->todo, block);
        restore->blocks++;
    }
    restore->left = restore->blocks;
}

static bool is_right(const struct vmm_restore *restore, uint64_t block)
{
    struct vmm_save_block record = vmm_save_table_block(restore->part.table, block);

    return vmm_save_hash_block(vmm_save_memory_page(&restore->memory, block * VMM_SAVE_BLOCK_PAGES),
                               record.nonzero) == record.hash;
}

/* A block twice wrong: refused; when the guest runs it has to stop. */
static void report(struct vmm_restore *restore, uint64_t block, int rc)
{
    uint64_t offset = vmm_save_home_offset(&restore->geometry, block * VMM_SAVE_BLOCK_PAGES);

    if (!is_lazy(restore)) {
        vmm_restore_fail(restore, rc, VMM_RESTORE_PART_MEMORY, block, offset);
        return;
    }
    restore->stuck = true;
    restore->fault = (struct vmm_restore_fault) { .part = VMM_RESTORE_PART_MEMORY,
                                                  .number = block,
                                                  .offset_bytes = offset };
    restore->guest.frozen(restore->guest.context, rc, &restore->fault);
}

/* A block was read: told if it is right, read once more if not. */
static void take_block(struct vmm_restore *restore, uint64_t block, int rc)
{
    clear(restore->busy, block);
    if (rc == 0 && !is_right(restore, block))
        rc = -EBADMSG;
    if (rc == 0) {
        clear(restore->todo, block);
        restore->left--;
        populate(restore, block);
        restore->guest.block(restore->guest.context, block,
                             vmm_save_table_block(restore->part.table, block).nonzero);
        return;
    }
    if (!test(restore->failed, block)) {
        set(restore->failed, block);
        if (hw_vector_push(&restore->wanted, block) == 0)
            return;
    }
    report(restore, block, rc);
}

static void on_blocks(struct vmm_save_op *op, int rc)
{
    struct vmm_restore_request *request = op->context;
    struct vmm_restore *restore = request->restore;

    restore->in_flight--;
    for (unsigned i = 0; i < request->block_count && restore->rc == 0; i++)
        take_block(restore, request->blocks[i], rc);
    request->busy = false;
    if (restore->rc < 0)
        vmm_restore_fail(restore, restore->rc, VMM_RESTORE_PART_NONE, 0, 0);
    else
        vmm_restore_load_pump(restore);
}

/*
 * Append what lies at home of a block. False: it does not fit, or lies too far off. A block that
 * has nothing at home is taken at once.
 */
static bool append_block(struct vmm_restore *restore, struct vmm_restore_request *request,
                         uint64_t block)
{
    struct vmm_save_block record = vmm_save_table_block(restore->part.table, block);
    uint16_t pages = (uint16_t)(record.nonzero & ~vmm_restore_delta_pages(restore, block));
    uint8_t *base = vmm_save_memory_page(&restore->memory, block * VMM_SAVE_BLOCK_PAGES);
    uint64_t home = vmm_save_home_offset(&restore->geometry, block * VMM_SAVE_BLOCK_PAGES);
    unsigned first, last;
    uint64_t gap = 0;

    if (pages == 0) {
        take_block(restore, block, 0);
        return true;
    }
    first = (unsigned)__builtin_ctz(pages);
    last = 31 - (unsigned)__builtin_clz(pages);
    if (request->bytes == 0)
        request->op.offset_bytes = home + (uint64_t)first * VMM_SAVE_PAGE_BYTES;
    else
        gap = (home - request->op.offset_bytes - request->bytes) / VMM_SAVE_PAGE_BYTES + first;
    if (gap > BRIDGE_PAGES || gap + last - first + 1 > vmm_restore_room(restore, request) ||
        request->block_count == VMM_SAVE_CHUNK_BLOCKS)
        return false;
    for (; gap > 0; gap--)
        vmm_restore_append(restore, request, NULL);
    for (unsigned i = first; i <= last; i++)
        vmm_restore_append(restore, request,
                           pages & 1u << i ? base + (size_t)i * VMM_SAVE_PAGE_BYTES : NULL);
#ifdef VMM_SAVE_MUTATE_POPULATED_FIRST
    populate(restore, block);
#endif
    set(restore->busy, block);
    request->blocks[request->block_count++] = block;
    return true;
}

/* The next block that somebody waits for. */
static bool next_wanted(struct vmm_restore *restore, uint64_t *ret_block)
{
    while (restore->wanted.count > 0) {
        uint64_t block = restore->wanted.items[--restore->wanted.count];

        if (test(restore->todo, block) && !test(restore->busy, block)) {
            *ret_block = block;
            return true;
        }
    }
    return false;
}

static bool next_in_order(struct vmm_restore *restore, uint64_t *ret_block)
{
    for (; restore->next < restore->geometry.blocks; restore->next++) {
        if (restore->next % 64 == 0 && restore->todo[restore->next / 64] == 0) {
            restore->next += 63;
            continue;
        }
        if (test(restore->todo, restore->next) && !test(restore->busy, restore->next) &&
            !test(restore->failed, restore->next)) {
            *ret_block = restore->next;
            return true;
        }
    }
    return false;
}

/* May the background take another request? It leaves half of the queue to those who wait. */
static bool background_may(const struct vmm_restore *restore)
{
    unsigned half = restore->queue.depth / 2;

    return !is_lazy(restore) || restore->in_flight < (half > 0 ? half : 1);
}

/* Fill a request with blocks in order. */
static void fill(struct vmm_restore *restore, struct vmm_restore_request *request)
{
    unsigned most = is_lazy(restore) ? BACKGROUND_BLOCKS : VMM_SAVE_CHUNK_BLOCKS;
    uint64_t block;

    while (request->block_count < most && restore->rc == 0 && next_in_order(restore, &block)) {
        if (!append_block(restore, request, block))
            return;
        restore->next++;
    }
}

/* The queue does not take it: before the guest runs that ends it, then it freezes it. */
static void not_submitted(struct vmm_restore *restore, struct vmm_restore_request *request, int rc)
{
    for (unsigned i = 0; i < request->block_count; i++)
        clear(restore->busy, request->blocks[i]);
    report(restore, request->blocks[0], rc);
}

/* One request. False: nothing can be submitted now. */
static bool submit_next(struct vmm_restore *restore)
{
    struct vmm_restore_request *request = vmm_restore_free_request(restore);
    bool wanted;
    uint64_t block;
    int rc;

    if (request == NULL)
        return false;
    wanted = next_wanted(restore, &block);
    if (wanted)
        (void)append_block(restore, request, block);
    else if (background_may(restore))
        fill(restore, request);
    if (request->bytes == 0)
        return wanted || restore->wanted.count > 0;
    rc = vmm_restore_submit(restore, request, on_blocks);
    if (rc < 0)
        not_submitted(restore, request, rc);
    return rc == 0;
}

static void loaded(struct vmm_restore *restore)
{
    if (restore->phase == VMM_RESTORE_PHASE_RUNNING)
        vmm_restore_end(restore, 0);
    else if (vmm_restore_only_looks(restore))
        vmm_restore_end(restore, 0);
    else
        vmm_restore_confirm(restore);
}

void vmm_restore_load_pump(struct vmm_restore *restore)
{
    if (restore->pumping) /* a callback asked for a block: the loop below finds it */
        return;
    restore->pumping = true;
    while (restore->rc == 0 && submit_next(restore))
        ;
    restore->pumping = false;
    if (restore->rc < 0)
        vmm_restore_fail(restore, restore->rc, VMM_RESTORE_PART_NONE, 0, 0);
    else if (restore->left == 0 && restore->in_flight == 0 &&
             (restore->phase == VMM_RESTORE_PHASE_RUNNING ||
              restore->phase == VMM_RESTORE_PHASE_MEMORY))
        loaded(restore);
}

void vmm_restore_load_retry(struct vmm_restore *restore)
{
    restore->stuck = false;
    restore->next = 0;
    for (uint64_t i = 0; i < (restore->geometry.blocks + 63) / 64; i++)
        restore->failed[i] = 0;
    vmm_restore_load_pump(restore);
}

bool vmm_restore_want(struct vmm_restore *restore, uint64_t block)
{
    if (block >= restore->geometry.blocks || !test(restore->todo, block))
        return true;
    if (!test(restore->busy, block) && hw_vector_push(&restore->wanted, block) == 0 &&
        is_lazy(restore))
        vmm_restore_load_pump(restore);
    return false;
}

void vmm_restore_discarded(struct vmm_restore *restore, uint64_t first_page, uint64_t pages)
{
    uint64_t block = (first_page + VMM_SAVE_BLOCK_PAGES - 1) / VMM_SAVE_BLOCK_PAGES;
    uint64_t end = (first_page + pages) / VMM_SAVE_BLOCK_PAGES;

    if (!is_lazy(restore))
        return;
    for (; block < end && block < restore->geometry.blocks; block++) {
        if (!test(restore->todo, block) || test(restore->busy, block))
            continue;
        clear(restore->todo, block);
        restore->left--;
        populate(restore, block);
    }
    vmm_restore_load_pump(restore);
}

bool vmm_restore_unloaded(const struct vmm_restore *restore, uint64_t block,
                          struct vmm_save_carried *ret_carried)
{
    struct vmm_save_block record;

    if (!test(restore->todo, block))
        return false;
    record = vmm_save_table_block(restore->part.table, block);
    *ret_carried = (struct vmm_save_carried) { .hash = record.hash,
                                               .nonzero = record.nonzero,
                                               .delta = vmm_restore_delta_pages(restore, block) };
    return true;
}
