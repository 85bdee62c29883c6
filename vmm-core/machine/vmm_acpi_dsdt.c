/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine as the DSDT names it: processors, the PCI bus with its interrupt links, the devices
 * behind the ISA bridge, and the one sleep state. Interrupt links lead through the registers of the
 * PIIX3 (82371SB, PIRQRC), with whatever the operating system chooses for them.
 */
#include "config.h"

#include <stdio.h>

#include "vmm-core/machine/vmm_acpi_priv.h"
#include "vmm-core/machine/vmm_aml.h"
#include "vmm-core/machine/vmm_pci.h"

enum { NAME_BYTES = 8, RES_BYTES = 160, PIIX3_ADDRESS = 0x00010000, PIRQRC = 0x60 };
enum { LINK_OFF = 0x80, STATUS_ON = 0x0b, STATUS_OFF = 0x09, STATUS_HIDDEN_ON = 0x0b };
enum { INTERRUPT_AT = 5 }; /* of the first interrupt in its resource */
enum { CONFIG_FIRST = 0xcf8, CONFIG_PORTS = 8, CONFIG_BEHIND = 0xd00 };
enum { UART_PORTS = 8, UART_IRQ = 4, FWCFG_PORTS = 12, KEYBOARD_IRQ = 1, CLOCK_IRQ = 8 };
#define VIDEO_FIRST UINT32_C(0xa0000)
#define VIDEO_LAST  UINT32_C(0xbffff)

static const uint32_t link_gsis[] = { 5, 10, 11 };

static void put_resources(struct hw_writer *writer, struct hw_writer *resources)
{
    vmm_aml_res_end(resources);
    vmm_aml_name(writer, "_CRS");
    vmm_aml_buffer(writer, resources->data, resources->at);
}

static void put_hid(struct hw_writer *writer, const char *eisa_id)
{
    vmm_aml_name(writer, "_HID");
    vmm_aml_eisa_id(writer, eisa_id);
}

static void put_hid_string(struct hw_writer *writer, const char *id)
{
    vmm_aml_name(writer, "_HID");
    vmm_aml_string(writer, id);
}

/* --- processors --- */

static void put_processors(struct hw_writer *writer, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char name[NAME_BYTES];
        size_t device;

        (void)snprintf(name, sizeof(name), "C%03X", i & 0xfffU);
        device = vmm_aml_device(writer, name);
        put_hid_string(writer, "ACPI0007");
        vmm_aml_name_integer(writer, "_UID", i);
        vmm_aml_end(writer, device);
    }
}

/* --- the PCI bus --- */

static void put_windows(struct hw_writer *writer, const struct vmm_acpi_config *config)
{
    uint8_t bytes[RES_BYTES];
    struct hw_writer resources = hw_writer_over(bytes, sizeof(bytes));

    vmm_aml_res_buses(&resources, 0, 0xff);
    vmm_aml_res_io(&resources, CONFIG_FIRST, CONFIG_PORTS);
    vmm_aml_res_ports(&resources, 0, CONFIG_FIRST - 1);
    vmm_aml_res_ports(&resources, CONFIG_BEHIND, 0xffff);
    vmm_aml_res_memory(&resources, VIDEO_FIRST, VIDEO_LAST);
    vmm_aml_res_memory(&resources, config->memory_gap_at, ACPI_IO_APIC_AT - 1);
    put_resources(writer, &resources);
}

/* INTA# of slot 1 leads to the first link, each pin and slot further to the next (vmm_pci.h). */
static void put_routes(struct hw_writer *writer)
{
    static const char *const links[VMM_PCI_PIRQS] = { "LNKA", "LNKB", "LNKC", "LNKD" };
    size_t routes;

    vmm_aml_name(writer, "_PRT");
    routes = vmm_aml_package(writer, VMM_PCI_SLOTS * VMM_PCI_PIRQS);
    for (unsigned i = 0; i < VMM_PCI_SLOTS * VMM_PCI_PIRQS; i++) {
        const unsigned slot = i / VMM_PCI_PIRQS, pin = i % VMM_PCI_PIRQS;
        const size_t route = vmm_aml_package(writer, 4);

        vmm_aml_integer(writer, (uint64_t)slot << 16 | 0xffff);
        vmm_aml_integer(writer, pin);
        vmm_aml_path(writer, links[(slot + pin + VMM_PCI_PIRQS - 1) % VMM_PCI_PIRQS]);
        vmm_aml_integer(writer, 0);
        vmm_aml_end(writer, route);
    }
    vmm_aml_end(writer, routes);
}

static void put_link_methods(struct hw_writer *writer, const char *reg)
{
    size_t method = vmm_aml_method(writer, "_STA", 0), block;

    block = vmm_aml_if(writer);
    vmm_aml_op(writer, VMM_AML_AND);
    vmm_aml_path(writer, reg);
    vmm_aml_integer(writer, LINK_OFF);
    vmm_aml_op(writer, VMM_AML_NO_TARGET);
    vmm_aml_op(writer, VMM_AML_RETURN);
    vmm_aml_integer(writer, STATUS_OFF);
    vmm_aml_end(writer, block);
    vmm_aml_op(writer, VMM_AML_RETURN);
    vmm_aml_integer(writer, STATUS_ON);
    vmm_aml_end(writer, method);

    method = vmm_aml_method(writer, "_DIS", 0);
    vmm_aml_op(writer, VMM_AML_OR);
    vmm_aml_path(writer, reg);
    vmm_aml_integer(writer, LINK_OFF);
    vmm_aml_path(writer, reg);
    vmm_aml_end(writer, method);

    method = vmm_aml_method(writer, "_CRS", 0);
    vmm_aml_op(writer, VMM_AML_AND);
    vmm_aml_path(writer, reg);
    vmm_aml_integer(writer, 0x0f);
    vmm_aml_path(writer, "INTR");
    vmm_aml_op(writer, VMM_AML_RETURN);
    vmm_aml_path(writer, "CRSB");
    vmm_aml_end(writer, method);

    method = vmm_aml_method(writer, "_SRS", 1);
    vmm_aml_op(writer, VMM_AML_DWORD_FIELD);
    vmm_aml_op(writer, VMM_AML_ARG0);
    vmm_aml_integer(writer, INTERRUPT_AT);
    vmm_aml_path(writer, "WANT");
    vmm_aml_op(writer, VMM_AML_STORE);
    vmm_aml_path(writer, "WANT");
    vmm_aml_path(writer, reg);
    vmm_aml_end(writer, method);
}

static void put_link(struct hw_writer *writer, unsigned number)
{
    static const uint32_t none[] = { 0 };
    const char letter = (char)('A' + number);
    char name[NAME_BYTES], reg[NAME_BYTES];
    uint8_t bytes[RES_BYTES];
    struct hw_writer resources = hw_writer_over(bytes, sizeof(bytes));
    size_t device;

    (void)snprintf(name, sizeof(name), "LNK%c", letter);
    (void)snprintf(reg, sizeof(reg), "PRQ%c", letter);
    device = vmm_aml_device(writer, name);
    put_hid(writer, "PNP0C0F");
    vmm_aml_name_integer(writer, "_UID", number + 1);
    vmm_aml_res_interrupts(&resources, link_gsis, sizeof(link_gsis) / sizeof(link_gsis[0]));
    vmm_aml_res_end(&resources);
    vmm_aml_name(writer, "_PRS");
    vmm_aml_buffer(writer, bytes, resources.at);
    resources.at = 0;
    vmm_aml_res_interrupts(&resources, none, 1);
    vmm_aml_res_end(&resources);
    vmm_aml_name(writer, "CRSB"); /* what _CRS gives back */
    vmm_aml_buffer(writer, bytes, resources.at);
    vmm_aml_op(writer, VMM_AML_DWORD_FIELD);
    vmm_aml_path(writer, "CRSB");
    vmm_aml_integer(writer, INTERRUPT_AT);
    vmm_aml_path(writer, "INTR");
    put_link_methods(writer, reg);
    vmm_aml_end(writer, device);
}

static void put_links(struct hw_writer *writer)
{
    const size_t field = vmm_aml_field(writer, "PCI0.ISA.PIRQ");

    vmm_aml_field_part(writer, "PRQA", 8);
    vmm_aml_field_part(writer, "PRQB", 8);
    vmm_aml_field_part(writer, "PRQC", 8);
    vmm_aml_field_part(writer, "PRQD", 8);
    vmm_aml_end(writer, field);
    for (unsigned i = 0; i < VMM_PCI_PIRQS; i++)
        put_link(writer, i);
}

/* --- behind the ISA bridge --- */

/* A device with one range of ports, or two of one port each, and an interrupt (0: none). */
static void put_isa(struct hw_writer *writer, uint16_t port, uint8_t ports, uint16_t second_port,
                    unsigned irq)
{
    uint8_t bytes[RES_BYTES];
    struct hw_writer resources = hw_writer_over(bytes, sizeof(bytes));

    vmm_aml_res_io(&resources, port, ports);
    if (second_port != 0)
        vmm_aml_res_io(&resources, second_port, 1);
    if (irq != 0)
        vmm_aml_res_irq(&resources, irq);
    put_resources(writer, &resources);
}

/* pvpanic (QEMU docs/specs/pvpanic.rst, "ACPI Interface"). */
static void put_panic(struct hw_writer *writer, uint16_t port)
{
    const size_t device = vmm_aml_device(writer, "PEVT");
    size_t block;

    put_hid_string(writer, "QEMU0001");
    vmm_aml_name_integer(writer, "_STA", STATUS_HIDDEN_ON);
    put_isa(writer, port, 1, 0, 0);
    vmm_aml_region(writer, "PEOR", VMM_AML_SYSTEM_IO, port, 1);
    block = vmm_aml_field(writer, "PEOR");
    vmm_aml_field_part(writer, "PEPT", 8);
    vmm_aml_end(writer, block);
    block = vmm_aml_method(writer, "RDPT", 0);
    vmm_aml_op(writer, VMM_AML_RETURN);
    vmm_aml_path(writer, "PEPT");
    vmm_aml_end(writer, block);
    block = vmm_aml_method(writer, "WRPT", 1);
    vmm_aml_op(writer, VMM_AML_STORE);
    vmm_aml_op(writer, VMM_AML_ARG0);
    vmm_aml_path(writer, "PEPT");
    vmm_aml_end(writer, block);
    vmm_aml_end(writer, device);
}

static void put_isa_devices(struct hw_writer *writer, const struct vmm_acpi_config *config)
{
    size_t device = vmm_aml_device(writer, "COM1");

    put_hid(writer, "PNP0501");
    vmm_aml_name_integer(writer, "_UID", 1);
    put_isa(writer, config->serial_port, UART_PORTS, 0, UART_IRQ);
    vmm_aml_end(writer, device);

    device = vmm_aml_device(writer, "KBD");
    put_hid(writer, "PNP0303");
    put_isa(writer, 0x60, 1, 0x64, KEYBOARD_IRQ);
    vmm_aml_end(writer, device);

    device = vmm_aml_device(writer, "RTC");
    put_hid(writer, "PNP0B00");
    put_isa(writer, 0x70, 2, 0, CLOCK_IRQ);
    vmm_aml_end(writer, device);

    device = vmm_aml_device(writer, "FWCF");
    put_hid_string(writer, "QEMU0002");
    vmm_aml_name_integer(writer, "_STA", STATUS_HIDDEN_ON);
    put_isa(writer, config->fwcfg_port, FWCFG_PORTS, 0, 0);
    vmm_aml_end(writer, device);
    put_panic(writer, config->panic_port);
}

static void put_pci(struct hw_writer *writer, const struct vmm_acpi_config *config)
{
    const size_t bus = vmm_aml_device(writer, "PCI0");
    size_t bridge;

    put_hid(writer, "PNP0A03");
    vmm_aml_name_integer(writer, "_UID", 0);
    put_windows(writer, config);
    put_routes(writer);
    bridge = vmm_aml_device(writer, "ISA");
    vmm_aml_name_integer(writer, "_ADR", PIIX3_ADDRESS);
    vmm_aml_region(writer, "PIRQ", VMM_AML_PCI_CONFIG, PIRQRC, VMM_PCI_PIRQS);
    put_isa_devices(writer, config);
    vmm_aml_end(writer, bridge);
    vmm_aml_end(writer, bus);
}

void acpi_write_dsdt(struct hw_writer *writer, const struct vmm_acpi_config *config)
{
    const size_t scope = vmm_aml_scope(writer, "\\_SB");
    size_t sleep;

    put_processors(writer, config->cpus);
    put_pci(writer, config);
    put_links(writer);
    vmm_aml_end(writer, scope);
    vmm_aml_name(writer, "\\_S5"); /* soft off: SLP_TYP 0 (vmm_pm.h) */
    sleep = vmm_aml_package(writer, 4);
    for (unsigned i = 0; i < 4; i++)
        vmm_aml_integer(writer, 0);
    vmm_aml_end(writer, sleep);
}
