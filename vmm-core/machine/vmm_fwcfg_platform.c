/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The items that firmware reads of every machine (SeaBIOS docs/Runtime_config.md; QEMU
 * docs/specs/fw_cfg.rst). Numbers in them are little-endian.
 */
#include "config.h"

#include <string.h>

#include "common/hw_cursor.h"
#include "vmm-core/machine/vmm_fwcfg.h"

enum { MAP_ENTRY_BYTES = 20, MAP_ENTRIES = 2, MAP_RAM = 1 };
#define HIGH_AT UINT64_C(0x100000000)

/* Of a bzImage (Linux Documentation/x86/boot.rst, "The Real-Mode Kernel Header"). */
enum { SECTOR = 512, SETUP_SECTORS_AT = 0x1f1, MAGIC_AT = 0x202, HEAD_BYTES = 0x206 };
enum { SETUP_SECTORS_IF_NONE = 4 };

static int add_number(struct vmm_fwcfg *fwcfg, uint16_t key, uint64_t value, size_t bytes)
{
    uint8_t number[8];
    struct hw_writer writer = hw_writer_over(number, sizeof(number));

    hw_write_le64(&writer, value);
    return vmm_fwcfg_add(fwcfg, key, number, bytes);
}

/* A file that holds a number; none if it is 0. */
static int add_file(struct vmm_fwcfg *fwcfg, const char *name, uint32_t value, size_t bytes)
{
    uint8_t number[4];
    struct hw_writer writer = hw_writer_over(number, sizeof(number));

    hw_write_le32(&writer, value);
    return value == 0 ? 0 : vmm_fwcfg_add_file(fwcfg, name, number, bytes);
}

/* As int 15h, E820h has it (ACPI 6.5, 15.1). */
static int add_map(struct vmm_fwcfg *fwcfg, uint64_t low_bytes, uint64_t high_bytes)
{
    uint8_t map[MAP_ENTRIES * MAP_ENTRY_BYTES];
    struct hw_writer writer = hw_writer_over(map, sizeof(map));

    hw_write_le64(&writer, 0);
    hw_write_le64(&writer, low_bytes);
    hw_write_le32(&writer, MAP_RAM);
    if (high_bytes > 0) {
        hw_write_le64(&writer, HIGH_AT);
        hw_write_le64(&writer, high_bytes);
        hw_write_le32(&writer, MAP_RAM);
    }
    return vmm_fwcfg_add_file(fwcfg, "etc/e820", map, writer.at);
}

static int add_numbers(struct vmm_fwcfg *fwcfg, const struct vmm_fwcfg_platform *platform)
{
    const uint64_t memory_bytes = platform->low_bytes + platform->high_bytes;
    int rc = vmm_fwcfg_add(fwcfg, VMM_FWCFG_UUID, platform->uuid, sizeof(platform->uuid));

    if (rc == 0)
        rc = add_number(fwcfg, VMM_FWCFG_MEMORY_BYTES, memory_bytes, 8);
    if (rc == 0)
        rc = add_number(fwcfg, VMM_FWCFG_NO_GRAPHICS, 1, 2);
    if (rc == 0)
        rc = add_number(fwcfg, VMM_FWCFG_CPUS, platform->cpus, 2);
    if (rc == 0)
        rc = add_number(fwcfg, VMM_FWCFG_MAX_CPUS, platform->cpus, 2);
    if (rc == 0)
        rc = add_number(fwcfg, VMM_FWCFG_BOOT_MENU, platform->boot_menu, 2);
    return rc;
}

int vmm_fwcfg_describe(struct vmm_fwcfg *fwcfg, const struct vmm_fwcfg_platform *platform)
{
    int rc = add_numbers(fwcfg, platform);

    if (rc == 0)
        rc = add_map(fwcfg, platform->low_bytes, platform->high_bytes);
    if (rc == 0)
        rc = add_file(fwcfg, "etc/sercon-port", platform->console_port, 2);
    if (rc == 0)
        rc = add_file(fwcfg, "etc/pvpanic-port", platform->panic_port, 2);
    if (rc == 0)
        rc = add_file(fwcfg, "etc/boot-fail-wait", platform->boot_wait_ms, 4);
    return rc;
}

/* With its end: firmware takes it as a string. */
int vmm_fwcfg_offer_boot_order(struct vmm_fwcfg *fwcfg, const char *order)
{
    return order[0] == '\0' ? 0 : vmm_fwcfg_add_file(fwcfg, "bootorder", order, strlen(order) + 1);
}

/* How much of a bzImage is its setup code; 0: it is none. */
static size_t setup_bytes(const uint8_t *kernel, size_t bytes)
{
    size_t sectors, setup;

    if (bytes < HEAD_BYTES || memcmp(kernel + MAGIC_AT, "HdrS", 4) != 0)
        return 0;
    sectors = kernel[SETUP_SECTORS_AT] == 0 ? SETUP_SECTORS_IF_NONE : kernel[SETUP_SECTORS_AT];
    setup = (sectors + 1) * SECTOR;
    return setup < bytes ? setup : 0;
}

static int lend_part(struct vmm_fwcfg *fwcfg, uint16_t size_key, uint16_t key, const void *bytes,
                     size_t count)
{
    int rc = add_number(fwcfg, size_key, count, 4);

    return rc < 0 ? rc : vmm_fwcfg_lend(fwcfg, key, bytes, count);
}

int vmm_fwcfg_lend_boot(struct vmm_fwcfg *fwcfg, const struct vmm_fwcfg_boot *boot)
{
    const size_t setup = setup_bytes(boot->kernel, boot->kernel_bytes);
    const size_t command = strlen(boot->command) + 1;
    int rc = lend_part(fwcfg, VMM_FWCFG_KERNEL_BYTES, VMM_FWCFG_KERNEL,
                       (const uint8_t *)boot->kernel + setup, boot->kernel_bytes - setup);

    if (rc == 0 && setup > 0)
        rc = lend_part(fwcfg, VMM_FWCFG_SETUP_BYTES, VMM_FWCFG_SETUP, boot->kernel, setup);
    if (rc == 0 && boot->initrd != NULL)
        rc = lend_part(fwcfg, VMM_FWCFG_INITRD_BYTES, VMM_FWCFG_INITRD, boot->initrd,
                       boot->initrd_bytes);
    if (rc == 0)
        rc = add_number(fwcfg, VMM_FWCFG_COMMAND_BYTES, command, 4);
    return rc < 0 ? rc : vmm_fwcfg_add(fwcfg, VMM_FWCFG_COMMAND, boot->command, command);
}
