/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An image and its size. The guest cannot write it.
 */
#include "config.h"

#include "vmm-core/machine/vmm_firmware.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm-core/machine/vmm_dev_ids.h"

enum { ENTRY_BYTES = 16, JUMP_FAR = 0xea, JUMP_NEAR = 0xe9, JUMP_SHORT = 0xeb };

struct firmware {
    uint8_t *rom;
    uint32_t bytes; /* of the image, at its end */
};

static bool is_size(size_t bytes)
{
    return bytes > 0 && bytes <= VMM_FIRMWARE_BYTES && bytes % VMM_FIRMWARE_STEP_BYTES == 0;
}

bool vmm_firmware_is(const void *image, size_t bytes)
{
    uint8_t first;

    if (!is_size(bytes))
        return false;
    first = ((const uint8_t *)image)[bytes - ENTRY_BYTES];
    return first == JUMP_FAR || first == JUMP_NEAR || first == JUMP_SHORT;
}

static void firmware_state(void *dev, struct vmm_state *state)
{
    struct firmware *firmware = dev;
    uint32_t bytes = firmware->bytes;

    vmm_state_u32(state, &bytes);
    vmm_state_require(state, is_size(bytes));
    if (!is_size(bytes))
        return;
    firmware->bytes = bytes;
    if (state->loading)
        memset(firmware->rom, 0xff, VMM_FIRMWARE_BYTES - bytes);
    vmm_state_bytes(state, firmware->rom + VMM_FIRMWARE_BYTES - bytes, bytes);
}

static void firmware_fini(void *dev)
{
    free(dev);
}

static const struct vmm_dev_ops dev_ops = {
    .name = "firmware",
    .id = VMM_DEV_FIRMWARE,
    .version = 1,
    .state = firmware_state,
    .fini = firmware_fini,
};

int vmm_firmware_new(uint8_t *rom, const void *image, size_t bytes, struct vmm_dev *ret_dev)
{
    struct firmware *firmware;

    if (!vmm_firmware_is(image, bytes))
        return -EINVAL;
    firmware = calloc(1, sizeof(*firmware));
    if (firmware == NULL)
        return -ENOMEM;
    *firmware = (struct firmware) { .rom = rom, .bytes = (uint32_t)bytes };
    memset(rom, 0xff, VMM_FIRMWARE_BYTES - bytes);
    memcpy(rom + VMM_FIRMWARE_BYTES - bytes, image, bytes);
    *ret_dev = (struct vmm_dev) { .ops = &dev_ops, .dev = firmware };
    return 0;
}
