/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of `hawser lun`: arguments, options and texts of its verbs. Constants only.
 */
#include "cli/verb.h"

#ifndef CLI_WORDS_ONLY
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

static const struct cli_option plain_options[] = { TIMEOUT_OPTION, { .name = NULL } };

static const struct cli_option init_options[] = {
    { .name = "max-memory",
      .argument = "SIZE",
      .help = "the most memory the VM will ever have; sizes the saved-state area" },
    { .name = "max-cpus", .argument = "N", .help = "the most virtual CPUs it will ever have (1)" },
    { .name = "cluster", .argument = "UUID", .help = "the cluster this LUN belongs to" },
    { .name = "node", .argument = "N", .help = "the number of the node that acts (65535)" },
    { .name = "generation",
      .argument = "G",
      .help = "the generation to act under; a higher one wins (1)" },
    { .name = "force", .help = "overwrite whatever the LUN holds" },
    TIMEOUT_OPTION,
    { .name = NULL },
};

static const struct cli_option identity_options[] = {
    IDENTITY_OPTIONS,
    TIMEOUT_OPTION,
    { .name = NULL },
};

static const struct cli_option takeover_options[] = {
    IDENTITY_OPTIONS,
    { .name = "force", .help = "take over from a foreign owner too" },
    TIMEOUT_OPTION,
    { .name = NULL },
};

static const struct cli_option handover_options[] = {
    IDENTITY_OPTIONS,
    { .name = "to", .argument = "N", .help = "the number of the node that takes over" },
    TIMEOUT_OPTION,
    { .name = NULL },
};

static const struct cli_option bench_options[] = {
    { .name = "seconds", .argument = "N", .help = "how long each measurement runs (5)" },
    { .name = "depth", .argument = "N", .help = "operations in flight (32)" },
    { .name = "write", .help = "also measure writes; they destroy what the LUN holds" },
    TIMEOUT_OPTION,
    { .name = NULL },
};

const struct cli_verb cli_verbs_lun[] = {
    { .path = "lun scan",
      .arguments = "URL",
      .summary = "find the LUNs behind a portal",
      .text = "Asks the portal of an iscsi: URL for its targets and each target for its LUNs, and "
              "prints the URL, size and vendor of each.",
      .example = "hawser lun scan iscsi://10.77.0.100",
      .options = plain_options,
      .run = CLI_RUN(cmd_lun_scan) },
    { .path = "lun init",
      .arguments = "URL",
      .summary = "lay out an empty LUN for hawser",
      .text = "Writes a partition table with the areas meta, disk and state. Refuses a LUN that "
              "holds a partition table, a file system, a foreign reservation or a foreign "
              "ownership record, and names what it found, unless --force is given.",
      .example = "hawser lun init iscsi://10.77.0.100/iqn.2026-11.lab:san/1 --max-memory 256M "
                 "--cluster 6b1f0c5e-8f0a-4d1e-9d5a-0c2b7a3e4f11",
      .options = init_options,
      .run = CLI_RUN(cmd_lun_init) },
    { .path = "lun import",
      .arguments = "URL FILE",
      .summary = "copy a raw disk image into the guest disk",
      .text = "The node that acts must own the LUN, or claims it for the copy. The image must fit "
              "into the disk area; the rest of the area is zeroed.",
      .options = identity_options,
      .run = CLI_RUN(cmd_lun_import) },
    { .path = "lun show",
      .arguments = "URL",
      .summary = "print size, areas, owner, key and generation of a LUN",
      .text = "Reads only. Prints the capacity and block size, what the target offers, the areas "
              "with the saved-state space reserved, the ownership record with its history, and "
              "the registered keys and the reservation as the target reports them.",
      .options = plain_options,
      .run = CLI_RUN(cmd_lun_show) },
    { .path = "lun list",
      .arguments = "URL...",
      .summary = "print one line for each LUN",
      .text = "Reads only. One line for each LUN: size, owner, generation, state.",
      .options = plain_options,
      .run = CLI_RUN(cmd_lun_list) },
    { .path = "lun verify",
      .arguments = "URL",
      .summary = "check that the storage keeps the promises hawser relies on",
      .text = "Probes a free LUN with two identities: that a reservation keeps the other out, that "
              "preemption removes exactly the key that was named, that a reset answers. Checks the "
              "layout and the ownership record. Leaves the LUN as it was.",
      .options = identity_options,
      .run = CLI_RUN(cmd_lun_verify) },
    { .path = "lun claim",
      .arguments = "URL",
      .summary = "become the owner of a free LUN",
      .text = "Registers, reserves, runs the barrier, verifies, writes the ownership record. "
              "Refuses a LUN that has an owner.",
      .options = identity_options,
      .run = CLI_RUN(cmd_lun_claim) },
    { .path = "lun takeover",
      .arguments = "URL",
      .summary = "become the owner in place of another node",
      .text = "Preempts exactly the key that was read, runs the barrier so that no write of the "
              "old owner is left in flight, verifies, writes the ownership record. Refuses if the "
              "present owner has a higher generation.",
      .options = takeover_options,
      .run = CLI_RUN(cmd_lun_takeover) },
    { .path = "lun handover",
      .arguments = "URL",
      .summary = "let another node become the owner",
      .text = "Drains and flushes, then writes the hand-over into the ownership record. The other "
              "node then takes the LUN over.",
      .options = handover_options,
      .run = CLI_RUN(cmd_lun_handover) },
    { .path = "lun release",
      .arguments = "URL",
      .summary = "give up the ownership of a LUN",
      .text = "Flushes, writes the release into the ownership record, gives up the reservation and "
              "the registration. Refuses if another node owns the LUN.",
      .options = identity_options,
      .run = CLI_RUN(cmd_lun_release) },
    { .path = "lun bench",
      .arguments = "URL",
      .summary = "measure sequential and random throughput of a LUN",
      .text = "Reads the guest disk, or the whole LUN where it has no layout, sequentially and at "
              "random. Writes only with --write.",
      .options = bench_options,
      .run = CLI_RUN(cmd_lun_bench) },
    { .path = NULL },
};
