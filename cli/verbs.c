/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of groups, and what all verbs have in common. A new group is one entry here, its table
 * in verbs_NAME.c and its man page's name in module.am.
 */
#include "cli/verbs.h"

#include <stddef.h>

static const struct hw_group groups[] = {
    {
        .name = "lun",
        .summary = "shared LUNs and who owns them",
        .text =
            "A LUN belongs to one node at a time. The owner holds a persistent reservation on the "
            "storage itself, so that nobody else's writes are accepted, and an ownership record on "
            "the LUN says which cluster, node and generation that is.\n"
            "\n"
            "LUNs are named by URL: iscsi://[user@]host[:port]/iqn/lun, block:/dev/..., or "
            "file:/path. A file cannot be fenced by reservations and serves development only. "
            "?offset=N&size=N picks a part of a LUN by bytes; #disk, #state or #meta picks an area "
            "by name. ?header-digest=crc32c has the headers of iSCSI checked by a checksum "
            "(none). A CHAP secret is never part of the URL: ?secret-file=PATH names the file "
            "that holds it.\n"
            "\n"
            "Without a running cluster, verbs that change a LUN want to be told who acts: "
            "--cluster, --node and --generation. They refuse without.",
        .verbs = cli_verbs_lun,
    },
    { .name = NULL },
};

static const struct hw_option common_options[] = {
    { .name = "help", .help = "print this text" },
    { .name = "json", .help = "print one JSON value instead of text" },
    { .name = NULL },
};

const struct hw_program cli_program = {
    .name = "hawser",
    .section = 1,
    .summary = "keep virtual machines running on hosts that share disks",
    .groups = groups,
    .common_options = common_options,
    .exit_statuses = hw_exit_statuses,
    .see_also = "hawser-lun(8)",
};
