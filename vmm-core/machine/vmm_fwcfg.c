/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ports. A transfer into memory is done within the access that asks for it; its order is copied
 * out of guest memory once, and answered there.
 */
#include "config.h"

#include "vmm-core/machine/vmm_fwcfg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm-core/machine/vmm_dev_ids.h"
#include "vmm-core/machine/vmm_fwcfg_priv.h"

enum { SELECTOR_PORT = 0x510, SELECTOR_PORTS = 2, DATA = 1, DMA_PORT = 0x514, DMA_PORTS = 8 };
enum { HAS_PORTS = 1, HAS_DMA = 2 };
/* the order: control, length, address, all big-endian (fw_cfg.rst, "Guest-side DMA Interface") */
enum { ORDER_BYTES = 16, ERROR = 1, READ = 2, SKIP = 4, SELECT = 8, WRITE = 16, KEY_SHIFT = 16 };
/* Behind an item are zeroes; a guest that has so many of them made has lost its way. */
enum { ZEROES_BYTES = 1 << 20 };

static const char signature[] = "QEMU", dma_signature[] = "QEMU CFG";

/* --- reading --- */

static void select_item(struct vmm_fwcfg *fwcfg, uint16_t key)
{
    fwcfg->key = key;
    fwcfg->offset = 0;
}

static void go_on(struct vmm_fwcfg *fwcfg, uint32_t count)
{
    fwcfg->offset = count > UINT32_MAX - fwcfg->offset ? UINT32_MAX : fwcfg->offset + count;
}

/* What is left of the item; NULL: zeroes. */
static const uint8_t *left(const struct vmm_fwcfg *fwcfg, uint32_t *ret_count)
{
    const uint8_t *bytes = NULL;
    uint32_t count = 0;

    if (!fwcfg_items_find(&fwcfg->items, fwcfg->key, &bytes, &count) || fwcfg->offset >= count)
        count = 0;
    else
        count -= fwcfg->offset;
    *ret_count = count;
    return bytes == NULL || count == 0 ? NULL : bytes + fwcfg->offset;
}

static uint8_t next_byte(struct vmm_fwcfg *fwcfg)
{
    uint32_t count;
    const uint8_t *bytes = left(fwcfg, &count);

    go_on(fwcfg, 1);
    return bytes != NULL ? *bytes : 0;
}

/* --- into memory --- */

static bool transfer(struct vmm_fwcfg *fwcfg, uint64_t guest_at, uint32_t wanted)
{
    uint32_t count;
    const uint8_t *bytes = left(fwcfg, &count);
    uint8_t *to;

    if (wanted == 0)
        return true;
    if (wanted > count && wanted - count > ZEROES_BYTES)
        return false;
    to = fwcfg->dma.at(fwcfg->dma.context, guest_at, wanted, true);
    if (to == NULL)
        return false;
    if (count > wanted)
        count = wanted;
    if (bytes != NULL)
        memcpy(to, bytes, count);
    else
        count = 0;
    memset(to + count, 0, wanted - count);
    go_on(fwcfg, wanted);
    return true;
}

static bool obey(struct vmm_fwcfg *fwcfg, uint32_t control, uint32_t count, uint64_t guest_at)
{
    if ((control & SELECT) != 0)
        select_item(fwcfg, (uint16_t)(control >> KEY_SHIFT));
    if ((control & READ) != 0)
        return transfer(fwcfg, guest_at, count);
    if ((control & WRITE) != 0)
        return false;
    if ((control & SKIP) != 0)
        go_on(fwcfg, count);
    return true;
}

/* An order that is not in memory has nowhere to be answered. */
static void take_order(struct vmm_fwcfg *fwcfg, uint64_t guest_at)
{
    uint8_t order[ORDER_BYTES];
    struct hw_reader reader;
    void *at = fwcfg->dma.at(fwcfg->dma.context, guest_at, ORDER_BYTES, true);
    struct hw_writer answer;
    uint32_t control, count;
    bool good;

    if (at == NULL)
        return;
    memcpy(order, at, sizeof(order));
    reader = hw_reader_over(order, sizeof(order));
    control = hw_read_be32(&reader);
    count = hw_read_be32(&reader);
    good = obey(fwcfg, control, count, hw_read_be64(&reader));
    answer = hw_writer_over(at, sizeof(control));
    hw_write_be32(&answer, good ? 0 : ERROR);
}

/* --- what the guest does --- */

static uint64_t data_read(void *dev, uint64_t offset, unsigned bytes)
{
    if (offset == DATA)
        return next_byte(dev);
    return bytes == 1 ? 0xff : 0xffff; /* the selector cannot be read */
}

static void selector_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    if (offset == 0 && bytes == SELECTOR_PORTS)
        select_item(dev, (uint16_t)value);
}

static uint64_t dma_read(void *dev, uint64_t offset, unsigned bytes)
{
    uint64_t value = 0;

    (void)dev;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)(uint8_t)dma_signature[offset + i] << (8 * i);
    return value;
}

/* Its high half waits for the low one. */
static void dma_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    struct vmm_fwcfg *fwcfg = dev;
    const uint32_t half = __builtin_bswap32((uint32_t)value);
    uint64_t guest_at;

    if (bytes != 4)
        return;
    if (offset == 0) {
        fwcfg->dma_high = half;
    } else if (offset == 4) {
        guest_at = (uint64_t)fwcfg->dma_high << 32 | half;
        fwcfg->dma_high = 0;
        take_order(fwcfg, guest_at);
    }
}

static const struct vmm_range_ops selector_ops = { data_read, selector_write };
static const struct vmm_range_ops dma_ops = { dma_read, dma_write };

/* --- for the machine --- */

static void fwcfg_reset(void *dev)
{
    struct vmm_fwcfg *fwcfg = dev;

    select_item(fwcfg, 0);
    fwcfg->dma_high = 0;
}

static void fwcfg_state(void *dev, struct vmm_state *state)
{
    struct vmm_fwcfg *fwcfg = dev;

    vmm_state_u16(state, &fwcfg->key);
    vmm_state_u32(state, &fwcfg->offset);
    vmm_state_u32(state, &fwcfg->dma_high);
    fwcfg_items_state(&fwcfg->items, state);
}

static void fwcfg_fini(void *dev)
{
    struct vmm_fwcfg *fwcfg = dev;

    (void)vmm_bus_remove(fwcfg->bus, VMM_PORTS, SELECTOR_PORT);
    (void)vmm_bus_remove(fwcfg->bus, VMM_PORTS, DMA_PORT);
    fwcfg_items_free(&fwcfg->items);
    free(fwcfg);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "firmware configuration",
    .id = VMM_DEV_FWCFG,
    .version = 1,
    .reset = fwcfg_reset,
    .state = fwcfg_state,
    .fini = fwcfg_fini,
};

static int add_own(struct vmm_fwcfg *fwcfg)
{
    static const uint8_t id[] = { HAS_PORTS | HAS_DMA, 0, 0, 0 };
    int rc = vmm_fwcfg_add(fwcfg, VMM_FWCFG_SIGNATURE, signature, strlen(signature));

    return rc < 0 ? rc : vmm_fwcfg_add(fwcfg, VMM_FWCFG_ID, id, sizeof(id));
}

int vmm_fwcfg_new(struct vmm_bus *bus, const struct vmm_dma *dma, struct vmm_dev *ret_dev,
                  struct vmm_fwcfg **ret_fwcfg)
{
    struct vmm_fwcfg *fwcfg = calloc(1, sizeof(*fwcfg));
    int rc;

    if (fwcfg == NULL)
        return -ENOMEM;
    fwcfg->bus = bus;
    fwcfg->dma = *dma;
    rc = add_own(fwcfg);
    if (rc == 0)
        rc = vmm_bus_add(bus, VMM_PORTS, SELECTOR_PORT, SELECTOR_PORTS, &selector_ops, fwcfg);
    if (rc == 0) {
        rc = vmm_bus_add(bus, VMM_PORTS, DMA_PORT, DMA_PORTS, &dma_ops, fwcfg);
        if (rc < 0)
            (void)vmm_bus_remove(bus, VMM_PORTS, SELECTOR_PORT);
    }
    if (rc < 0) {
        fwcfg_items_free(&fwcfg->items);
        free(fwcfg);
        return rc;
    }
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = fwcfg };
    *ret_fwcfg = fwcfg;
    return 0;
}

int vmm_fwcfg_add(struct vmm_fwcfg *fwcfg, uint16_t key, const void *bytes, size_t count)
{
    return fwcfg_items_add(&fwcfg->items, key, NULL, bytes, count, false);
}

int vmm_fwcfg_add_file(struct vmm_fwcfg *fwcfg, const char *name, const void *bytes, size_t count)
{
    return fwcfg_items_add(&fwcfg->items, 0, name, bytes, count, false);
}

int vmm_fwcfg_lend(struct vmm_fwcfg *fwcfg, uint16_t key, const void *bytes, size_t count)
{
    return fwcfg_items_add(&fwcfg->items, key, NULL, bytes, count, true);
}
