/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firmware configuration device (QEMU docs/specs/fw_cfg.rst): items under a number, some of
 * them files with a name, that firmware and kernels read at ports 510h and 511h or have copied into
 * memory through port 514h. The guest cannot write any of them.
 *
 * What an item holds is part of the saved state, so that a guest reads on another host what it read
 * here. What was lent (a kernel, a ramdisk) is too large for that: of it only size and checksum are
 * saved, and where the same is lent it is read on, elsewhere as zeroes.
 */
#ifndef VMM_FWCFG_H
#define VMM_FWCFG_H

#include <stddef.h>

#include "vmm-core/machine/vmm_bus.h"
#include "vmm-core/machine/vmm_dev.h"
#include "vmm-core/machine/vmm_dma.h"

enum {
    VMM_FWCFG_NAME_BYTES = 56,      /* with the end */
    VMM_FWCFG_FILES = 32,           /* at most */
    VMM_FWCFG_ITEMS = 64,           /* at most, with the files */
    VMM_FWCFG_KEPT_BYTES = 1 << 20, /* of all items that are not lent; the state area has room */
};

/* Items by number. */
enum vmm_fwcfg_key {
    VMM_FWCFG_SIGNATURE = 0x00,
    VMM_FWCFG_ID = 0x01, /* what the device can do */
    VMM_FWCFG_UUID = 0x02,
    VMM_FWCFG_MEMORY_BYTES = 0x03,
    VMM_FWCFG_NO_GRAPHICS = 0x04,
    VMM_FWCFG_CPUS = 0x05,
    VMM_FWCFG_KERNEL_BYTES = 0x08,
    VMM_FWCFG_INITRD_BYTES = 0x0b,
    VMM_FWCFG_BOOT_MENU = 0x0e,
    VMM_FWCFG_MAX_CPUS = 0x0f,
    VMM_FWCFG_KERNEL = 0x11,
    VMM_FWCFG_INITRD = 0x12,
    VMM_FWCFG_COMMAND_BYTES = 0x14,
    VMM_FWCFG_COMMAND = 0x15,
    VMM_FWCFG_SETUP_BYTES = 0x17,
    VMM_FWCFG_SETUP = 0x18,
    VMM_FWCFG_DIRECTORY = 0x19, /* made by the device */
    VMM_FWCFG_FILE_FIRST = 0x20,
};

struct vmm_fwcfg;

/*
 * The device, with its signature and nothing else. `ret_dev` is for the machine; `ret_fwcfg` lives
 * as long. 0, -ENOMEM, or what vmm_bus_add() says.
 */
int vmm_fwcfg_new(struct vmm_bus *bus, const struct vmm_dma *dma, struct vmm_dev *ret_dev,
                  struct vmm_fwcfg **ret_fwcfg);

/*
 * Items, before the guest runs. The bytes are copied. 0; -EEXIST: there is one of that number or
 * name; -EINVAL: a number of the device's own or a file's, a name that is empty or too long;
 * -ENOSPC: too many, or too large; -ENOMEM.
 */
int vmm_fwcfg_add(struct vmm_fwcfg *fwcfg, uint16_t key, const void *bytes, size_t count);
int vmm_fwcfg_add_file(struct vmm_fwcfg *fwcfg, const char *name, const void *bytes, size_t count);
/* Likewise, but the bytes are the caller's, live as long as the device, and do not change. */
int vmm_fwcfg_lend(struct vmm_fwcfg *fwcfg, uint16_t key, const void *bytes, size_t count);

/* What firmware wants to know of the machine. */
struct vmm_fwcfg_platform {
    uint64_t low_bytes, high_bytes; /* of memory, below and from 4 GiB */
    uint16_t cpus;
    uint8_t uuid[16];      /* in the order that SMBIOS has */
    bool boot_menu;        /* offer to choose what to boot from, for some seconds */
    uint32_t boot_wait_ms; /* before it begins anew, when nothing can be booted from */
    uint16_t console_port; /* of the serial port that is the console; 0: none */
    uint16_t panic_port;   /* of pvpanic; 0: none */
};

/* Add all of that: numbers, and files "etc/e820", "etc/sercon-port" and others. Errors as above. */
int vmm_fwcfg_describe(struct vmm_fwcfg *fwcfg, const struct vmm_fwcfg_platform *platform);
/* What to boot from, in this order: text of vmm_boot_order(); nothing for "". Errors as above. */
int vmm_fwcfg_offer_boot_order(struct vmm_fwcfg *fwcfg, const char *order);

/* What firmware boots directly. */
struct vmm_fwcfg_boot {
    const void *kernel; /* with the setup code that a bzImage begins with, or any other file */
    size_t kernel_bytes;
    const void *initrd; /* may be NULL */
    size_t initrd_bytes;
    const char *command;
};

/* Lend kernel and ramdisk, add the command line. Errors as above. */
int vmm_fwcfg_lend_boot(struct vmm_fwcfg *fwcfg, const struct vmm_fwcfg_boot *boot);

#endif
