/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of hawser-vmm. Constants only: help, man page and completion are made from them.
 */
#include "vmm-core/run/vmm_words.h"

#include <stddef.h>

static const struct hw_option run_options[] = {
    { .name = "memory", .argument = "SIZE", .help = "the guest's memory, 16M to 64G (128M)" },
    { .name = "cpus", .argument = "N", .help = "the guest's processors, 1 to 16 (1)" },
    { .name = "firmware",
      .argument = "FILE",
      .help = "boot by this firmware (SeaBIOS, where the distribution has it)" },
    { .name = "boot",
      .argument = "disk|net|menu",
      .help = "what the firmware tries first (disk); menu: it waits some seconds for Esc, and then "
              "offers what there is" },
    { .name = "firmware-log",
      .argument = "FILE",
      .help = "where what the firmware says about itself is added, at most 64 KiB a boot and 1 MiB "
              "in all" },
    { .name = "kernel",
      .argument = "FILE",
      .help = "boot this kernel directly: a bzImage, or an ELF file with a PVH note" },
    { .name = "initrd", .argument = "FILE", .help = "its initial ramdisk" },
    { .name = "append", .argument = "TEXT", .help = "its command line" },
    { .name = "disk",
      .argument = "vhost:SOCKET",
      .help = "a disk that a vhost-user-blk server, such as hawser-lun, serves at this socket; "
              "the first one is the guest's first",
      .repeats = true },
    { .name = "serial",
      .argument = "stdio|file:PATH|none",
      .help = "where the first serial port leads (none); on a terminal Ctrl-] ends the VM, and to "
              "a file goes only what the guest writes" },
    { .name = "console",
      .argument = "stdio|file:PATH|none",
      .help = "a virtio console (hvc0 in Linux), and where it leads, as with --serial (none)" },
    { .name = "net",
      .argument = "tap=NAME|fd:N,mac=MAC",
      .help = "a network device with this address on a tap interface that is there already, or on "
              "one that was handed over as descriptor N",
      .repeats = true },
    { .name = "balloon",
      .argument = "SIZE",
      .help = "ask the guest to give up so much of its memory" },
    { .name = "state",
      .argument = "vhost:SOCKET",
      .help = "where the VM's state is saved: the socket of hawser-lun --state" },
    { .name = "no-state", .help = "run although the VM's memory cannot be saved" },
    { .name = "discard-state", .help = "start cold, and give up a saved state that waits there" },
    { .name = "uuid", .argument = "UUID", .help = "the VM's, by which its state is known" },
    { .name = "node", .argument = "N", .help = "this node, as the state shall name it" },
    { .name = "generation",
      .argument = "G",
      .help = "of the ownership of the LUN, as the state shall name it" },
    { .name = "no-reboot", .help = "end when the guest resets itself, instead of booting again" },
    { .name = "on-panic",
      .argument = "go-on|pause|end",
      .help = "what to do when the guest's kernel says that it has panicked (go-on)" },
    { .name = "api",
      .argument = "unix:PATH",
      .help = "take orders there, one JSON object a line; hawser-vmm ctl sends them" },
    { .name = NULL },
};

static const struct hw_option inspect_options[] = {
    { .name = "state",
      .argument = "vhost:SOCKET|file:PATH",
      .help = "the state area: hawser-lun's socket of it, or a file with its bytes (from "
              "?offset=N on)" },
    { .name = "verify", .help = "read all of memory, too, and check it" },
    { .name = NULL },
};

static const struct hw_option ctl_options[] = {
    { .name = "api", .argument = "unix:PATH", .help = "the one of hawser-vmm run" },
    { .name = "timeout",
      .argument = "DURATION",
      .help = "how long to wait for the answer (30s; without end for a command that takes time)" },
    { .name = NULL },
};

static const struct hw_option console_options[] = {
    { .name = "api", .argument = "unix:PATH", .help = "the one of hawser-vmm run" },
    { .name = "last", .help = "print what the guest wrote last, and end" },
    { .name = NULL },
};

static const struct hw_verb verbs[] = {
    {
        .path = "run",
        .summary = "run a virtual machine",
        .text = "Makes a virtual machine of KVM and boots it by firmware or, with --kernel, a "
                "kernel directly. So far it has memory, "
                "processors, interrupt controllers, clocks, a serial port, a keyboard "
                "controller, a PCI bus, ACPI, and virtio disks, network devices, a "
                "console, entropy and a memory balloon: it is the ground that the rest of the "
                "machine will stand on.\n"
                "\n"
                "A disk is served by another process, which has to be there first: hawser-lun, or "
                "qemu-storage-daemon (vhost-user-blk). One that is not ready yet is waited for. "
                "When hawser-lun ends, or is killed, the guest waits, without any error, until it "
                "is back: that is told on standard error, once each. A server that keeps no record "
                "of its requests (INFLIGHT_SHMFD; qemu-storage-daemon) takes with it what it "
                "knew of them when it ends; the VM then ends with exit status 14.\n"
                "\n"
                "The firmware is SeaBIOS, unchanged. It has its console on the serial port, tries "
                "disks and network in order, and begins anew after 10 seconds where it finds "
                "nothing to boot. --kernel takes a file as it is installed (a bzImage, entered in "
                "64 bits) or an ELF file with a PVH note.\n"
                "\n"
                "It ends with SIGTERM or SIGINT, when it is told to quit, when the guest switches "
                "itself off, or, with "
                "--no-reboot, when the guest resets itself. The exit status tells which. What the "
                "guest writes on a console that leads to stdio goes to standard output, and "
                "standard input to the guest as fast as it reads.\n"
                "\n"
                "With --state it can be saved by order (ctl save), and ends with status 15 then. "
                "It does not start over a state that waits to be restored, nor with an area that "
                "is missing or too small. Before its guest runs the area is marked consumed, so "
                "that no older state of the VM is ever restored.",
        .example = "hawser-vmm run --memory 256M --kernel vmlinuz --append console=ttyS0 --serial "
                   "stdio --no-state",
        .options = run_options,
        .run = HW_RUN(vmm_verb_run),
    },
    {
        .path = "restore",
        .summary = "run a virtual machine that was saved",
        .text = "Makes the virtual machine that was saved, and goes on where it was. Give the "
                "options that it was run with; the kernel is for when the guest resets itself. "
                "All of the state is read and checked, then marked consumed, then the guest runs: "
                "its clocks have gone on meanwhile.\n"
                "\n"
                "A state of another VM or of another size, one that is damaged, and one that needs "
                "what this host lacks is refused, and stays where it is.",
        .example = "hawser-vmm restore --state vhost:/run/web1.state --memory 128M --kernel "
                   "vmlinux",
        .options = run_options,
        .run = HW_RUN(vmm_verb_restore),
    },
    {
        .path = "inspect",
        .summary = "show what is saved in a state area",
        .text = "Prints what the headers of a state area say, and what is saved there: of which "
                "VM, when, by which node, its sections and what a host must have to restore it. "
                "Nothing is written. A state that is damaged is refused with the place of the "
                "damage; memory is looked at with --verify only.",
        .example = "hawser-vmm inspect --state vhost:/run/web1.state --verify",
        .options = inspect_options,
        .run = HW_RUN(vmm_verb_inspect),
    },
    {
        .path = "ctl",
        .arguments = "COMMAND [NAME=VALUE...]",
        .summary = "give an order to a running virtual machine",
        .text =
            "Sends one order to the control socket of a hawser-vmm run, waits until it is "
            "done, and prints the answer; with --json as it came.\n"
            "\n"
            "save: the VM stands still, is saved, and ends; if that fails it goes on. save-live "
            "(downtime-ms, budget-ms, bandwidth in bytes a second): the same, but its memory is "
            "saved while it runs, and it stands about as long as downtime-ms. cancel: a save is "
            "given up, if that is still possible.\n"
            "\n"
            "status: what it is and does. events: what happens, until it ends. pause: its "
            "processors stand still. resume: they go "
            "on. powerdown: its power button is pressed; it is the guest that switches itself "
            "off then. reset: it boots again, as if its reset button had been pressed. metrics: "
            "what its processors came out of the guest for, and how much they ran. console: see "
            "below. balloon: "
            "with bytes=N the guest is asked to give up so much memory; how much it should and "
            "has, and what it said last of its memory. quit: it ends at once, as if its power had "
            "failed.\n"
            "\n"
            "On the socket each line is a JSON object with \"command\" and the NAMEs. The "
            "answer carries \"ok\", or \"error\" with object, reason and remedy, and the "
            "\"id\" of the order if it had one. Each connection is also told what happens, as "
            "lines with \"event\": paused, resumed, panicked, reset, state (its area is "
            "gone, or it stands until that answers), ended (with "
            "reason and exit status); and begun, progress, done or failed with \"command\", of one "
            "that takes time. One of those "
            "is under way at a time. A connection that does not read what it is told is "
            "closed.",
        .example = "hawser-vmm ctl --api unix:/run/web1.api status",
        .options = ctl_options,
        .run = HW_RUN(vmm_verb_ctl),
    },
    {
        .path = "console",
        .summary = "the serial port of a running virtual machine",
        .text = "Prints what the guest wrote last, and what it writes from then on; standard input "
                "goes to the guest, as fast as it reads. Ends with the VM, and on a terminal with "
                "Ctrl-].\n"
                "\n"
                "On the socket that is the order console. Its answer has the last bytes (4096, or "
                "\"bytes\") as \"text\", each byte a character from U+0000 to U+00FF. With "
                "\"attach\": true events \"console\" follow, with \"text\" and how many bytes "
                "were \"lost\" before it, since a connection that does not read waits for nobody. "
                "With \"input\", such a text, the answer says how many bytes of it were "
                "\"taken\"; the rest has to be sent again.",
        .example = "hawser-vmm console --api unix:/run/web1.api",
        .options = console_options,
        .run = HW_RUN(vmm_verb_console),
    },
    { .path = NULL },
};

static const struct hw_option common_options[] = {
    { .name = "help", .help = "print this text" },
    { .name = "json", .help = "print one JSON object a line instead of text" },
    { .name = NULL },
};

static const struct hw_exit_status exit_statuses[] = {
    { 0, "done; of run: the guest switched itself off" },
    { 1, "failed" },
    { 2, "wrong usage" },
    { 3, "refused, for safety or by policy" },
    { 5, "ctl: no answer came in time" },
    { 10, "run: the guest reset itself, with --no-reboot" },
    { 11, "run: the guest's kernel panicked, with --on-panic end" },
    { 12, "run: it was told to quit, by an order, a signal or its terminal" },
    { 13, "run: KVM cannot go on with the guest" },
    { 14, "run: a disk's server ended and kept no record of its requests" },
    { 15, "run, restore: the VM was saved" },
    { -1, NULL },
};

const struct hw_program vmm_program = {
    .name = "hawser-vmm",
    .section = 8,
    .summary = "the embedded virtual machine monitor",
    .text = "One hawser-vmm runs for each VM, beside its hawser-lun.",
    .verbs = verbs,
    .common_options = common_options,
    .exit_statuses = exit_statuses,
    .see_also = "hawser(1), hawser-lun(8)",
};
