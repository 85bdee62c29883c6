/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The walk over the pages that have to be written: zero scan, hash and record of each block, and
 * requests made of its pages, home or into the delta area. A block is hashed after the log that
 * named its pages was taken, so that its last record is that of its last content (a page that
 * changes after that is in the next log).
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "vmm-core/save/vmm_save_priv.h"

enum {
    HOME_AT_LEAST_PAGES = 8, /* of a block: fewer go to the delta area, side by side */
    BRIDGE_PAGES = 4,        /* a gap is written too, rather than begin another request */
};

static bool test_bit(const uint64_t *bits, uint64_t i)
{
    return (bits[i / 64] >> i % 64 & 1) != 0;
}

static uint16_t pending_of(const struct vmm_save *save, uint64_t block)
{
    return (uint16_t)(save->pending[block / 4] >> block % 4 * 16);
}

static void clear_pending(struct vmm_save *save, uint64_t block)
{
    save->pending[block / 4] &= ~(UINT64_C(0xffff) << block % 4 * 16);
}

/* The pages of a block that the memfd has data for. */
static int data_of(struct vmm_save *save, uint64_t block, uint16_t *ret_pages)
{
    struct vmm_save_walk *walk = &save->walk;
    uint64_t first = block * VMM_SAVE_BLOCK_PAGES, end = first + VMM_SAVE_BLOCK_PAGES, page = first;
    uint16_t pages = 0;

    while (page < end) {
        if (page < walk->data_first || page >= walk->data_end) {
            uint64_t at, count;
            int rc = save->memory.next_data(save->memory.context, page, &at, &count);

            if (rc == -ENOENT)
                at = save->geometry.pages, count = 0;
            else if (rc < 0)
                return rc;
            if (at >= end || at < page || count == 0)
                break;
            walk->data_first = at;
            walk->data_end = at + count;
            page = at;
            continue;
        }
        pages = (uint16_t)(pages | 1u << (page - first));
        page++;
    }
    *ret_pages = pages;
    return 0;
}

static void load_record(const struct vmm_save *save, uint64_t chunk, struct vmm_save_record *record)
{
    if (vmm_save_record_decode(save->part.table + chunk * VMM_SAVE_RECORD_BYTES, chunk, record) < 0)
        *record = (struct vmm_save_record) { .chunk = (uint32_t)chunk };
}

static void set_record(struct vmm_save *save, uint64_t block, uint64_t hash, uint16_t nonzero)
{
    uint64_t chunk = block / VMM_SAVE_CHUNK_BLOCKS;
    struct vmm_save_record record;

    load_record(save, chunk, &record);
    vmm_save_record_set(&record, block % VMM_SAVE_CHUNK_BLOCKS, hash, nonzero);
    record.generation = save->generation;
    vmm_save_record_encode(&record, save->part.table + chunk * VMM_SAVE_RECORD_BYTES);
    vmm_save_piece_touch(&save->pieces[VMM_SAVE_TABLE], chunk * VMM_SAVE_RECORD_BYTES,
                         VMM_SAVE_RECORD_BYTES);
}

static void drop_slot(struct vmm_save *save, uint64_t page)
{
    uint32_t slot = vmm_save_delta_find(&save->delta, page);

    if (slot == VMM_SAVE_NO_SLOT)
        return;
    vmm_save_delta_drop(&save->delta, page);
    vmm_save_piece_touch(&save->pieces[VMM_SAVE_INDEX], (uint64_t)slot * VMM_SAVE_DELTA_ENTRY_BYTES,
                         VMM_SAVE_DELTA_ENTRY_BYTES);
}

static int empty_table(struct vmm_save *save)
{
    memset(save->pending, 0, (size_t)((save->geometry.pages + 63) / 64) * sizeof(uint64_t));
    memset(save->carried, 0, (size_t)((save->geometry.blocks + 63) / 64) * sizeof(uint64_t));
    for (uint64_t chunk = 0; chunk < save->geometry.chunks; chunk++) {
        struct vmm_save_record record = { .chunk = (uint32_t)chunk,
                                          .generation = save->generation };

        vmm_save_record_encode(&record, save->part.table + chunk * VMM_SAVE_RECORD_BYTES);
    }
    vmm_save_piece_touch(&save->pieces[VMM_SAVE_TABLE], 0,
                         save->geometry.chunks * VMM_SAVE_RECORD_BYTES);
    vmm_save_delta_free(&save->delta);
    return vmm_save_delta_init(&save->delta, save->part.delta_index, save->geometry.delta_slots);
}

static void set_pending(struct vmm_save *save, uint64_t first, uint64_t end)
{
    for (uint64_t page = first; page < end;) {
        if (page % 64 == 0 && end - page >= 64) {
            save->pending[page / 64] = UINT64_MAX;
            page += 64;
        } else {
            save->pending[page / 64] |= UINT64_C(1) << page % 64;
            page++;
        }
    }
}

int vmm_save_walk_all(struct vmm_save *save)
{
    uint64_t page = 0, first, count;
    int rc = empty_table(save);

    while (rc == 0 && page < save->geometry.pages) {
        rc = save->memory.next_data(save->memory.context, page, &first, &count);
        if (rc < 0)
            break;
        if (first >= save->geometry.pages)
            break;
        if (count > save->geometry.pages - first)
            count = save->geometry.pages - first;
        set_pending(save, first, first + count);
        page = first + count;
    }
    if (rc < 0 && rc != -ENOENT)
        return rc;
    for (uint64_t block = 0; block < save->geometry.blocks; block++) {
        struct vmm_save_carried carried;

        if (!save->guest.unloaded(save->guest.context, block, &carried))
            continue;
        save->carried[block / 64] |= UINT64_C(1) << block % 64;
        set_record(save, block, carried.hash, carried.nonzero);
        clear_pending(save, block);
        save->pending[block / 4] |= (uint64_t)(carried.delta & carried.nonzero) << block % 4 * 16;
    }
    return 0;
}

void vmm_save_walk_begin(struct vmm_save *save)
{
    save->walk = (struct vmm_save_walk) { 0 };
    for (unsigned i = 0; i < VMM_SAVE_PIECES; i++)
        save->pieces[i].at = 0;
}

uint64_t vmm_save_walk_count(const struct vmm_save *save)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < (save->geometry.pages + 63) / 64; i++)
        count += (unsigned)__builtin_popcountll(save->pending[i]);
    return count;
}

/* Where pages of this block go. With zero rounds, and in the first, everything goes home. */
static bool goes_home(const struct vmm_save *save, uint16_t pages)
{
    if (save->round == 0)
        return true;
    if (save->final)
        return false;
    return __builtin_popcount(pages) >= HOME_AT_LEAST_PAGES ||
           vmm_save_delta_room(&save->delta) < save->geometry.delta_slots / 2;
}

/* Not loaded when the save began, nor since: nobody can have written to it. */
static bool is_carried(struct vmm_save *save, uint64_t block)
{
    struct vmm_save_carried carried;

    if (!test_bit(save->carried, block))
        return false;
    if (save->round == 0 || save->guest.unloaded(save->guest.context, block, &carried))
        return true;
    save->carried[block / 64] &= ~(UINT64_C(1) << block % 64);
    return false;
}

/* Scan and hash a block that has pending pages; what has to be written of it is in the walk. */
static int take_block(struct vmm_save *save, uint64_t block)
{
    struct vmm_save_walk *walk = &save->walk;
    struct vmm_save_block before = vmm_save_table_block(save->part.table, block);
    uint16_t pending = pending_of(save, block), data;
    int rc;

    clear_pending(save, block);
    walk->block = block;
    walk->base = vmm_save_memory_page(&save->memory, block * VMM_SAVE_BLOCK_PAGES);
    if (is_carried(save, block)) { /* its record stands; these pages are not at home yet */
        walk->nonzero = pending;
        walk->left = pending;
        walk->home = true;
        walk->apart = true;
        return 0;
    }
    walk->apart = false;
    rc = data_of(save, block, &data);
    if (rc < 0)
        return rc;
    walk->nonzero = vmm_save_scan_block(walk->base, data);
    set_record(save, block, walk->nonzero != 0 ? vmm_save_hash_block(walk->base, walk->nonzero) : 0,
               walk->nonzero);
    /* a page that was zero lies nowhere yet */
    walk->left = (uint16_t)(walk->nonzero & (pending | ~before.nonzero));
    walk->home = goes_home(save, walk->left);
    for (unsigned i = 0; i < VMM_SAVE_BLOCK_PAGES && save->delta.pages > 0; i++)
        if (!(walk->nonzero & 1u << i) || (walk->home && walk->left & 1u << i))
            drop_slot(save, block * VMM_SAVE_BLOCK_PAGES + i);
    return 0;
}

/* The next block that has pages to be written. False: there is none. */
static bool next_block(struct vmm_save *save, int *ret_rc)
{
    struct vmm_save_walk *walk = &save->walk;

    while (walk->left == 0) {
        while (walk->next < save->geometry.blocks && pending_of(save, walk->next) == 0)
            walk->next += walk->next % 4 == 0 && save->pending[walk->next / 4] == 0 ? 4 : 1;
        if (walk->next >= save->geometry.blocks)
            return false;
        *ret_rc = take_block(save, walk->next++);
        if (*ret_rc < 0)
            return false;
    }
    return true;
}

/* Append memory to a request; neighbours are joined. */
static void append(struct vmm_save_request *request, const uint8_t *memory)
{
    struct iovec *last = &request->iov[request->op.iov_count];

    if (request->op.iov_count > 0 &&
        (const uint8_t *)last[-1].iov_base + last[-1].iov_len == memory)
        last[-1].iov_len += VMM_SAVE_PAGE_BYTES;
    else
        request->iov[request->op.iov_count++] =
            (struct iovec) { .iov_base = (void *)(uintptr_t)memory,
                             .iov_len = VMM_SAVE_PAGE_BYTES };
    request->bytes += VMM_SAVE_PAGE_BYTES;
}

static bool has_room(const struct vmm_save *save, const struct vmm_save_request *request,
                     unsigned pages)
{
    return request->op.iov_count + pages <= save->queue.iov_max &&
           request->op.iov_count + pages <= VMM_SAVE_IOV_MAX &&
           request->bytes + (uint64_t)pages * VMM_SAVE_PAGE_BYTES <=
               (uint64_t)VMM_SAVE_REQUEST_PAGES * VMM_SAVE_PAGE_BYTES;
}

/*
 * Append page `i` of the block, at home. A gap of pages of the same block that need not be written
 * is bridged: such a page lies at home as it is in memory, or is zero, or lies in the delta area
 * and its home means nothing; a page that changed meanwhile is pending again.
 */
static bool append_home(struct vmm_save *save, struct vmm_save_request *request, unsigned i)
{
    const struct vmm_save_walk *walk = &save->walk;
    uint64_t first = walk->block * VMM_SAVE_BLOCK_PAGES;
    uint64_t offset = vmm_save_home_offset(&save->geometry, first + i);
    uint64_t end = request->op.offset_bytes + request->bytes;
    unsigned gap = 0;

    if (request->bytes == 0)
        request->op.offset_bytes = end = offset;
    if (offset != end) {
        if (walk->apart || offset < end || offset - end > (uint64_t)i * VMM_SAVE_PAGE_BYTES ||
            offset - end > (uint64_t)BRIDGE_PAGES * VMM_SAVE_PAGE_BYTES)
            return false;
        gap = (unsigned)((offset - end) / VMM_SAVE_PAGE_BYTES);
    }
    if (!has_room(save, request, gap + 1))
        return false;
    for (unsigned page = i - gap; page <= i; page++)
        append(request, walk->nonzero & 1u << page ? walk->base + (size_t)page * VMM_SAVE_PAGE_BYTES
                                                   : save->part.zero);
    return true;
}

/* Append page `i` of the block, to the delta area. False: the request is full. */
static bool append_delta(struct vmm_save *save, struct vmm_save_request *request, unsigned i,
                         uint32_t slot)
{
    uint64_t offset = vmm_save_slot_offset(&save->geometry, slot);

    if (request->bytes == 0)
        request->op.offset_bytes = offset;
    if (offset != request->op.offset_bytes + request->bytes || !has_room(save, request, 1))
        return false;
    append(request, save->walk.base + (size_t)i * VMM_SAVE_PAGE_BYTES);
    return true;
}

/* A slot for page `i` of the block; VMM_SAVE_NO_SLOT: none is left, it goes home. */
static uint32_t take_slot(struct vmm_save *save, unsigned i)
{
    uint64_t page = save->walk.block * VMM_SAVE_BLOCK_PAGES + i;
    uint32_t slot = vmm_save_delta_put(
        &save->delta, page, vmm_save_hash_page(save->walk.base + (size_t)i * VMM_SAVE_PAGE_BYTES));

    if (slot != VMM_SAVE_NO_SLOT)
        vmm_save_piece_touch(&save->pieces[VMM_SAVE_INDEX],
                             (uint64_t)slot * VMM_SAVE_DELTA_ENTRY_BYTES,
                             VMM_SAVE_DELTA_ENTRY_BYTES);
    return slot;
}

bool vmm_save_walk_fill(struct vmm_save *save, struct vmm_save_request *request, int *ret_rc)
{
    struct vmm_save_walk *walk = &save->walk;

    *ret_rc = 0;
    while (next_block(save, ret_rc)) {
        unsigned i = (unsigned)__builtin_ctz(walk->left);
        uint32_t slot = walk->home ? VMM_SAVE_NO_SLOT : take_slot(save, i);

        if (slot == VMM_SAVE_NO_SLOT ? !append_home(save, request, i)
                                     : !append_delta(save, request, i, slot))
            break;
        walk->left = (uint16_t)(walk->left & ~(1u << i));
    }
    return *ret_rc == 0 && request->bytes > 0;
}
