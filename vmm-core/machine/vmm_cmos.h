/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The real-time clock of a PC with its battery-backed memory: an MC146818A at ports 70h and 71h
 * (Motorola data sheet; IBM PC/AT Technical Reference, "Real-Time Clock/CMOS RAM Information"), and
 * in its memory what firmware wants to know of the machine. Its time is the host's wall clock,
 * moved by whatever the guest set; so a guest that was saved finds the time that has gone by.
 *
 * Where the wall clock is set back by less than two seconds (as between two hosts), the clock
 * stands until it is reached again; where it is set back further, the clock follows. The bit of
 * port 70h that masks NMI, the square wave and daylight saving are kept and do nothing.
 */
#ifndef VMM_CMOS_H
#define VMM_CMOS_H

#include "vmm-core/machine/vmm_bus.h"
#include "vmm-core/machine/vmm_dev.h"
#include "vmm-core/machine/vmm_rtc.h"

/* What firmware tries to boot from, by its number in the memory. */
enum vmm_cmos_boot {
    VMM_CMOS_BOOT_NONE,
    VMM_CMOS_BOOT_FLOPPY,
    VMM_CMOS_BOOT_DISK,
    VMM_CMOS_BOOT_CD,
    VMM_CMOS_BOOT_NETWORK,
};

/* What the battery keeps while the machine is off: time, and memory. Its content is the device's.
 */
struct vmm_cmos_battery {
    bool charged; /* else there is nothing, and the clock is set by the wall clock */
    uint8_t ram[VMM_RTC_BYTES];
    int64_t second_at_ns, seen_ns;
};

struct vmm_cmos_config {
    uint64_t low_bytes, high_bytes;         /* of memory, below and from 4 GiB */
    unsigned cpus;                          /* 1 to 256 */
    enum vmm_cmos_boot boot[3];             /* in this order */
    const struct vmm_cmos_battery *battery; /* of the machine before a reset; NULL: none */
};

struct vmm_cmos_clock {
    /* Wall clock: nanoseconds since 1970, UTC; from 0 to the year 2116. Never blocks. */
    int64_t (*wall_ns)(void *context);
    /* Call vmm_cmos_wake() when the wall clock shows `at_ns`, or was set; INT64_MAX: do not. One
     * order takes the place of the one before. From within any call; never blocks. */
    void (*wake_at)(void *context, int64_t at_ns);
    void *context;
};

struct vmm_cmos;

/*
 * A clock that shows the wall clock, UTC, or goes on from its battery, and raises `line` (IRQ 8).
 * `ret_dev` is for the machine; `ret_cmos` lives as long. 0, -ENOMEM, or what vmm_bus_add() says.
 */
int vmm_cmos_new(struct vmm_bus *bus, const struct vmm_line *line,
                 const struct vmm_cmos_config *config, const struct vmm_cmos_clock *clock,
                 struct vmm_dev *ret_dev, struct vmm_cmos **ret_cmos);
/* What is kept for the device of the same machine after a reset. */
void vmm_cmos_keep(struct vmm_cmos *cmos, struct vmm_cmos_battery *ret_battery);
/* What clock.wake_at() asked for; too early or once too often does no harm. */
void vmm_cmos_wake(struct vmm_cmos *cmos);

#endif
