/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the test guest reads of the ACPI tables (ACPI 6.4, 5.2): processors in the MADT, power
 * management in the FADT, the sleep state S5 in the DSDT by its name. Without tables there is one
 * processor. Checksums are judged: a wrong one is fatal.
 */
#include "tests/guest/kernel.h"

#include "tests/guest/base.h"

enum {
    HEAD_BYTES = 36,
    MADT_ENTRIES = 44,
    MADT_APIC = 0,
    APIC_ENABLED = 1,
    FADT_DSDT = 40,
    FADT_PM1A_EVENT = 56,
    FADT_PM1A_CONTROL = 64,
    FADT_PM1_EVENT_BYTES = 88,
    FADT_PM_TIMER = 76,
    RSDP_RSDT = 16,
    RSDP_BYTES = 20,
};

static uint32_t word32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static const uint8_t *checked(uint64_t at)
{
    const uint8_t *table = (const uint8_t *)at;
    const uint32_t bytes = word32(table + 4);
    uint8_t sum = 0;

    for (uint32_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + table[i]);
    if (sum != 0)
        kernel_fatal("an ACPI table's checksum is wrong", NULL);
    return table;
}

static unsigned read_madt(const uint8_t *table, uint32_t ids[GUEST_CPUS])
{
    const uint32_t bytes = word32(table + 4);
    unsigned count = 0;

    for (uint32_t at = MADT_ENTRIES; at + 8 <= bytes && table[at + 1] != 0; at += table[at + 1])
        if (table[at] == MADT_APIC && (word32(table + at + 4) & APIC_ENABLED) != 0 &&
            count < GUEST_CPUS)
            ids[count++] = table[at + 3];
    return count;
}

/* \_S5_ is a package whose first element is SLP_TYPa: a byte, or the names 0 and 1. */
static uint16_t find_s5(const uint8_t *dsdt)
{
    const uint32_t bytes = word32(dsdt + 4);

    for (uint32_t at = HEAD_BYTES; at + 8 < bytes; at++) {
        uint32_t value = at + 7; /* name, package, length, count */

        if (memcmp(dsdt + at, "_S5_", 4) != 0 || dsdt[at + 4] != 0x12)
            continue;
        if (dsdt[value] == 0x0a)
            value++;
        return (uint16_t)((dsdt[value] & 7) << 10);
    }
    return 0;
}

unsigned kernel_acpi(uint64_t rsdp_at, uint32_t ids[GUEST_CPUS])
{
    const uint8_t *rsdt;
    unsigned count = 0;

    ids[0] = cpu_blocks[0].cpu.apic_id;
    if (rsdp_at == 0)
        return 1;
    rsdt = checked(word32((const uint8_t *)rsdp_at + RSDP_RSDT));
    for (uint32_t at = HEAD_BYTES; at + 4 <= word32(rsdt + 4); at += 4) {
        const uint8_t *table = checked(word32(rsdt + at));

        if (memcmp(table, "APIC", 4) == 0)
            count = read_madt(table, ids);
        if (memcmp(table, "FACP", 4) == 0) {
            guest.pm_control_port = (uint16_t)word32(table + FADT_PM1A_CONTROL);
            guest.pm_event_port = (uint16_t)word32(table + FADT_PM1A_EVENT);
            guest.pm_enable_port =
                (uint16_t)(guest.pm_event_port + table[FADT_PM1_EVENT_BYTES] / 2);
            guest.pm_timer_port = (uint16_t)word32(table + FADT_PM_TIMER);
            guest.pm_s5 = find_s5(checked(word32(table + FADT_DSDT)));
        }
    }
    return count == 0 ? 1 : count;
}
