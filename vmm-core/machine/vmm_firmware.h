/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firmware's image, as a device that keeps it: a guest goes on with the firmware that it was
 * started with, on whatever host. Who maps it for the guest is the machine's business. Pure.
 */
#ifndef VMM_FIRMWARE_H
#define VMM_FIRMWARE_H

#include <stddef.h>

#include "vmm-core/machine/vmm_dev.h"

enum { VMM_FIRMWARE_BYTES = 256 << 10, VMM_FIRMWARE_STEP_BYTES = 64 << 10 };

/* Can these bytes be a PC's firmware: at most VMM_FIRMWARE_BYTES, in whole steps, with a jump 16
 * bytes before their end, where the processor begins? */
bool vmm_firmware_is(const void *image, size_t bytes);
/*
 * `rom`, VMM_FIRMWARE_BYTES, which must live as long, ends with the image; before it are ones.
 * `ret_dev` is for the machine. 0; -EINVAL: it is no firmware; -ENOMEM.
 */
int vmm_firmware_new(uint8_t *rom, const void *image, size_t bytes, struct vmm_dev *ret_dev);

#endif
