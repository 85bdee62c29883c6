/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tables one after the other in one file, with places within the file where addresses will be;
 * and, as they are written, the script that makes addresses and checksums of them.
 */
#include "config.h"

#include "vmm-core/machine/vmm_acpi.h"

#include <string.h>

#include "vmm-core/machine/vmm_acpi_priv.h"
#include "vmm-core/machine/vmm_piix3.h"
#include "vmm-core/machine/vmm_pm.h"

enum { TABLE_ALIGN = 16, FACS_ALIGN = 64, FACS_BYTES = 64, RSDP_ALIGN = 16 };
enum { LENGTH_AT = 4, CHECKSUM_AT = 9, REVISION_1 = 1 };

/* FADT (5.2.9), revision 3 of ACPI 2.0 and later: 244 bytes */
enum { FADT_REVISION = 3, FADT_FACS_AT = 36, FADT_DSDT_AT = 40, FADT_X_DSDT_AT = 140 };
enum { BOOT_LEGACY = 1, BOOT_8042 = 2, BOOT_NO_VGA = 4 };
enum { FLAG_WBINVD = 1, FLAG_C1 = 4, FLAG_NO_SLEEP_BUTTON = 0x20, FLAG_NO_CLOCK_WAKE = 0x40 };
enum { FLAG_RESET_REG = 0x400 };
enum { C2_NEVER = 101, C3_NEVER = 1001, CENTURY = 0x32, RESET_PORT = 0xcf9, RESET_VALUE = 6 };
enum { GAS_PORTS = 1, EVENT_BYTES = 4, CONTROL_BYTES = 2, TIMER_BYTES = 4, GPE0_BYTES = 4 };

/* MADT (5.2.12) */
enum { MADT_REVISION = 3, MADT_LOCAL = 0, MADT_IO = 1, MADT_OVERRIDE = 2, MADT_NMI = 4 };
enum { PC_PICS = 1, ENABLED = 1, LEVEL_HIGH = 0x0d, ALL_CPUS = 0xff, LINT_NMI = 1 };

/* RSDP (5.2.5.3) */
enum { RSDP_RSDT_AT = 16, RSDP_XSDT_AT = 24, RSDP_CHECKSUM_AT = 8, RSDP_CHECKED = 20 };
enum { RSDP_EXTENDED_CHECKSUM_AT = 32, RSDP_REVISION = 2 };

struct maker {
    const struct vmm_acpi_config *config;
    struct hw_writer tables, loader;
    uint32_t facs_at, dsdt_at, fadt_at, madt_at, rsdt_at, xsdt_at;
};

/* --- the script --- */

static void put_file_name(struct hw_writer *loader, const char *name)
{
    hw_write_bytes(loader, name, strlen(name));
    hw_write_zeroes(loader, ACPI_LOADER_NAME_BYTES - strlen(name));
}

/* The rest of an entry that began at `start`. */
static void end_entry(struct hw_writer *loader, size_t start)
{
    hw_write_zeroes(loader, ACPI_LOADER_ENTRY_BYTES - (loader->at - start));
}

static void allocate(struct hw_writer *loader, const char *file, uint32_t align,
                     enum acpi_loader_zone zone)
{
    const size_t start = loader->at;

    hw_write_le32(loader, ACPI_LOADER_ALLOCATE);
    put_file_name(loader, file);
    hw_write_le32(loader, align);
    hw_write_u8(loader, (uint8_t)zone);
    end_entry(loader, start);
}

/* What is at `at` is a place in the tables' file and becomes an address. */
static void add_pointer(struct hw_writer *loader, const char *file, size_t at, unsigned bytes)
{
    const size_t start = loader->at;

    hw_write_le32(loader, ACPI_LOADER_ADD_POINTER);
    put_file_name(loader, file);
    put_file_name(loader, ACPI_TABLES_FILE);
    hw_write_le32(loader, (uint32_t)at);
    hw_write_u8(loader, (uint8_t)bytes);
    end_entry(loader, start);
}

/* The byte at `at` makes the sum of all of them 0. */
static void add_checksum(struct hw_writer *loader, const char *file, size_t at, size_t first,
                         size_t count)
{
    const size_t start = loader->at;

    hw_write_le32(loader, ACPI_LOADER_ADD_CHECKSUM);
    put_file_name(loader, file);
    hw_write_le32(loader, (uint32_t)at);
    hw_write_le32(loader, (uint32_t)first);
    hw_write_le32(loader, (uint32_t)count);
    end_entry(loader, start);
}

/* --- tables --- */

static void align(struct hw_writer *tables, size_t bytes)
{
    hw_write_zeroes(tables, (bytes - tables->at % bytes) % bytes);
}

/* A header (5.2.6) whose length comes with end_table(); returns where the table is. */
static uint32_t begin_table(struct hw_writer *tables, const char *signature, uint8_t revision)
{
    uint32_t at;

    align(tables, TABLE_ALIGN);
    at = (uint32_t)tables->at;
    hw_write_bytes(tables, signature, 4);
    hw_write_le32(tables, 0);
    hw_write_u8(tables, revision);
    hw_write_u8(tables, 0);
    hw_write_bytes(tables, "HAWSER", 6);
    hw_write_bytes(tables, "HAWSERVM", 8);
    hw_write_le32(tables, 1);
    hw_write_bytes(tables, "HAWS", 4);
    hw_write_le32(tables, 1);
    return at;
}

static void end_table(struct maker *maker, uint32_t at)
{
    const size_t bytes = maker->tables.at - at;
    struct hw_writer length = hw_writer_over(maker->tables.data + at + LENGTH_AT, 4);

    hw_write_le32(&length, (uint32_t)bytes);
    add_checksum(&maker->loader, ACPI_TABLES_FILE, at + CHECKSUM_AT, at, bytes);
}

static void make_facs(struct maker *maker)
{
    struct hw_writer *tables = &maker->tables;

    align(tables, FACS_ALIGN);
    maker->facs_at = (uint32_t)tables->at;
    hw_write_bytes(tables, "FACS", 4);
    hw_write_le32(tables, FACS_BYTES);
    hw_write_zeroes(tables, FACS_BYTES - 8);
}

/* Revision 2: integers of 64 bits. */
static void make_dsdt(struct maker *maker)
{
    maker->dsdt_at = begin_table(&maker->tables, "DSDT", 2);
    acpi_write_dsdt(&maker->tables, maker->config);
    end_table(maker, maker->dsdt_at);
}

/* A generic address (5.2.3.2) of ports. */
static void put_ports(struct hw_writer *tables, uint64_t port, unsigned bytes)
{
    hw_write_u8(tables, GAS_PORTS);
    hw_write_u8(tables, (uint8_t)(bytes * 8));
    hw_write_u8(tables, 0);
    hw_write_u8(tables, 0); /* any access size */
    hw_write_le64(tables, port);
}

static void put_no_ports(struct hw_writer *tables)
{
    hw_write_zeroes(tables, 12);
}

/* Of 32 bits: the event, control, timer and general purpose event registers, and their sizes. */
static void put_fadt_blocks(struct hw_writer *tables)
{
    hw_write_le32(tables, VMM_PM_BASE + VMM_PM_EVENT);
    hw_write_le32(tables, 0);
    hw_write_le32(tables, VMM_PM_BASE + VMM_PM_CONTROL);
    hw_write_le32(tables, 0);
    hw_write_le32(tables, 0);
    hw_write_le32(tables, VMM_PM_BASE + VMM_PM_TIMER);
    hw_write_le32(tables, VMM_PM_BASE + VMM_PM_GPE0);
    hw_write_le32(tables, 0);
    hw_write_u8(tables, EVENT_BYTES);
    hw_write_u8(tables, CONTROL_BYTES);
    hw_write_u8(tables, 0);
    hw_write_u8(tables, TIMER_BYTES);
    hw_write_u8(tables, GPE0_BYTES);
    hw_write_u8(tables, 0);
    hw_write_u8(tables, 0);
    hw_write_u8(tables, 0); /* no _CST */
}

static void put_fadt_flags(struct hw_writer *tables)
{
    hw_write_le16(tables, C2_NEVER);
    hw_write_le16(tables, C3_NEVER);
    hw_write_le16(tables, 0); /* flush size and stride: WBINVD works */
    hw_write_le16(tables, 0);
    hw_write_u8(tables, 0); /* no duty cycle */
    hw_write_u8(tables, 0);
    hw_write_u8(tables, 0); /* the clock's alarm has neither day nor month */
    hw_write_u8(tables, 0);
    hw_write_u8(tables, CENTURY);
    hw_write_le16(tables, BOOT_LEGACY | BOOT_8042 | BOOT_NO_VGA);
    hw_write_u8(tables, 0);
    hw_write_le32(tables, FLAG_WBINVD | FLAG_C1 | FLAG_NO_SLEEP_BUTTON | FLAG_NO_CLOCK_WAKE |
                              FLAG_RESET_REG);
    put_ports(tables, RESET_PORT, 1);
    hw_write_u8(tables, RESET_VALUE);
    hw_write_zeroes(tables, 3);
}

static void make_fadt(struct maker *maker)
{
    struct hw_writer *tables = &maker->tables;

    maker->fadt_at = begin_table(tables, "FACP", FADT_REVISION);
    hw_write_le32(tables, maker->facs_at);
    hw_write_le32(tables, maker->dsdt_at);
    hw_write_u8(tables, 0);
    hw_write_u8(tables, 0); /* profile: unspecified */
    hw_write_le16(tables, VMM_PIIX3_SCI_GSI);
    hw_write_le32(tables, 0); /* no SMI_CMD: ACPI is always on */
    hw_write_le32(tables, 0);
    put_fadt_blocks(tables);
    put_fadt_flags(tables);
    hw_write_le64(tables, 0); /* X_FIRMWARE_CTRL: the other one is used */
    hw_write_le64(tables, maker->dsdt_at);
    put_ports(tables, VMM_PM_BASE + VMM_PM_EVENT, EVENT_BYTES);
    put_no_ports(tables);
    put_ports(tables, VMM_PM_BASE + VMM_PM_CONTROL, CONTROL_BYTES);
    put_no_ports(tables);
    put_no_ports(tables);
    put_ports(tables, VMM_PM_BASE + VMM_PM_TIMER, TIMER_BYTES);
    put_ports(tables, VMM_PM_BASE + VMM_PM_GPE0, GPE0_BYTES);
    put_no_ports(tables);
    add_pointer(&maker->loader, ACPI_TABLES_FILE, maker->fadt_at + FADT_FACS_AT, 4);
    add_pointer(&maker->loader, ACPI_TABLES_FILE, maker->fadt_at + FADT_DSDT_AT, 4);
    add_pointer(&maker->loader, ACPI_TABLES_FILE, maker->fadt_at + FADT_X_DSDT_AT, 8);
    end_table(maker, maker->fadt_at);
}

/* IRQ 0 is where it always was; those that PCI interrupts and the SCI come by are levels. */
static void put_overrides(struct hw_writer *tables)
{
    static const uint8_t levels[] = { 5, VMM_PIIX3_SCI_GSI, 10, 11 };

    for (unsigned i = 0; i < sizeof(levels); i++) {
        hw_write_u8(tables, MADT_OVERRIDE);
        hw_write_u8(tables, 10);
        hw_write_u8(tables, 0); /* ISA */
        hw_write_u8(tables, levels[i]);
        hw_write_le32(tables, levels[i]);
        hw_write_le16(tables, LEVEL_HIGH);
    }
}

static void make_madt(struct maker *maker)
{
    struct hw_writer *tables = &maker->tables;

    maker->madt_at = begin_table(tables, "APIC", MADT_REVISION);
    hw_write_le32(tables, ACPI_LOCAL_APIC_AT);
    hw_write_le32(tables, PC_PICS);
    for (unsigned i = 0; i < maker->config->cpus; i++) {
        hw_write_u8(tables, MADT_LOCAL);
        hw_write_u8(tables, 8);
        hw_write_u8(tables, (uint8_t)i); /* _UID */
        hw_write_u8(tables, (uint8_t)i); /* APIC */
        hw_write_le32(tables, ENABLED);
    }
    hw_write_u8(tables, MADT_IO);
    hw_write_u8(tables, 12);
    hw_write_u8(tables, 0);
    hw_write_u8(tables, 0);
    hw_write_le32(tables, ACPI_IO_APIC_AT);
    hw_write_le32(tables, 0);
    put_overrides(tables);
    hw_write_u8(tables, MADT_NMI);
    hw_write_u8(tables, 6);
    hw_write_u8(tables, ALL_CPUS);
    hw_write_le16(tables, 0);
    hw_write_u8(tables, LINT_NMI);
    end_table(maker, maker->madt_at);
}

/* RSDT or XSDT: the tables that are found through it, with addresses of 4 or 8 bytes. */
static uint32_t make_root(struct maker *maker, const char *signature, unsigned bytes)
{
    const uint32_t found[] = { maker->fadt_at, maker->madt_at };
    const uint32_t at = begin_table(&maker->tables, signature, REVISION_1);

    for (unsigned i = 0; i < sizeof(found) / sizeof(found[0]); i++) {
        add_pointer(&maker->loader, ACPI_TABLES_FILE, maker->tables.at, bytes);
        hw_write_le32(&maker->tables, found[i]);
        hw_write_zeroes(&maker->tables, bytes - 4);
    }
    end_table(maker, at);
    return at;
}

static void make_rsdp(struct maker *maker, uint8_t rsdp[VMM_ACPI_RSDP_BYTES])
{
    struct hw_writer writer = hw_writer_over(rsdp, VMM_ACPI_RSDP_BYTES);

    hw_write_bytes(&writer, "RSD PTR ", 8);
    hw_write_u8(&writer, 0);
    hw_write_bytes(&writer, "HAWSER", 6);
    hw_write_u8(&writer, RSDP_REVISION);
    hw_write_le32(&writer, maker->rsdt_at);
    hw_write_le32(&writer, VMM_ACPI_RSDP_BYTES);
    hw_write_le64(&writer, maker->xsdt_at);
    hw_write_zeroes(&writer, 4);
    add_pointer(&maker->loader, ACPI_RSDP_FILE, RSDP_RSDT_AT, 4);
    add_pointer(&maker->loader, ACPI_RSDP_FILE, RSDP_XSDT_AT, 8);
    add_checksum(&maker->loader, ACPI_RSDP_FILE, RSDP_CHECKSUM_AT, 0, RSDP_CHECKED);
    add_checksum(&maker->loader, ACPI_RSDP_FILE, RSDP_EXTENDED_CHECKSUM_AT, 0, VMM_ACPI_RSDP_BYTES);
}

void vmm_acpi_make(const struct vmm_acpi_config *config, struct vmm_acpi_tables *ret_tables)
{
    struct maker maker = {
        .config = config,
        .tables = hw_writer_over(ret_tables->tables, sizeof(ret_tables->tables)),
        .loader = hw_writer_over(ret_tables->loader, sizeof(ret_tables->loader)),
    };

    allocate(&maker.loader, ACPI_RSDP_FILE, RSDP_ALIGN, ACPI_LOADER_FSEG);
    allocate(&maker.loader, ACPI_TABLES_FILE, FACS_ALIGN, ACPI_LOADER_HIGH);
    make_facs(&maker);
    make_dsdt(&maker);
    make_fadt(&maker);
    make_madt(&maker);
    maker.rsdt_at = make_root(&maker, "RSDT", 4);
    maker.xsdt_at = make_root(&maker, "XSDT", 8);
    make_rsdp(&maker, ret_tables->rsdp);
    ret_tables->tables_bytes = maker.tables.at;
    ret_tables->loader_bytes = maker.loader.at;
}
