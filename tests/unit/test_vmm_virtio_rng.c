/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/virtio/vmm_virtio_rng: requests get entropy, as much as a turn may cost and no more.
 */
#include <config.h>

#include "vmm-core/virtio/vmm_virtio_rng.h"

#include <errno.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/virtio_world.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { SIZE = VMM_VIRTIO_RNG_QUEUE_SIZE, STATE_BYTES = VMM_PCI_STATE_BYTES + 25 + 31 };

struct source {
    struct virtio_world world;
    unsigned calls;
    size_t most;  /* that it gives at once */
    bool goes_on; /* the guest asks again meanwhile */
};

static struct source s;
static struct virtio_world *const w = &s.world;

static size_t fill(void *context, void *bytes, size_t count)
{
    struct source *source = context;

    CU_ASSERT_TRUE(count > 0 && count <= VMM_VIRTIO_RNG_CHAIN_BYTES);
    source->calls++;
    if (source->goes_on)
        offer(w, 0, SIZE, 0);
    count = count < source->most ? count : source->most;
    memset(bytes, 0x5a, count);
    return count;
}

static int make(void)
{
    const struct vmm_entropy entropy = { fill, &s };

    return vmm_virtio_rng_new(w->pci, VIRTIO_SLOT, w->mem, &entropy, &w->dev, &w->msix);
}

static void begin(void)
{
    s = (struct source) { .most = VMM_VIRTIO_RNG_CHAIN_BYTES };
    virtio_world_begin(w);
    CU_ASSERT_EQUAL_FATAL(make(), 0);
    virtio_drive(w, VERSION_1, 1, SIZE);
}

static void end(void)
{
    w->msix.ops->fini(w->msix.dev);
    w->dev.ops->fini(w->dev.dev);
    virtio_world_end(w);
}

static void request(unsigned i, unsigned at, unsigned bytes, unsigned flags)
{
    const struct vh_desc desc = { DATA + at, bytes, (uint16_t)flags, (uint16_t)(i + 1) };

    descriptor(w, 0, i, &desc);
}

static unsigned filled(unsigned at, unsigned bytes)
{
    unsigned count = 0;

    for (unsigned i = 0; i < bytes; i++)
        count += w->memory[DATA + at + i] == 0x5a;
    return count;
}

/* What used entry `i` says was written. */
static unsigned written(unsigned i)
{
    return word(w, USED + 4 + i * 8 + 4) | (unsigned)word(w, USED + 4 + i * 8 + 6) << 16;
}

static void it_is_found(void)
{
    begin();
    CU_ASSERT_EQUAL(pci_read(w->bus, VIRTIO_SLOT, 0, 0, 4), 0x10441af4);
    CU_ASSERT_EQUAL(pci_read(w->bus, VIRTIO_SLOT, 0, 9, 1), 0);
    CU_ASSERT_EQUAL(pci_read(w->bus, VIRTIO_SLOT, 0, 10, 2), 0x00ff);
    CU_ASSERT_EQUAL(reg(w, QUEUE_COUNT, 2), 1);
    CU_ASSERT_EQUAL(w->dev.ops->id, VMM_DEV_VIRTIO_RNG);
    end();
}

static void requests_are_filled(void)
{
    begin();
    request(0, 0, 16, VH_DESC_F_NEXT); /* to be read: not touched */
    request(1, 64, 10, VH_DESC_F_NEXT | VH_DESC_F_WRITE);
    request(2, 128, 20, VH_DESC_F_WRITE);
    offer(w, 0, SIZE, 0);
    request(3, 256, 8, 0); /* nowhere to write to */
    offer(w, 0, SIZE, 3);
    kick(w, 0);
    CU_ASSERT_EQUAL(word(w, USED + 2), 2);
    CU_ASSERT_EQUAL(written(0), 30);
    CU_ASSERT_EQUAL(written(1), 0);
    CU_ASSERT_EQUAL(s.calls, 1);
    CU_ASSERT_EQUAL(filled(64, 10), 10);
    CU_ASSERT_EQUAL(filled(128, 20), 20);
    CU_ASSERT_EQUAL(filled(0, 1024), 30);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 1);
    kick(w, 0);
    CU_ASSERT_EQUAL(reg(w, ISR_PAGE, 1), 0); /* nothing was done */
    end();
}

static void as_much_as_there_is(void)
{
    begin();
    s.most = 5;
    request(0, 0, 16, VH_DESC_F_WRITE);
    offer(w, 0, SIZE, 0);
    kick(w, 0);
    CU_ASSERT_EQUAL(written(0), 5);
    CU_ASSERT_EQUAL(filled(0, 64), 5);
    s.most = 0;
    offer(w, 0, SIZE, 0);
    kick(w, 0);
    CU_ASSERT_EQUAL(written(1), 0);
    CU_ASSERT_EQUAL(word(w, USED + 2), 2);
    end();
}

static void no_more_than_a_turn_may_cost(void)
{
    begin();
    request(0, 0, 3000, VH_DESC_F_NEXT | VH_DESC_F_WRITE);
    request(1, 3000, 30000, VH_DESC_F_WRITE);
    offer(w, 0, SIZE, 0);
    kick(w, 0);
    CU_ASSERT_EQUAL(written(0), VMM_VIRTIO_RNG_CHAIN_BYTES);
    CU_ASSERT_EQUAL(filled(0, 33000), VMM_VIRTIO_RNG_CHAIN_BYTES);
    s.calls = 0;
    s.goes_on = true;
    offer(w, 0, SIZE, 0);
    kick(w, 0);
    CU_ASSERT_EQUAL(s.calls, SIZE);
    end();
}

static void it_comes_back(void)
{
    uint8_t bytes[STATE_BYTES], again[STATE_BYTES];

    begin();
    request(0, 0, 16, VH_DESC_F_WRITE);
    offer(w, 0, SIZE, 0);
    dev_save(&w->dev, bytes, sizeof(bytes));
    CU_ASSERT_EQUAL(dev_load(&w->dev, bytes, sizeof(bytes) - 1), -EBADMSG);
    CU_ASSERT_EQUAL(dev_load(&w->dev, bytes, sizeof(bytes)), 0);
    dev_save(&w->dev, again, sizeof(again));
    CU_ASSERT_EQUAL(memcmp(bytes, again, sizeof(bytes)), 0);
    CU_ASSERT_EQUAL(s.calls, 0);
    vmm_dev_resume(&w->dev);
    CU_ASSERT_EQUAL(written(0), 16);
    vmm_dev_reset(&w->dev);
    CU_ASSERT_EQUAL(w->pirqs, 0);
    virtio_map(w);
    CU_ASSERT_EQUAL(reg(w, DEVICE_STATUS, 1), 0);
    end();
}

static void without_memory(void)
{
    virtio_world_begin(w);
    (void)fail_alloc_each(make);
    end();
}

const struct unit_case unit_cases[] = {
    { "it is found", it_is_found },
    { "requests are filled", requests_are_filled },
    { "as much as there is", as_much_as_there_is },
    { "no more than a turn may cost", no_more_than_a_turn_may_cost },
    { "it comes back", it_comes_back },
    { "without memory", without_memory },
    { 0 },
};
