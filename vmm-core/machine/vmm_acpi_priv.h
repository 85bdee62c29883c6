/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files that make ACPI tables share.
 */
#ifndef VMM_ACPI_PRIV_H
#define VMM_ACPI_PRIV_H

#include "common/hw_cursor.h"
#include "vmm-core/machine/vmm_acpi.h"

enum { ACPI_HEADER_BYTES = 36 };
#define ACPI_IO_APIC_AT    UINT32_C(0xfec00000)
#define ACPI_LOCAL_APIC_AT UINT32_C(0xfee00000)

/* The commands of the script; each is an entry of this size. */
enum { ACPI_LOADER_ENTRY_BYTES = 128, ACPI_LOADER_NAME_BYTES = 56 };
enum acpi_loader_command {
    ACPI_LOADER_ALLOCATE = 1,     /* file, alignment (4), zone (1) */
    ACPI_LOADER_ADD_POINTER = 2,  /* file, file pointed to, place (4), bytes (1) */
    ACPI_LOADER_ADD_CHECKSUM = 3, /* file, place (4), start (4), length (4) */
};
enum acpi_loader_zone { ACPI_LOADER_HIGH = 1, ACPI_LOADER_FSEG = 2 };

#define ACPI_TABLES_FILE "etc/acpi/tables"
#define ACPI_RSDP_FILE   "etc/acpi/rsdp"

/* The definition block of the DSDT: what is behind its header. */
void acpi_write_dsdt(struct hw_writer *writer, const struct vmm_acpi_config *config);

#endif
