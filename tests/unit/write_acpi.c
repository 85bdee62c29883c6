/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * write_acpi FOLDER CPUS: places the ACPI tables of a machine with so many processors into memory,
 * follows the pointers from the RSDP on, and writes each table that it comes to into a file of the
 * folder, under its signature.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_cursor.h"
#include "vmm-core/machine/vmm_acpi.h"

enum { MEMORY_BYTES = 1 << 20, PATH_BYTES = 4096 };

static uint8_t memory[MEMORY_BYTES];
static struct vmm_acpi_tables tables;

static void *memory_at(void *context, uint64_t guest_at, uint64_t bytes, bool writes)
{
    (void)context;
    (void)writes;
    return guest_at <= MEMORY_BYTES && bytes <= MEMORY_BYTES - guest_at ? memory + guest_at : NULL;
}

static uint64_t number(uint64_t at, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes-- > 0 && at + bytes < MEMORY_BYTES)
        value = value << 8 | memory[at + bytes];
    return value;
}

static bool write_table(const char *folder, uint64_t at)
{
    const uint64_t bytes = number(at + 4, 4);
    char path[PATH_BYTES];
    FILE *file;
    bool good;

    if (at >= MEMORY_BYTES || bytes > MEMORY_BYTES - at)
        return false;
    (void)snprintf(path, sizeof(path), "%s/%.4s", folder, (const char *)memory + at);
    file = fopen(path, "w");
    if (file == NULL)
        return false;
    good = fwrite(memory + at, 1, bytes, file) == bytes;
    return fclose(file) == 0 && good;
}

/* Those that a root of this entry size names, and what the FADT names. */
static bool write_all(const char *folder, uint64_t root, unsigned entry_bytes)
{
    const uint64_t end = root + number(root + 4, 4);
    bool good = write_table(folder, root);

    for (uint64_t at = root + 36; good && at + entry_bytes <= end; at += entry_bytes) {
        const uint64_t table = number(at, entry_bytes);

        good = write_table(folder, table);
        if (good && memcmp(memory + table, "FACP", 4) == 0)
            good = write_table(folder, number(table + 36, 4)) &&
                   write_table(folder, number(table + 140, 8)) &&
                   number(table + 40, 4) == number(table + 140, 8);
    }
    return good;
}

int main(int argc, char **argv)
{
    const struct vmm_dma dma = { memory_at, NULL };
    struct vmm_acpi_config config = {
        .memory_gap_at = 0xc0000000, .serial_port = 0x3f8, .panic_port = 0x505, .fwcfg_port = 0x510
    };
    uint64_t rsdp = 0;

    if (argc != 3)
        return 2;
    config.cpus = (unsigned)strtoul(argv[2], NULL, 10);
    vmm_acpi_make(&config, &tables);
    if (vmm_acpi_place(&tables, &dma, &rsdp) < 0)
        return 1;
    return write_all(argv[1], number(rsdp + 16, 4), 4) &&
                   write_all(argv[1], number(rsdp + 24, 8), 8)
               ? 0
               : 1;
}
