/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_acpi, vmm-core/machine/vmm_acpi_dsdt and vmm-core/machine/vmm_acpi_loader:
 * tables that are placed lead from one to the next and add up; scripts that make no sense, and no
 * room. (What is in them, as others read it: test_vmm_acpi.sh.)
 */
#include <config.h>

#include "vmm-core/machine/vmm_acpi.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

enum { MEMORY_BYTES = 1 << 20, ENTRY = 128 };

static uint8_t memory[MEMORY_BYTES];
static struct vmm_acpi_tables tables;
static uint64_t memory_end;

static void *memory_at(void *context, uint64_t guest_at, uint64_t bytes, bool writes)
{
    (void)context;
    CU_ASSERT_TRUE(writes);
    return guest_at <= memory_end && bytes <= memory_end - guest_at ? memory + guest_at : NULL;
}

static void make(unsigned cpus)
{
    const struct vmm_acpi_config config = { .cpus = cpus,
                                            .memory_gap_at = 0xc0000000,
                                            .serial_port = 0x3f8,
                                            .panic_port = 0x505,
                                            .fwcfg_port = 0x510 };

    memset(memory, 0xee, sizeof(memory));
    memory_end = MEMORY_BYTES;
    vmm_acpi_make(&config, &tables);
}

static int put(uint64_t *ret_rsdp_at)
{
    const struct vmm_dma dma = { memory_at, NULL };

    return vmm_acpi_place(&tables, &dma, ret_rsdp_at);
}

static uint64_t number(uint64_t at, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | memory[at + bytes];
    return value;
}

static bool adds_up(uint64_t at, uint64_t bytes)
{
    uint8_t sum = 0;

    for (uint64_t i = 0; i < bytes; i++)
        sum = (uint8_t)(sum + memory[at + i]);
    return sum == 0;
}

/* A table at this address, and nothing wrong with it. */
static bool is_table(uint64_t at, const char *signature)
{
    return at >= 0xe0000 && at < 0xf0000 && memcmp(memory + at, signature, 4) == 0 &&
           adds_up(at, number(at + 4, 4));
}

static void one_leads_to_the_next(void)
{
    uint64_t rsdp = 0, rsdt, xsdt, fadt, facs;

    make(3);
    CU_ASSERT_EQUAL(put(&rsdp), 0);
    CU_ASSERT_TRUE(rsdp >= 0xf0000 && rsdp % 16 == 0);
    CU_ASSERT_EQUAL(memcmp(memory + rsdp, "RSD PTR ", 8), 0);
    CU_ASSERT_EQUAL(memory[rsdp + 15], 2);
    CU_ASSERT_TRUE(adds_up(rsdp, 20));
    CU_ASSERT_TRUE(adds_up(rsdp, 36));
    rsdt = number(rsdp + 16, 4);
    xsdt = number(rsdp + 24, 8);
    CU_ASSERT_TRUE(is_table(rsdt, "RSDT"));
    CU_ASSERT_TRUE(is_table(xsdt, "XSDT"));
    CU_ASSERT_EQUAL(number(rsdt + 4, 4), 36 + 2 * 4);
    CU_ASSERT_EQUAL(number(xsdt + 4, 4), 36 + 2 * 8);
    CU_ASSERT_EQUAL(number(rsdt + 36, 4), number(xsdt + 36, 8));
    CU_ASSERT_EQUAL(number(rsdt + 40, 4), number(xsdt + 44, 8));
    fadt = number(xsdt + 36, 8);
    CU_ASSERT_TRUE(is_table(fadt, "FACP"));
    CU_ASSERT_EQUAL(number(fadt + 4, 4), 244);
    CU_ASSERT_TRUE(is_table(number(fadt + 40, 4), "DSDT"));
    CU_ASSERT_EQUAL(number(fadt + 40, 4), number(fadt + 140, 8));
    facs = number(fadt + 36, 4);
    CU_ASSERT_EQUAL(facs % 64, 0);
    CU_ASSERT_EQUAL(memcmp(memory + facs, "FACS\x40\0\0\0", 8), 0);
    CU_ASSERT_TRUE(is_table(number(xsdt + 44, 8), "APIC"));
    CU_ASSERT_EQUAL(number(number(xsdt + 44, 8) + 4, 4), 36 + 8 + 3 * 8 + 12 + 4 * 10 + 6);
    CU_ASSERT_EQUAL(memory[rsdp + 36], 0xee);
}

static void the_fixed_registers(void)
{
    uint64_t rsdp = 0, fadt;

    make(1);
    CU_ASSERT_EQUAL(put(&rsdp), 0);
    fadt = number(number(rsdp + 24, 8) + 36, 8);
    CU_ASSERT_EQUAL(number(fadt + 46, 2), 9);
    CU_ASSERT_EQUAL(number(fadt + 48, 4), 0); /* SMI_CMD */
    CU_ASSERT_EQUAL(number(fadt + 56, 4), 0x600);
    CU_ASSERT_EQUAL(number(fadt + 64, 4), 0x604);
    CU_ASSERT_EQUAL(number(fadt + 76, 4), 0x608);
    CU_ASSERT_EQUAL(number(fadt + 80, 4), 0x60c);
    CU_ASSERT_EQUAL(memory[fadt + 88], 4);
    CU_ASSERT_EQUAL(memory[fadt + 89], 2);
    CU_ASSERT_EQUAL(memory[fadt + 91], 4);
    CU_ASSERT_EQUAL(memory[fadt + 92], 4);
    CU_ASSERT_EQUAL(memory[fadt + 108], 0x32);
    CU_ASSERT_EQUAL(number(fadt + 112, 4), 0x465);
    CU_ASSERT_EQUAL(number(fadt + 120, 8), 0xcf9);
    CU_ASSERT_EQUAL(memory[fadt + 128], 6);
    CU_ASSERT_EQUAL(number(fadt + 152, 8), 0x600);
    CU_ASSERT_EQUAL(number(fadt + 176, 8), 0x604);
    CU_ASSERT_EQUAL(number(fadt + 212, 8), 0x608);
    CU_ASSERT_EQUAL(number(fadt + 224, 8), 0x60c);
}

static void any_number_of_processors(void)
{
    for (unsigned cpus = 1; cpus <= VMM_ACPI_CPUS; cpus++) {
        uint64_t rsdp = 0;

        make(cpus);
        CU_ASSERT_EQUAL(put(&rsdp), 0);
        CU_ASSERT_TRUE(is_table(number(rsdp + 24, 8), "XSDT"));
        CU_ASSERT_EQUAL(tables.loader_bytes % ENTRY, 0);
    }
}

/* A byte of the script, changed. */
static void refused(unsigned entry, unsigned at, uint8_t value, int code)
{
    uint64_t rsdp = 7;

    make(1);
    tables.loader[entry * ENTRY + at] = value;
    CU_ASSERT_EQUAL(put(&rsdp), code);
    CU_ASSERT_EQUAL(rsdp, 7);
}

static void scripts_that_make_no_sense(void)
{
    uint64_t rsdp = 7;

    refused(0, 0, 9, -EBADMSG);   /* no such command */
    refused(0, 4, 'E', -EBADMSG); /* no such file */
    refused(1, 60, 0, -EBADMSG);  /* no alignment */
    refused(1, 60, 3, -EBADMSG);  /* none that can be */
    refused(1, 64, 3, -EBADMSG);  /* no such zone */
    refused(2, 0, 1, -EBADMSG);   /* twice */
    for (unsigned entry = 0; entry < tables.loader_bytes / ENTRY; entry++) {
        make(1);
        if (tables.loader[entry * ENTRY] == 2)
            refused(entry, 120, 7, -EBADMSG); /* an address of seven bytes */
        if (tables.loader[entry * ENTRY] == 2)
            refused(entry, 119, 1, -EBADMSG); /* beyond the end */
        if (tables.loader[entry * ENTRY] == 3) {
            refused(entry, 63, 1, -EBADMSG);
            refused(entry, 67, 1, -EBADMSG);
            refused(entry, 71, 1, -EBADMSG);
        }
    }
    make(1);
    refused((unsigned)(tables.loader_bytes / ENTRY) - 4, 116, 33, -EBADMSG); /* partly beyond it */
    make(1);
    tables.loader[ENTRY + 60] = 0; /* 64 KiB of alignment, in a segment of 64 KiB */
    tables.loader[ENTRY + 62] = 1;
    tables.loader[ENTRY + 64] = 2;
    CU_ASSERT_EQUAL(put(&rsdp), -ENOMEM);
    make(1);
    tables.loader_bytes -= 1;
    CU_ASSERT_EQUAL(put(&rsdp), -EBADMSG);
    tables.loader_bytes = 0;
    CU_ASSERT_EQUAL(put(&rsdp), -EBADMSG);
    make(1);
    memory_end = 0xe8000;
    CU_ASSERT_EQUAL(put(&rsdp), -EFAULT);
    CU_ASSERT_EQUAL(rsdp, 7);
}

const struct unit_case unit_cases[] = {
    { "one leads to the next", one_leads_to_the_next },
    { "the fixed registers", the_fixed_registers },
    { "any number of processors", any_number_of_processors },
    { "scripts that make no sense", scripts_that_make_no_sense },
    { 0 },
};
