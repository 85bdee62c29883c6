/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tests' guest for saved states: see the header. */
#include <config.h>

#include "tests/sim/save_guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SECTION_BEATS = VMM_SAVE_TYPE_DEVICE, SECTION_BULK, SECTION_HINT };

void save_guest_needs(struct vmm_save_needs *ret_needs)
{
    *ret_needs = (struct vmm_save_needs) { .count = 0 };
    if (vmm_save_needs_add(ret_needs, VMM_SAVE_NEED_MEMORY, 0, SAVE_GUEST_BYTES) < 0 ||
        vmm_save_needs_add(ret_needs, VMM_SAVE_NEED_CPUID, 1, 0x178bfbff) < 0 ||
        vmm_save_needs_add(ret_needs, VMM_SAVE_NEED_DEVICE, SECTION_BEATS, 1) < 0)
        abort();
}

struct save_guest *save_guest_over(uint8_t *memory, uint64_t beats, uint64_t seed)
{
    struct save_guest *guest = calloc(1, sizeof(*guest));

    if (guest == NULL ||
        posix_memalign((void **)&guest->stopped_memory, 4096, SAVE_GUEST_BYTES) != 0)
        abort();
    guest->memory = memory;
    guest->borrowed = true;
    guest->beats = beats;
    /* two ranges, as with a hole below 4 GiB */
    guest->ranges[0] = (struct vmm_save_range) { guest->memory, SAVE_GUEST_LOW_BYTES, 0 };
    guest->ranges[1] =
        (struct vmm_save_range) { guest->memory + SAVE_GUEST_LOW_BYTES,
                                  SAVE_GUEST_BYTES - SAVE_GUEST_LOW_BYTES, SAVE_GUEST_LOW_BYTES };
    guest->prng = hw_prng_seeded(seed);
    guest->now_ns = 1000000;
    guest->running = true;
    save_guest_needs(&guest->needs);
    return guest;
}

struct save_guest *save_guest_new(uint64_t seed)
{
    struct save_guest *guest;
    uint8_t *memory;

    if (posix_memalign((void **)&memory, 4096, SAVE_GUEST_BYTES) != 0)
        abort();
    memset(memory, 0, SAVE_GUEST_BYTES);
    guest = save_guest_over(memory, 0, seed);
    guest->borrowed = false;
    for (unsigned page = 0; page < 70; page++)
        save_guest_write(guest, page, page + 1);
    for (unsigned page = SAVE_GUEST_PAGES - 300; page < SAVE_GUEST_PAGES; page += 5)
        save_guest_write(guest, page, page);
    save_guest_write(guest, 100, 0); /* data, but zero */
    return guest;
}

void save_guest_free(struct save_guest *guest)
{
    if (guest == NULL)
        return;
    if (!guest->borrowed)
        free(guest->memory);
    free(guest->stopped_memory);
    free(guest);
}

void save_guest_write(struct save_guest *guest, unsigned page, uint64_t value)
{
    uint8_t *at = guest->memory + (size_t)page * 4096;

    memset(at, 0, 4096);
    if (value != 0) {
        memset(at, (int)(value & 0xff), 4096);
        memcpy(at + 8 * (value % 512), &value, sizeof(value));
    }
    guest->data[page] = true;
    if (guest->tracking)
        guest->dirty[page / 64] |= UINT64_C(1) << page % 64;
}

void save_guest_discard(struct save_guest *guest, unsigned page)
{
    save_guest_write(guest, page, 0);
    guest->data[page] = false;
}

void save_guest_run(struct save_guest *guest, unsigned pages, unsigned within)
{
    if (!guest->running)
        return;
    guest->beats++;
    for (unsigned i = 0; i < pages * (100 - guest->throttle_percent) / 100; i++) {
        unsigned page = (unsigned)hw_prng_below(&guest->prng, within);

        if (hw_prng_chance(&guest->prng, 1, 16))
            save_guest_discard(guest, page);
        else
            save_guest_write(guest, page, hw_prng_next(&guest->prng));
    }
}

static int track(void *context, bool on)
{
    struct save_guest *guest = context;

    guest->tracking = on;
    memset(guest->dirty, 0, sizeof(guest->dirty));
    return 0;
}

static int take_dirty(void *context, uint64_t *bitmap)
{
    struct save_guest *guest = context;

    for (unsigned i = 0; i < SAVE_GUEST_PAGES / 64; i++)
        bitmap[i] |= guest->dirty[i];
    memset(guest->dirty, 0, sizeof(guest->dirty));
    return 0;
}

void save_guest_stop(struct save_guest *guest)
{
    guest->pausing = false;
    guest->running = false;
    guest->pauses++;
    memcpy(guest->stopped_memory, guest->memory, SAVE_GUEST_BYTES);
    guest->stopped_beats = guest->beats;
    vmm_save_paused(guest->save, guest->pause_rc);
}

static void pause_guest(void *context)
{
    struct save_guest *guest = context;

    guest->pausing = true;
    if (!guest->pause_waits)
        save_guest_stop(guest);
}

static void resume_guest(void *context)
{
    struct save_guest *guest = context;

    guest->running = true;
    guest->resumes++;
}

static void throttle(void *context, unsigned percent)
{
    struct save_guest *guest = context;

    guest->throttle_percent = percent;
    if (percent > guest->throttle_most)
        guest->throttle_most = percent;
}

static int state(void *context, struct vmm_save_tlv_writer *writer)
{
    struct save_guest *guest = context;

    if (guest->state_fails)
        return -EIO;
    hw_write_le64(vmm_save_tlv_begin(writer, SECTION_BEATS, 0, 1, true), guest->beats);
    vmm_save_tlv_end(writer);
    hw_write_zeroes(vmm_save_tlv_begin(writer, SECTION_BULK, 3, 2, true), 9001);
    vmm_save_tlv_end(writer);
    hw_write_bytes(vmm_save_tlv_begin(writer, SECTION_HINT, 0, 1, false), "hint", 4);
    vmm_save_tlv_end(writer);
    return 0;
}

static bool unloaded(void *context, uint64_t block, struct vmm_save_carried *ret_carried)
{
    struct save_guest *guest = context;

    *ret_carried = guest->carried[block];
    return guest->unloaded[block];
}

static void ended(void *context, enum vmm_save_outcome outcome, int rc)
{
    struct save_guest *guest = context;

    guest->ended = true;
    guest->outcome = outcome;
    guest->rc = rc;
}

static void frozen(void *context, int rc)
{
    struct save_guest *guest = context;

    guest->frozen++;
    guest->rc = rc;
}

static uint64_t now_ns(void *context)
{
    const struct save_guest *guest = context;

    return guest->now_ns;
}

static void wake(void *context, uint64_t at_ns)
{
    struct save_guest *guest = context;

    guest->wake_ns = at_ns;
}

static int next_data(void *context, uint64_t page, uint64_t *ret_first, uint64_t *ret_count)
{
    const struct save_guest *guest = context;
    uint64_t first = page, end;

    while (first < SAVE_GUEST_PAGES && !guest->data[first])
        first++;
    if (first == SAVE_GUEST_PAGES)
        return -ENOENT;
    for (end = first; end < SAVE_GUEST_PAGES && guest->data[end];)
        end++;
    *ret_first = first;
    *ret_count = end - first;
    return 0;
}

struct vmm_save_memory save_guest_memory(struct save_guest *guest)
{
    return (struct vmm_save_memory) {
        .ranges = guest->ranges, .count = 2, .next_data = next_data, .context = guest
    };
}

struct vmm_save_guest save_guest_callbacks(struct save_guest *guest)
{
    return (struct vmm_save_guest) { .track = track,
                                     .dirty = take_dirty,
                                     .pause = pause_guest,
                                     .resume = resume_guest,
                                     .throttle = throttle,
                                     .state = state,
                                     .unloaded = unloaded,
                                     .ended = ended,
                                     .frozen = frozen,
                                     .now_ns = now_ns,
                                     .wake = wake,
                                     .context = guest };
}

uint64_t save_guest_area_bytes(void)
{
    uint64_t bytes = 0;

    if (sto_state_area_bytes(SAVE_GUEST_BYTES, SAVE_GUEST_CPUS, &bytes) < 0)
        abort();
    return bytes;
}

struct vmm_save_options save_guest_options(struct save_guest *guest, uint16_t node,
                                           uint32_t owner_generation)
{
    return (struct vmm_save_options) { .vm_uuid = { 1, 2, 3, 4 },
                                       .node = node,
                                       .owner_generation = owner_generation,
                                       .cpus = SAVE_GUEST_CPUS,
                                       .area_bytes = save_guest_area_bytes(),
                                       .saved_s = 1795000000,
                                       .needs = &guest->needs };
}
