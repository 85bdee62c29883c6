/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image that is read. Behind it are ones.
 */
#include "config.h"

#include "vmm-core/machine/vmm_pci_rom.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_le.h"
#include "vmm-core/machine/vmm_dev_ids.h"

enum { HEAD_BYTES = 3, SIGNATURE_0 = 0x55, SIGNATURE_1 = 0xaa, UNIT_BYTES = 512 };

struct rom {
    uint32_t bytes;
    uint8_t image[VMM_PCI_ROM_BYTES];
};

bool vmm_pci_rom_is(const void *image, size_t bytes)
{
    const uint8_t *head = image;

    return bytes >= HEAD_BYTES && bytes <= VMM_PCI_ROM_BYTES && head[0] == SIGNATURE_0 &&
           head[1] == SIGNATURE_1 && head[2] > 0 && head[2] * (size_t)UNIT_BYTES <= bytes;
}

/* --- what the guest does --- */

static uint64_t rom_read(void *dev, uint64_t offset, unsigned bytes)
{
    return hw_le_load(((const struct rom *)dev)->image + offset, bytes);
}

static void rom_write(void *dev, uint64_t offset, unsigned bytes, uint64_t value)
{
    (void)dev;
    (void)offset;
    (void)bytes;
    (void)value;
}

static const struct vmm_range_ops rom_ops = { rom_read, rom_write };

/* --- for the machine --- */

static void rom_state(void *dev, struct vmm_state *state)
{
    struct rom *rom = dev;
    uint32_t bytes = rom->bytes;

    vmm_state_u32(state, &bytes);
    vmm_state_require(state, bytes > 0 && bytes <= VMM_PCI_ROM_BYTES);
    if (bytes == 0 || bytes > VMM_PCI_ROM_BYTES)
        return;
    rom->bytes = bytes;
    vmm_state_bytes(state, rom->image, bytes);
    if (state->loading)
        memset(rom->image + bytes, 0xff, sizeof(rom->image) - bytes);
}

static void rom_fini(void *dev)
{
    free(dev);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "expansion ROM",
    .id = VMM_DEV_PCI_ROM,
    .version = 1,
    .state = rom_state,
    .fini = rom_fini,
};

int vmm_pci_rom_new(struct vmm_pci_function *function, const void *image, size_t bytes,
                    struct vmm_dev *ret_dev)
{
    struct rom *rom;
    int rc;

    if (!vmm_pci_rom_is(image, bytes))
        return -EINVAL;
    rom = malloc(sizeof(*rom));
    if (rom == NULL)
        return -ENOMEM;
    rom->bytes = (uint32_t)bytes;
    memset(rom->image, 0xff, sizeof(rom->image));
    memcpy(rom->image, image, bytes);
    rc = vmm_pci_add_rom(function, VMM_PCI_ROM_BYTES, &rom_ops, rom);
    if (rc < 0) {
        free(rom);
        return rc;
    }
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = rom };
    return 0;
}
