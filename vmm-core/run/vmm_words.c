/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of hawser-vmm. Constants only: help, man page and completion are made from them.
 */
#include "vmm-core/run/vmm_words.h"

#include <stddef.h>

static const struct hw_option run_options[] = {
    { .name = "memory", .argument = "SIZE", .help = "the guest's memory, 16M to 64G (128M)" },
    { .name = "cpus", .argument = "N", .help = "the guest's processors, 1 to 16 (1)" },
    { .name = "kernel",
      .argument = "FILE",
      .help = "boot this kernel directly: a bzImage, or an ELF file with a PVH note" },
    { .name = "initrd", .argument = "FILE", .help = "its initial ramdisk" },
    { .name = "append", .argument = "TEXT", .help = "its command line" },
    { .name = "serial",
      .argument = "stdio|none",
      .help = "where the first serial port leads (none); on a terminal Ctrl-] ends the VM" },
    { .name = "no-state",
      .help = "run although the VM's memory cannot be saved; wanted, for there is nothing yet to "
              "save it to" },
    { .name = "no-reboot", .help = "end when the guest resets itself, instead of booting again" },
    { .name = NULL },
};

static const struct hw_verb verbs[] = {
    {
        .path = "run",
        .summary = "run a virtual machine",
        .text = "Makes a virtual machine of KVM and boots a kernel in it. So far it has memory, "
                "processors, interrupt controllers, clocks, a serial port, a keyboard "
                "controller, a PCI bus and ACPI, and no disk: it is the ground that the rest of "
                "the machine will stand on.\n"
                "\n"
                "It ends with SIGTERM or SIGINT, when the guest switches itself off, or, with "
                "--no-reboot, when the guest resets itself. What the guest writes on the serial "
                "port goes to standard output, and "
                "standard input to the guest as fast as it reads.",
        .example = "hawser-vmm run --memory 256M --kernel vmlinuz --append console=ttyS0 --serial "
                   "stdio --no-state",
        .options = run_options,
        .run = HW_RUN(vmm_verb_run),
    },
    { .path = NULL },
};

static const struct hw_option common_options[] = {
    { .name = "help", .help = "print this text" },
    { .name = "json", .help = "print one JSON object a line instead of text" },
    { .name = NULL },
};

const struct hw_program vmm_program = {
    .name = "hawser-vmm",
    .section = 8,
    .summary = "the embedded virtual machine monitor",
    .text = "One hawser-vmm runs for each VM, beside its hawser-lun.",
    .verbs = verbs,
    .common_options = common_options,
    .exit_statuses = hw_exit_statuses,
    .see_also = "hawser(1), hawser-lun(8)",
};
