/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The single ports of a PC that firmware and kernels expect:
 *   92h        system control port A (IBM PS/2 Hardware Interface Technical Reference): a fast
 * reset of the processor; the gate of A20 is kept and does nothing, A20 is always on b2h, b3h   APM
 * control and status (Intel 82371SB data sheet, 2.5.4): kept; there is no SMM 402h       what
 * SeaBIOS says about itself (its docs/Debugging.md) 505h       pvpanic (QEMU
 * docs/specs/pvpanic.rst, ISA interface)
 */
#ifndef VMM_PORTS_H
#define VMM_PORTS_H

#include "vmm-core/machine/vmm_bus.h"
#include "vmm-core/machine/vmm_dev.h"

enum {
    VMM_PORTS_LINE_BYTES = 256,    /* with the end */
    VMM_PORTS_LINES_BYTES = 65536, /* of all lines; then there are no more until a reset */
};

/* Bits of pvpanic. */
enum vmm_ports_event {
    VMM_PORTS_PANIC = 1,    /* the guest has panicked, and does nothing about it */
    VMM_PORTS_CRASH = 2,    /* it has, and is writing its memory away */
    VMM_PORTS_SHUTDOWN = 4, /* it is about to end regularly */
};

/* All from within an access, with the machine's lock held; they never block. */
struct vmm_ports_callbacks {
    void (*reset)(void *context);
    /* At least one bit; the guest may say so as often as it likes. */
    void (*event)(void *context, unsigned events);
    /* A line of the firmware's, printable. */
    void (*line)(void *context, const char *text);
    void *context;
};

/* 0, -ENOMEM, or what vmm_bus_add() says. */
int vmm_ports_new(struct vmm_bus *bus, const struct vmm_ports_callbacks *callbacks,
                  struct vmm_dev *ret_dev);

#endif
