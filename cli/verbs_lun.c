/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of `hawser lun`: arguments, options and texts of its verbs. Constants only.
 */
#include "cli/verbs.h"

#ifndef HW_WORDS_ONLY
#include "cli/cmd_lun.h"
#endif

#include <stddef.h>

/* Who acts, where no cluster says it. */
#define IDENTITY_OPTIONS                                                                  \
    { .name = "cluster", .argument = "UUID", .help = "the cluster this LUN belongs to" }, \
        { .name = "node",                                                                 \
          .argument = "N",                                                                \
          .help = "the number of the node that acts, 1 to 65535" },                       \
    {                                                                                     \
        .name = "generation", .argument = "G",                                            \
        .help = "the generation of this grant; a higher one wins"                         \
    }

/* How the LUN is reached. */
#define TIMEOUT_OPTION                                                                        \
    { .name = "secret-file",                                                                  \
      .argument = "FILE",                                                                     \
      .help = "CHAP user and password, in a file that others cannot read" },                  \
        { .name = "initiator",                                                                \
          .argument = "NAME",                                                                 \
          .help = "the iSCSI initiator name to log in with (the host's)" },                   \
    {                                                                                         \
        .name = "timeout", .argument = "TIME",                                                \
        .help = "give up when the target does not answer for TIME, such as 10s or 500ms (5s)" \
    }

static const struct hw_option plain_options[] = { TIMEOUT_OPTION, { .name = NULL } };

static const struct hw_option init_options[] = {
    { .name = "max-memory",
      .argument = "SIZE",
      .help = "the most memory the VM will ever have; sizes the saved-state area" },
    { .name = "max-cpus", .argument = "N", .help = "the most virtual CPUs it will ever have (1)" },
    { .name = "cluster", .argument = "UUID", .help = "the cluster this LUN belongs to" },
    { .name = "node", .argument = "N", .help = "the number of the node that acts (65535)" },
    { .name = "generation",
      .argument = "G",
      .help = "the generation to act under; a higher one wins (1)" },
    { .name = "force", .help = "overwrite whatever the LUN holds, unless a node owns it" },
    TIMEOUT_OPTION,
    { .name = NULL },
};

static const struct hw_option identity_options[] = {
    IDENTITY_OPTIONS,
    TIMEOUT_OPTION,
    { .name = NULL },
};

static const struct hw_option takeover_options[] = {
    IDENTITY_OPTIONS,
    { .name = "force",
      .help = "take over from a foreign owner too, or make a copy a LUN of its own" },
    TIMEOUT_OPTION,
    { .name = NULL },
};

static const struct hw_option handover_options[] = {
    IDENTITY_OPTIONS,
    { .name = "to", .argument = "N", .help = "the number of the node that takes over" },
    TIMEOUT_OPTION,
    { .name = NULL },
};

static const struct hw_option serve_options[] = {
    IDENTITY_OPTIONS,
    { .name = "takeover", .help = "take it over from another node, if another owns it" },
    { .name = "discard-state", .help = "give up a saved state that waits on the LUN" },
    { .name = "directory",
      .argument = "DIR",
      .help = "where the sockets are (/run/hawser/serve-PID; not as root "
              "$XDG_RUNTIME_DIR/hawser-serve-PID, or /tmp/hawser-serve-PID)" },
    { .name = "qemu-user",
      .argument = "USER",
      .help = "the user that QEMU runs as, such as libvirt-qemu (the caller)" },
    { .name = "no-sandbox", .help = "let the server keep the caller's rights, for debugging" },
    TIMEOUT_OPTION,
    { .name = NULL },
};

static const struct hw_option list_options[] = {
    { .name = "from",
      .argument = "FILE",
      .help = "read more URLs from FILE, one a line; - is stdin" },
    TIMEOUT_OPTION,
    { .name = NULL },
};

static const struct hw_option verify_options[] = {
    { .name = "probe", .help = "probe a LUN that nobody owns with two identities" },
    IDENTITY_OPTIONS,
    TIMEOUT_OPTION,
    { .name = NULL },
};

static const struct hw_option bench_options[] = {
    { .name = "seconds", .argument = "N", .help = "how long each measurement runs (5)" },
    { .name = "depth", .argument = "N", .help = "operations in flight, 1 to 128 (32)" },
    { .name = "write", .help = "also measure writes; they destroy what the guest disk holds" },
    IDENTITY_OPTIONS,
    TIMEOUT_OPTION,
    { .name = NULL },
};

const struct hw_verb cli_verbs_lun[] = {
    { .path = "lun scan",
      .arguments = "PORTAL",
      .summary = "find the LUNs behind a portal",
      .text = "Asks the portal for its targets and each target for its LUNs, and prints the URL, "
              "size and vendor of each, and what it holds: nothing, a hawser layout with its "
              "owner, or the signatures, tables and reservations that were found. Reads only.\n\n"
              "A target or LUN that cannot be read has its line with the reason.",
      .example = "hawser lun scan 10.77.0.100",
      .options = plain_options,
      .run = HW_RUN(cmd_lun_scan) },
    { .path = "lun init",
      .arguments = "URL",
      .summary = "lay out an empty LUN for hawser",
      .text = "Writes a GUID partition table with the areas meta, disk and state, the description "
              "of the LUN and a free ownership record. The state area is sized once, from "
              "--max-memory and --max-cpus, and cannot grow later. On a thin LUN it is written, so "
              "that a save never runs out of space.\n\n"
              "Refuses a LUN that holds anything: a partition table, a file system or other "
              "signature, data of no known format, a reservation or registered key, an ownership "
              "record. It names what it found. --force overwrites it; what a node owns is to be "
              "released "
              "first.\n\n"
              "Before anything is written, two identities probe whether reservations of the target "
              "can be trusted: every command that changes data is tried against the other's "
              "reservation. A target that lets one pass is refused; one that only lets discards "
              "pass is used without them.",
      .example = "hawser lun init iscsi://10.77.0.100/iqn.2026-11.lab:san/1 --max-memory 256M "
                 "--cluster 6b1f0c5e-8f0a-4d1e-9d5a-0c2b7a3e4f11",
      .options = init_options,
      .run = HW_RUN(cmd_lun_init) },
    { .path = "lun import",
      .arguments = "URL FILE",
      .summary = "copy a raw disk image into the guest disk",
      .text =
          "Claims the LUN, copies the image, flushes, reads it back and compares, then releases "
          "the LUN. The image must fit into the disk area; what lies behind its end is left as "
          "it is.",
      .options = identity_options,
      .run = HW_RUN(cmd_lun_import) },
    { .path = "lun show",
      .arguments = "URL",
      .summary = "print size, areas, owner, key and generation of a LUN",
      .text = "Reads only. Prints the capacity and block size, what the target offers, the areas "
              "with the saved-state space reserved, what the probe found, the ownership record "
              "with its history, and the registered keys and the reservation as the target reports "
              "them. Of a LUN that another node holds, only size and owner can be read: "
              "to whom that node handed it over is known once it is taken over.",
      .options = plain_options,
      .run = HW_RUN(cmd_lun_show) },
    { .path = "lun list",
      .arguments = "[URL...]",
      .summary = "print one line for each LUN",
      .text = "Reads only. One line for each LUN: size, owner, generation, space for the saved "
              "state. A LUN that cannot be read has a line with the reason, and makes the exit "
              "status.",
      .options = list_options,
      .run = HW_RUN(cmd_lun_list) },
    { .path = "lun verify",
      .arguments = "URL",
      .summary = "check a LUN and whether its storage keeps its promises",
      .text = "Reads both copies of the partition table, the description and the ownership record, "
              "compares the record with the reservation, and prints each check as ok, watch or "
              "BAD. Reads only, unless --probe is given.\n\n"
              "--probe tries with two identities on a LUN that nobody owns: that a reservation "
              "keeps the other out of every command that changes data, that preemption moves it "
              "and compares the key, that a reset answers. It acts on a scratch place of the meta "
              "area, and writes what it found into the LUN's description.",
      .options = verify_options,
      .run = HW_RUN(cmd_lun_verify) },
    { .path = "lun claim",
      .arguments = "URL",
      .summary = "become the owner of a free LUN",
      .text = "Registers, reserves, runs the barrier, verifies, writes the ownership record. "
              "Refuses a LUN that another node owns. Key and reservation stay on the LUN when the "
              "command ends.",
      .options = identity_options,
      .run = HW_RUN(cmd_lun_claim) },
    { .path = "lun takeover",
      .arguments = "URL",
      .summary = "become the owner in place of another node",
      .text = "Preempts exactly the key that was read, runs the barrier so that no write of the "
              "old owner is left in flight, verifies, writes the ownership record. Refuses if the "
              "present owner has a higher generation. That the old owner cannot write any more "
              "does not mean that its VM stopped: be sure of it.",
      .options = takeover_options,
      .run = HW_RUN(cmd_lun_takeover) },
    { .path = "lun handover",
      .arguments = "URL",
      .summary = "let another node become the owner",
      .text =
          "Drains and flushes, then writes the hand-over into the ownership record. The other "
          "node then takes the LUN over. Until then the reservation stays as it is, and keeps the "
          "record from being read: a third node that takes the LUN over is told afterwards whom "
          "it was for.",
      .options = handover_options,
      .run = HW_RUN(cmd_lun_handover) },
    { .path = "lun release",
      .arguments = "URL",
      .summary = "give up the ownership of a LUN",
      .text = "Flushes, writes the release into the ownership record, gives up the reservation and "
              "the registration. Refuses if another node owns the LUN, or none does. To give the "
              "LUN up "
              "the command owns it once more: it answers with the generation that it used for "
              "that, the next one behind the key that was there.",
      .options = identity_options,
      .run = HW_RUN(cmd_lun_release) },
    { .path = "lun serve",
      .arguments = "URL",
      .summary = "hand the guest disk to a QEMU of your own",
      .text =
          "Starts hawser-lun(8), which claims the LUN and serves its guest disk as a "
          "vhost-user-blk "
          "socket, and prints the options and libvirt elements that connect a QEMU to it. Stays, "
          "tells what happens, and starts the server again when it dies: the guest only waits. "
          "Each start and each lost session takes one more generation of the block of 16 that "
          "--generation begins; when it is used up the next block is taken, and "
          "said. When a started server cannot go on for now, as while its target is away, it is "
          "tried again after 0.2 s to 10 s, each time with the reason, until it serves or Ctrl-C "
          "ends it. Ctrl-C releases the LUN; if its server is dead, or dies over that, one is "
          "started once more for it. A second Ctrl-C does not wait for that, and leaves the LUN "
          "claimed. A LUN that stays claimed is told of, with exit status 1.\n"
          "\n"
          "While another node owns the LUN nothing is served; --takeover takes it away from it, at "
          "the first start only. When the LUN is lost to another node the guest's requests wait, "
          "and nothing of them is written: stop that QEMU. If no server was there when another "
          "node took the LUN over, or the server dies after that, the command ends with exit "
          "status 3 and says who has it. A saved state that waits on the LUN is refused, unless "
          "--discard-state gives it up. A file: URL is served too, without an owner.\n"
          "\n"
          "A QEMU that runs on finds the disk by the path of its socket: whoever ends this command "
          "and starts it again for that QEMU gives the same --directory, since the default one "
          "has a new name each time.",
      .example = "hawser lun serve iscsi://10.77.0.100/iqn.2026-11.lab:san/1 --node 1 "
                 "--generation 16 --cluster 6b1f0c5e-8f0a-4d1e-9d5a-0c2b7a3e4f11",
      .options = serve_options,
      .run = HW_RUN(cmd_lun_serve) },
    { .path = "lun bench",
      .arguments = "URL",
      .summary = "measure sequential and random throughput of a LUN",
      .text = "Reads the guest disk, or the whole LUN where it has no layout, sequentially (1 MiB) "
              "and at random (4 KiB). Writes only with --write, only into the guest disk, and only "
              "after it claimed the LUN.",
      .options = bench_options,
      .run = HW_RUN(cmd_lun_bench) },
    { .path = NULL },
};
