/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ACPI tables of the machine (ACPI 6.5), made by code, and the script by which firmware puts
 * them into memory (QEMU hw/acpi/bios-linker-loader.c describes its commands): tables refer to one
 * another by addresses that nobody knows before they are placed. A direct boot runs the same
 * script. Pure.
 */
#ifndef VMM_ACPI_H
#define VMM_ACPI_H

#include <stddef.h>
#include <stdint.h>

#include "vmm-core/machine/vmm_dma.h"
#include "vmm-core/machine/vmm_fwcfg.h"

enum {
    VMM_ACPI_TABLES_BYTES = 16384, /* room; what is used is told */
    VMM_ACPI_RSDP_BYTES = 36,
    VMM_ACPI_LOADER_BYTES = 2560,
    VMM_ACPI_CPUS = 254, /* at most: by the local APIC's number of 8 bits */
};

struct vmm_acpi_config {
    unsigned cpus;          /* 1 to VMM_ACPI_CPUS; APIC n is that of processor n */
    uint32_t memory_gap_at; /* from here to the I/O APIC is room for BARs of the PCI bus */
    uint16_t serial_port;   /* COM1, with IRQ 4 */
    uint16_t panic_port;    /* pvpanic */
    uint16_t fwcfg_port;    /* firmware configuration */
};

struct vmm_acpi_tables {
    size_t tables_bytes, loader_bytes;
    uint8_t tables[VMM_ACPI_TABLES_BYTES]; /* "etc/acpi/tables": all but the pointer to them */
    uint8_t rsdp[VMM_ACPI_RSDP_BYTES];     /* "etc/acpi/rsdp" */
    uint8_t loader[VMM_ACPI_LOADER_BYTES]; /* "etc/table-loader" */
};

/* Make them all. */
void vmm_acpi_make(const struct vmm_acpi_config *config, struct vmm_acpi_tables *ret_tables);
/* As files for firmware. 0, or what vmm_fwcfg_add_file() says. */
int vmm_acpi_offer(const struct vmm_acpi_tables *tables, struct vmm_fwcfg *fwcfg);
/*
 * Run the script without firmware, into the guest's memory from E0000h to FFFFFh, with the RSDP's
 * address for whoever boots. 0; -ENOMEM: does not fit; -EFAULT: there is no such memory; -EBADMSG:
 * a script that makes no sense.
 */
int vmm_acpi_place(const struct vmm_acpi_tables *tables, const struct vmm_dma *dma,
                   uint64_t *ret_rsdp_at);

#endif
