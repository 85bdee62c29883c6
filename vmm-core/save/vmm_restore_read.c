/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restore: table, index of the delta area and sections are read whole and checked, then the pages
 * of the delta area are loaded, each checked by its own hash. Device state is given to the devices
 * only after all of it was checked.
 */
#include "config.h"

#include <errno.h>
#include <xxhash.h>

#include "vmm-core/save/vmm_restore_priv.h"

static void pump_regions(struct vmm_restore *restore);
static void pump_delta(struct vmm_restore *restore);

struct vmm_restore_request *vmm_restore_free_request(struct vmm_restore *restore)
{
    for (unsigned i = 0; i < VMM_SAVE_DEPTH_MAX && i < restore->queue.depth; i++) {
        struct vmm_restore_request *request = &restore->pool[i];

        if (request->busy)
            continue;
        request->restore = restore;
        request->bytes = 0;
        request->block_count = 0;
        request->slots = 0;
        request->tries = 0;
        request->op =
            (struct vmm_save_op) { .io = VMM_SAVE_READ, .iov = request->iov, .context = request };
        return request;
    }
    return NULL;
}

int vmm_restore_submit(struct vmm_restore *restore, struct vmm_restore_request *request,
                       void (*done)(struct vmm_save_op *op, int rc))
{
    int rc;

    request->op.done = done;
    request->busy = true;
    restore->in_flight++;
    restore->read_bytes += request->bytes;
    rc = restore->queue.submit(restore->queue.context, &request->op);
    if (rc < 0) {
        request->busy = false;
        restore->in_flight--;
    }
    return rc;
}

/* Submit, before the guest runs: what cannot be submitted ends it. */
static bool submit(struct vmm_restore *restore, struct vmm_restore_request *request,
                   void (*done)(struct vmm_save_op *op, int rc))
{
    int rc = vmm_restore_submit(restore, request, done);

    if (rc < 0)
        vmm_restore_fail(restore, rc, VMM_RESTORE_PART_NONE, 0, request->op.offset_bytes);
    return rc == 0;
}

void vmm_restore_append(struct vmm_restore *restore, struct vmm_restore_request *request,
                        uint8_t *memory)
{
    struct iovec *last = &request->iov[request->op.iov_count];
    uint8_t *at = memory != NULL ? memory : restore->part.waste;

    if (request->op.iov_count > 0 && memory != NULL &&
        (uint8_t *)last[-1].iov_base + last[-1].iov_len == at)
        last[-1].iov_len += VMM_SAVE_PAGE_BYTES;
    else
        request->iov[request->op.iov_count++] =
            (struct iovec) { .iov_base = at, .iov_len = VMM_SAVE_PAGE_BYTES };
    request->bytes += VMM_SAVE_PAGE_BYTES;
}

unsigned vmm_restore_room(const struct vmm_restore *restore,
                          const struct vmm_restore_request *request)
{
    unsigned iov =
        VMM_SAVE_IOV_MAX < restore->queue.iov_max ? VMM_SAVE_IOV_MAX : restore->queue.iov_max;
    unsigned pages = VMM_SAVE_REQUEST_PAGES - (unsigned)(request->bytes / VMM_SAVE_PAGE_BYTES);

    iov -= request->op.iov_count;
    return iov < pages ? iov : pages;
}

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + VMM_SAVE_PAGE_BYTES - 1) / VMM_SAVE_PAGE_BYTES * VMM_SAVE_PAGE_BYTES;
}

void vmm_restore_read(struct vmm_restore *restore)
{
    const struct sto_saved *saved = &restore->saved;
    const struct sto_saved_part *parts[] = { &saved->table, &saved->delta, &saved->sections };
    uint8_t *memory[] = { restore->part.table, restore->part.delta_index, restore->part.sections };
    static const enum vmm_restore_part names[] = { VMM_RESTORE_PART_TABLE, VMM_RESTORE_PART_INDEX,
                                                   VMM_RESTORE_PART_SECTIONS };

    for (unsigned i = 0; i < VMM_RESTORE_REGIONS; i++)
        restore->regions[i] = (struct vmm_restore_region) { .part = names[i],
                                                            .memory = memory[i],
                                                            .offset_bytes = parts[i]->offset_bytes,
                                                            .bytes = parts[i]->length_bytes,
                                                            .hash = parts[i]->hash };
    vmm_restore_move(restore, VMM_RESTORE_PHASE_READING);
    pump_regions(restore);
}

static int check_needs(struct vmm_restore *restore, const struct vmm_save_tlv *section)
{
    struct vmm_save_needs needs;
    uint8_t digest[STO_SAVED_DIGEST_BYTES];
    int rc = vmm_save_needs_decode(section->bytes, section->length_bytes, &needs);

    if (rc < 0)
        return rc;
    vmm_save_needs_digest(&needs, digest);
    for (unsigned i = 0; i < sizeof(digest); i++)
        if (digest[i] != restore->saved.digest[i])
            return -EBADMSG;
    if (vmm_restore_only_looks(restore))
        return 0;
    return vmm_save_needs_check(&needs, &restore->has, &restore->fault.missing);
}

static bool is_known(void *context, uint32_t type, uint16_t version)
{
    const struct vmm_restore *restore = context;

    if (type == VMM_SAVE_TYPE_NEEDS)
        return version == 1;
    if (vmm_restore_only_looks(restore))
        return true;
    return type >= VMM_SAVE_TYPE_DEVICE &&
           restore->guest.known(restore->guest.context, type, version);
}

static int refuse_section(struct vmm_restore *restore, const struct vmm_save_tlv *section, int rc)
{
    restore->fault.type = section->type;
    restore->fault.instance = section->instance;
    vmm_restore_fail(restore, rc, VMM_RESTORE_PART_SECTIONS, section->offset_bytes,
                     restore->saved.sections.offset_bytes + section->offset_bytes);
    return rc;
}

/* All sections, then the needs, then each device's. */
static int check_sections(struct vmm_restore *restore)
{
    const size_t bytes = (size_t)restore->saved.sections.length_bytes;
    struct vmm_save_tlv_reader reader = vmm_save_tlv_reader_over(restore->part.sections, bytes);
    struct vmm_save_tlv section;
    bool has_needs = false;
    int rc = vmm_save_tlv_check(restore->part.sections, bytes, is_known, restore, &section);

    if (rc < 0)
        return refuse_section(restore, &section, rc);
    while (rc == 0 && vmm_save_tlv_next(&reader, &section) == 0) {
        if (section.type == VMM_SAVE_TYPE_NEEDS) {
            has_needs = true;
            rc = check_needs(restore, &section);
        }
    }
    if (rc == 0 && !has_needs)
        rc = -EBADMSG;
    return rc < 0 ? refuse_section(restore, &section, rc) : 0;
}

static int load_sections(struct vmm_restore *restore)
{
    struct vmm_save_tlv_reader reader = vmm_save_tlv_reader_over(
        restore->part.sections, (size_t)restore->saved.sections.length_bytes);
    struct vmm_save_tlv section;

    while (vmm_save_tlv_next(&reader, &section) == 0) {
        int rc = 0;

        if (section.type != VMM_SAVE_TYPE_NEEDS && is_known(restore, section.type, section.version))
            rc = restore->guest.load(restore->guest.context, &section);
        if (rc < 0)
            return refuse_section(restore, &section, rc);
    }
    return 0;
}

static int check_table(struct vmm_restore *restore)
{
    const struct sto_saved *saved = &restore->saved;
    uint64_t chunk;
    uint32_t slot;
    int rc = vmm_save_table_check(restore->part.table, restore->geometry.chunks, &chunk);

    if (rc < 0) {
        vmm_restore_fail(restore, rc, VMM_RESTORE_PART_TABLE, chunk,
                         saved->table.offset_bytes + chunk * VMM_SAVE_RECORD_BYTES);
        return rc;
    }
    rc = vmm_save_delta_load(&restore->delta, restore->part.delta_index,
                             restore->geometry.delta_slots,
                             (uint32_t)(saved->delta.length_bytes / VMM_SAVE_DELTA_ENTRY_BYTES),
                             restore->geometry.pages, &slot);
    if (rc < 0)
        vmm_restore_fail(restore, rc, VMM_RESTORE_PART_INDEX, slot,
                         saved->delta.offset_bytes + (uint64_t)slot * VMM_SAVE_DELTA_ENTRY_BYTES);
    return rc;
}

/* Everything is read: check it. The most precise place is told: a record before the whole table. */
static int check_regions(struct vmm_restore *restore)
{
    int rc = check_table(restore);

    if (rc == 0)
        rc = check_sections(restore);
    for (unsigned i = 0; rc == 0 && i < VMM_RESTORE_REGIONS; i++) {
        const struct vmm_restore_region *region = &restore->regions[i];

        if (XXH3_64bits(region->memory, (size_t)region->bytes) != region->hash) {
            rc = -EBADMSG;
            vmm_restore_fail(restore, rc, region->part, UINT64_MAX, region->offset_bytes);
        }
    }
    return rc;
}

static void regions_read(struct vmm_restore *restore)
{
    if (check_regions(restore) < 0)
        return;
    restore->checked = true;
    vmm_restore_move(restore, VMM_RESTORE_PHASE_DELTA);
    if (restore->options.mode == VMM_RESTORE_INSPECT) {
        vmm_restore_end(restore, 0);
        return;
    }
    if (!vmm_restore_only_looks(restore) && load_sections(restore) < 0)
        return;
    pump_delta(restore);
}

static void on_region(struct vmm_save_op *op, int rc)
{
    struct vmm_restore_request *request = op->context;
    struct vmm_restore *restore = request->restore;

    request->busy = false;
    restore->in_flight--;
    if (rc < 0 || restore->rc < 0)
        vmm_restore_fail(restore, rc, VMM_RESTORE_PART_NONE, 0, op->offset_bytes);
    else
        pump_regions(restore);
}

static void pump_regions(struct vmm_restore *restore)
{
    for (unsigned i = 0; i < VMM_RESTORE_REGIONS; i++) {
        struct vmm_restore_region *region = &restore->regions[i];
        uint64_t end = whole_pages(region->bytes);

        while (region->at < end) {
            struct vmm_restore_request *request = vmm_restore_free_request(restore);
            uint64_t bytes = end - region->at;

            if (request == NULL)
                return;
            if (bytes > (uint64_t)VMM_SAVE_REQUEST_PAGES * VMM_SAVE_PAGE_BYTES)
                bytes = (uint64_t)VMM_SAVE_REQUEST_PAGES * VMM_SAVE_PAGE_BYTES;
            request->op.offset_bytes = region->offset_bytes + region->at;
            request->iov[0] =
                (struct iovec) { .iov_base = region->memory + region->at, .iov_len = bytes };
            request->op.iov_count = 1;
            request->bytes = bytes;
            region->at += bytes;
            if (!submit(restore, request, on_region))
                return;
        }
    }
    if (restore->in_flight == 0)
        regions_read(restore);
}

/* The pages that a request brought from the delta area, each by its hash. */
static int check_slots(struct vmm_restore *restore, const struct vmm_restore_request *request)
{
    for (uint32_t slot = request->slot; slot < request->slot + request->slots; slot++) {
        uint64_t page, hash;

        if (vmm_save_delta_entry(&restore->delta, slot, &page, &hash) == 0 &&
            vmm_save_hash_page(vmm_save_memory_page(&restore->memory, page)) != hash) {
            restore->fault.number = page;
            return -EBADMSG;
        }
    }
    return 0;
}

static void on_delta(struct vmm_save_op *op, int rc)
{
    struct vmm_restore_request *request = op->context;
    struct vmm_restore *restore = request->restore;

    request->busy = false;
    restore->in_flight--;
    if (rc == 0)
        rc = check_slots(restore, request);
    if (rc < 0 && restore->rc == 0 && request->tries++ == 0) { /* once more */
        (void)submit(restore, request, on_delta);
    } else if (rc == -EBADMSG) {
        uint32_t slot = vmm_save_delta_find(&restore->delta, restore->fault.number);

        vmm_restore_fail(restore, rc, VMM_RESTORE_PART_DELTA, restore->fault.number,
                         vmm_save_slot_offset(&restore->geometry, slot));
    } else if (rc < 0 || restore->rc < 0) {
        vmm_restore_fail(restore, rc, VMM_RESTORE_PART_NONE, 0, op->offset_bytes);
    } else {
        pump_delta(restore);
    }
}

/* The next slots into a request, side by side; free ones in between are thrown away. */
static void fill_delta(struct vmm_restore *restore, struct vmm_restore_request *request)
{
    uint64_t page, hash;

    request->slot = restore->delta_next;
    request->op.offset_bytes = vmm_save_slot_offset(&restore->geometry, restore->delta_next);
    while (restore->delta_next < restore->delta.used && vmm_restore_room(restore, request) > 0) {
        int rc = vmm_save_delta_entry(&restore->delta, restore->delta_next, &page, &hash);

        vmm_restore_append(restore, request,
                           rc == 0 ? vmm_save_memory_page(&restore->memory, page) : NULL);
        restore->delta_next++;
        request->slots++;
    }
}

static void delta_loaded(struct vmm_restore *restore)
{
    vmm_restore_load_begin(restore);
    if (restore->options.mode == VMM_RESTORE_LAZY) {
        vmm_restore_confirm(restore);
        return;
    }
    vmm_restore_move(restore, VMM_RESTORE_PHASE_MEMORY);
    vmm_restore_load_pump(restore);
}

static void pump_delta(struct vmm_restore *restore)
{
    while (restore->delta_next < restore->delta.used) {
        struct vmm_restore_request *request = vmm_restore_free_request(restore);

        if (request == NULL)
            return;
        fill_delta(restore, request);
        if (!submit(restore, request, on_delta))
            return;
    }
    if (restore->in_flight == 0)
        delta_loaded(restore);
}
