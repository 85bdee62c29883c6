/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_firmware, vmm-core/machine/vmm_boot_order: what firmware is, that it moves
 * with its guest, and what it is told to boot from.
 */
#include <config.h>

#include "vmm-core/machine/vmm_firmware.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"
#include "vmm-core/machine/vmm_boot_order.h"

enum { STEP = VMM_FIRMWARE_STEP_BYTES, STATE_BYTES = VMM_FIRMWARE_BYTES + 64 };

static uint8_t *image_of(size_t bytes, uint8_t fill)
{
    uint8_t *image = malloc(bytes);

    memset(image, fill, bytes);
    image[bytes - 16] = 0xea;
    return image;
}

static void what_firmware_is(void)
{
    uint8_t *image = image_of(5 * STEP, 0x90);

    CU_ASSERT_FALSE(vmm_firmware_is(image, 0));
    CU_ASSERT_FALSE(vmm_firmware_is(image, 5 * STEP)); /* too large */
    for (unsigned steps = 1; steps <= 4; steps++) {
        CU_ASSERT_FALSE(vmm_firmware_is(image, (size_t)steps * STEP)); /* no jump */
        image[steps * STEP - 16] = steps % 2 == 0 ? 0xe9 : 0xeb;
        CU_ASSERT_TRUE(vmm_firmware_is(image, (size_t)steps * STEP));
    }
    image[STEP - 17] = 0xea;
    CU_ASSERT_FALSE(vmm_firmware_is(image, STEP - 1)); /* no whole step */
    free(image);
}

static size_t save(const struct vmm_dev *dev, uint8_t *bytes, size_t size)
{
    struct hw_writer writer = hw_writer_over(bytes, size);
    struct vmm_state state = vmm_state_saving(&writer, 1);

    dev->ops->state(dev->dev, &state);
    CU_ASSERT_EQUAL(vmm_state_end(&state), 0);
    return writer.at;
}

static int load(const struct vmm_dev *dev, const uint8_t *bytes, size_t size)
{
    struct vmm_state state = vmm_state_loading(bytes, size, 1);

    dev->ops->state(dev->dev, &state);
    return vmm_state_end(&state);
}

static void it_moves_with_its_guest(void)
{
    uint8_t *one = image_of(2 * STEP, 1), *two = image_of(4 * STEP, 2);
    uint8_t *rom_one = malloc(VMM_FIRMWARE_BYTES), *rom_two = malloc(VMM_FIRMWARE_BYTES);
    uint8_t *state = calloc(1, STATE_BYTES);
    struct vmm_dev dev_one, dev_two;
    size_t bytes;

    CU_ASSERT_EQUAL_FATAL(vmm_firmware_new(rom_one, one, 2 * STEP, &dev_one), 0);
    CU_ASSERT_EQUAL_FATAL(vmm_firmware_new(rom_two, two, 4 * STEP, &dev_two), 0);
    CU_ASSERT_EQUAL(rom_one[0], 0xff);
    CU_ASSERT_EQUAL(rom_one[2 * STEP - 1], 0xff);
    CU_ASSERT_EQUAL(memcmp(rom_one + 2 * STEP, one, 2 * STEP), 0);
    CU_ASSERT_EQUAL(memcmp(rom_two, two, 4 * STEP), 0);
    bytes = save(&dev_one, state, STATE_BYTES);
    CU_ASSERT_EQUAL(bytes, 4 + 2 * STEP);
    CU_ASSERT_EQUAL(load(&dev_two, state, bytes), 0);
    CU_ASSERT_EQUAL(memcmp(rom_two, rom_one, VMM_FIRMWARE_BYTES), 0);
    CU_ASSERT_EQUAL(save(&dev_two, state, STATE_BYTES), bytes);
    CU_ASSERT_EQUAL(load(&dev_two, state, bytes - 1), -EBADMSG);
    CU_ASSERT_EQUAL(load(&dev_two, state, bytes + 1), -EBADMSG);
    state[0] = 1; /* no whole step */
    CU_ASSERT_EQUAL(load(&dev_two, state, bytes), -EBADMSG);
    memset(state, 0xff, 4);
    CU_ASSERT_EQUAL(load(&dev_two, state, STATE_BYTES), -EBADMSG);
    memset(state, 0, 4);
    CU_ASSERT_EQUAL(load(&dev_two, state, 4), -EBADMSG);
    dev_one.ops->fini(dev_one.dev);
    dev_two.ops->fini(dev_two.dev);
    free(state);
    free(rom_two);
    free(rom_one);
    free(two);
    free(one);
}

static void what_is_none(void)
{
    uint8_t *image = image_of(STEP, 1), *rom = malloc(VMM_FIRMWARE_BYTES);
    struct vmm_dev dev;

    CU_ASSERT_EQUAL(vmm_firmware_new(rom, image, STEP / 2, &dev), -EINVAL);
    fail_alloc_arm(0);
    CU_ASSERT_EQUAL(vmm_firmware_new(rom, image, STEP, &dev), -ENOMEM);
    CU_ASSERT_TRUE(fail_alloc_disarm());
    free(rom);
    free(image);
}

static void in_the_order_that_is_wanted(void)
{
    static const struct vmm_boot_device devices[] = {
        { true, 19 }, { false, 3 }, { true, 31 }, { false, 18 }
    };
    char text[VMM_BOOT_ORDER_BYTES];

    CU_ASSERT_EQUAL(vmm_boot_order(devices, 4, false, text), strlen(text));
    CU_ASSERT_STRING_EQUAL(text, "/pci@i0cf8/scsi@3/disk@0,0\n"
                                 "/pci@i0cf8/scsi@12/disk@0,0\n"
                                 "/pci@i0cf8/ethernet@13/ethernet-phy@0\n"
                                 "/pci@i0cf8/ethernet@1f/ethernet-phy@0\n");
    CU_ASSERT_EQUAL(vmm_boot_order(devices, 2, true, text), strlen(text));
    CU_ASSERT_STRING_EQUAL(text, "/pci@i0cf8/ethernet@13/ethernet-phy@0\n"
                                 "/pci@i0cf8/scsi@3/disk@0,0\n");
    CU_ASSERT_EQUAL(vmm_boot_order(devices, 0, true, text), 0);
    CU_ASSERT_STRING_EQUAL(text, "");
}

static void no_more_than_there_is_room_for(void)
{
    struct vmm_boot_device devices[VMM_BOOT_DEVICES + 1] = { 0 };
    char text[VMM_BOOT_ORDER_BYTES];
    size_t bytes;

    for (unsigned i = 0; i <= VMM_BOOT_DEVICES; i++)
        devices[i] = (struct vmm_boot_device) { .network = true, .slot = 31 };
    bytes = vmm_boot_order(devices, VMM_BOOT_DEVICES + 1, true, text);
    CU_ASSERT_EQUAL(bytes, strlen(text));
    CU_ASSERT_EQUAL(bytes, VMM_BOOT_DEVICES * strlen("/pci@i0cf8/ethernet@1f/ethernet-phy@0\n"));
}

const struct unit_case unit_cases[] = {
    { "what firmware is", what_firmware_is },
    { "it moves with its guest", it_moves_with_its_guest },
    { "what is none", what_is_none },
    { "a boot order is the one that is wanted", in_the_order_that_is_wanted },
    { "and not longer than there is room for", no_more_than_there_is_room_for },
    { 0 },
};
