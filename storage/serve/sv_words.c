/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of hawser-lun. Constants only: help, man page and completion are made from them.
 */
#include "storage/serve/sv_words.h"

#include <stddef.h>

static const struct hw_option options[] = {
    { .name = "lun",
      .argument = "URL#disk,socket=PATH[,ro]",
      .help = "serve this disk as vhost-user-blk on the unix socket PATH; ro: read-only; "
              "secret-file=FILE before the socket names the file of a CHAP secret",
      .repeats = true },
    { .name = "state",
      .argument = "URL#state,socket=PATH",
      .help = "serve the saved-state area of this LUN likewise" },
    { .name = "control",
      .argument = "unix:PATH",
      .help = "take orders there, one JSON object a line" },
    { .name = "feed",
      .argument = "unix:PATH|fd:N",
      .help = "take feeds there, packets of 40 bytes; wanted with --deadman-ms" },
    { .name = "lease",
      .argument = "member|storage",
      .help = "which lease shuts the gate: that of the feeds, or that of the LUN's own "
              "confirmations (member)" },
    { .name = "cluster", .argument = "UUID", .help = "the cluster the LUNs belong to" },
    { .name = "node", .argument = "N", .help = "the number of this node, 1 to 65535" },
    { .name = "generation",
      .argument = "G",
      .help = "own the LUNs at once: the first generation of a block of 16 that was granted; "
              "without it the order \"acquire\" is waited for" },
    { .name = "takeover", .help = "with --generation: another node's lower key may be preempted" },
    { .name = "deadman-ms",
      .argument = "N",
      .help = "T_deadman: nothing is written later than this after the beat that a feed names" },
    { .name = "store-ms",
      .argument = "N",
      .help = "T_store: nothing is written later than this after the LUN was last asked who "
              "owns it, with --lease storage (1500)" },
    { .name = "discard-state",
      .help = "give up a saved state that waits on the LUN: it is marked consumed" },
    { .name = "initiator",
      .argument = "NAME",
      .help = "the iSCSI initiator name to log in with (the host's)" },
    { .name = "uid",
      .argument = "N",
      .help = "become this user and group once everything is open (root: 64000; else the caller)" },
    { .name = "front-end-uid",
      .argument = "N",
      .help = "the user that the disks' sockets belong to: the VMM's (the one of --uid)" },
    { .name = "die-with-parent",
      .help = "end at once, like by kill -9, when the process that started this one does" },
    { .name = "no-sandbox", .help = "keep the caller's rights, for debugging" },
    { .name = NULL },
};

static const struct hw_verb verbs[] = {
    {
        .path = "",
        .summary = "serve the disks of one VM from LUNs that this node owns",
        .text =
            "Holds the sessions, registrations and reservations of a VM's LUNs, and serves the "
            "guest's disks and the saved-state area as vhost-user-blk to the VMM, straight from "
            "the guest's memory. Nothing is written before the LUNs are owned, after they are "
            "lost, or while the lease is over; until then requests wait, and none fails. When the "
            "process is killed and started again, with the same options, the guest only waits: "
            "requests that were not answered are read from the in-flight region and done again.\n"
            "\n"
            "LUNs of one VM are owned all or none. A file: URL has no reservations: it is locked "
            "on this host and serves development only. While a saved state on the LUN waits to be "
            "restored the disks stay shut; --discard-state gives up the one that is there when the "
            "LUNs are owned for the first time. The state is looked at anew each time they are: "
            "another node may have saved one meanwhile. Where it cannot be read the disks stay "
            "shut, that is told, and it is tried again. No byte is served by two disks, and no "
            "socket is for two.\n"
            "\n"
            "On the control socket each line is a JSON object with \"command\": acquire "
            "(generation, takeover, expected), hand-over (node), release, verify, hold, open, "
            "drain, discard-state, status, statistics, events, page, quit. The answer carries "
            "\"ok\", or \"error\" with object, reason and remedy, and the \"id\" of the order if "
            "it "
            "had one. After \"events\" what happens is told there as lines with \"event\". A drain "
            "ends "
            "without having been done when \"open\" comes, or the LUNs are lost or given up.\n"
            "\n"
            "SIGTERM and SIGINT end it, without giving the LUNs up: they stay claimed, as after "
            "kill -9. To give them up use the order release, then quit.\n"
            "\n"
            "Started as root it becomes another user, and it locks itself in before it reads "
            "anything from a target or a guest: no files, no network but its portals, a written "
            "list of system calls. The thread that takes the feeds is real-time and its memory is "
            "locked; without the right to that (ulimit -r, ulimit -l) it goes on, and "
            "\"statistics\" "
            "says so.\n"
            "\n"
            "Needs Linux 5.8 or newer with CONFIG_AIO, and 32 of the host's fs.aio-max-nr for each "
            "disk; without them it does not start, and says what is missing.",
        .example = "hawser-lun --lun file:/var/tmp/disk.img,socket=/run/web1.disk --control "
                   "unix:/run/web1.control",
        .options = options,
        .run = HW_RUN(sv_run),
    },
    { .path = NULL },
};

static const struct hw_option common_options[] = {
    { .name = "help", .help = "print this text" },
    { .name = "json", .help = "print one JSON object a line instead of text" },
    { .name = NULL },
};

const struct hw_program sv_program = {
    .name = "hawser-lun",
    .section = 8,
    .summary = "the storage process of a virtual machine",
    .text = "One hawser-lun runs for each VM, beside its VMM. clusterd starts it; by hand, "
            "hawser lun serve does, and starts it again when it dies.",
    .verbs = verbs,
    .common_options = common_options,
    .exit_statuses = hw_exit_statuses,
    .see_also = "hawser(1), hawser-lun(1)",
};
