/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An i8042 keyboard controller with a keyboard that nobody types on (IBM PS/2 Hardware Interface
 * Technical Reference, "Keyboard and Auxiliary Device Controller"; 8042 of the PC/AT). Firmware and
 * kernels test it, identify the keyboard and reset the machine through it. There is no auxiliary
 * device.
 */
#ifndef VMM_I8042_H
#define VMM_I8042_H

#include "vmm-core/machine/vmm_bus.h"
#include "vmm-core/machine/vmm_dev.h"

/*
 * A controller at ports 60h and 64h, which raises `line` while there is something to read and
 * calls `reset` when the guest pulls the processor's reset line (from within the access, with the
 * machine's lock held). 0, -ENOMEM, or what vmm_bus_add() says.
 */
int vmm_i8042_new(struct vmm_bus *bus, const struct vmm_line *line, void (*reset)(void *context),
                  void *context, struct vmm_dev *ret_dev);

#endif
