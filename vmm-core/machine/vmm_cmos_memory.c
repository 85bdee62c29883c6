/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What firmware finds in the clock's memory (IBM PC/AT Technical Reference, "Real-Time Clock/CMOS
 * RAM Information"; SeaBIOS src/hw/rtc.h for what came later).
 */
#include "config.h"

#include "vmm-core/machine/vmm_cmos_priv.h"

#include "common/hw_le.h"

enum {
    FLOPPIES = 0x10,
    EQUIPMENT = 0x14,
    BASE_KIB = 0x15,
    EXTENDED_KIB = 0x17,
    CHECKED_END = 0x2e, /* of 10h to 2dh; the sum is here, high byte first */
    EXTENDED_KIB_FOUND = 0x30,
    ABOVE_16M_64KIB = 0x34,
    BOOT_THIRD = 0x38, /* high half; bit 0: a floppy's signature is not checked */
    BOOT_FIRST_SECOND = 0x3d,
    ABOVE_4G_64KIB = 0x5b,
    CPUS_LESS_ONE = 0x5f,
};
enum { EQUIPMENT_FPU = 2, BASE_MEMORY_KIB = 640 };

static void put(uint8_t *ram, unsigned at, unsigned bytes, uint64_t value)
{
    const uint64_t most = (UINT64_C(1) << (8 * bytes)) - 1;

    hw_le_store(ram + at, bytes, value < most ? value : most);
}

static void put_sum(uint8_t *ram)
{
    unsigned sum = 0;

    for (unsigned i = FLOPPIES; i < CHECKED_END; i++)
        sum += ram[i];
    ram[CHECKED_END] = (uint8_t)(sum >> 8);
    ram[CHECKED_END + 1] = (uint8_t)sum;
}

void cmos_describe(uint8_t ram[VMM_RTC_BYTES], const struct vmm_cmos_config *config)
{
    const uint64_t low = config->low_bytes, mib = 1 << 20;
    const uint64_t above_1m = low > mib ? low - mib : 0;
    const uint64_t above_16m = low > 16 * mib ? low - 16 * mib : 0;

    ram[EQUIPMENT] = EQUIPMENT_FPU;
    put(ram, BASE_KIB, 2, BASE_MEMORY_KIB);
    put(ram, EXTENDED_KIB, 2, above_1m >> 10);
    put(ram, EXTENDED_KIB_FOUND, 2, above_1m >> 10);
    put(ram, ABOVE_16M_64KIB, 2, above_16m >> 16);
    put(ram, ABOVE_4G_64KIB, 3, config->high_bytes >> 16);
    put(ram, CPUS_LESS_ONE, 1, config->cpus - 1);
    put(ram, BOOT_FIRST_SECOND, 1, config->boot[0] | (uint64_t)config->boot[1] << 4);
    put(ram, BOOT_THIRD, 1, (uint64_t)config->boot[2] << 4);
    put_sum(ram);
}
