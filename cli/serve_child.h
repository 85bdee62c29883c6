/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hawser-lun of `hawser lun serve`: its command line, its start, its control socket.
 */
#ifndef CLI_SERVE_CHILD_H
#define CLI_SERVE_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/lun_open.h"

enum { CLI_SERVE_PATH_BYTES = 108, CLI_SERVE_WORDS = 32, CLI_SERVE_TEXT_BYTES = 8192 };

struct cli_serve_paths {
    char directory[80];
    char disk[CLI_SERVE_PATH_BYTES], state[CLI_SERVE_PATH_BYTES], control[CLI_SERVE_PATH_BYTES];
};

/* The words that hawser-lun is started with: pointers into `text`, NULL at the end. */
struct cli_serve_command {
    char *words[CLI_SERVE_WORDS];
    unsigned count;
    char text[CLI_SERVE_TEXT_BYTES];
    size_t used;
    char program[4096];
    bool full; /* it did not fit */
};

struct cli_serve_wish {
    struct sto_url url; /* area WHOLE: of hawser's layout, or the LUN itself */
    bool layout;
    bool owned; /* a LUN with an owner: `cluster`, `identity` count */
    const char *cluster;
    struct cli_identity identity;
    bool takeover, discard_state, sandbox;
    const char *initiator; /* NULL: the host's */
    uid_t front_end_uid;
};

/* The sockets of `directory`; -ENAMETOOLONG where their names would not fit, or hold a comma. */
int cli_serve_name_paths(const char *directory, struct cli_serve_paths *ret_paths);
/* 0, or -ENAMETOOLONG. */
int cli_serve_command(const struct cli_serve_wish *wish, const struct cli_serve_paths *paths,
                      struct cli_serve_command *ret_command);
/* Start it: its pid, or -errno. Its standard output is dropped: its events come by the socket. */
pid_t cli_serve_start(const struct cli_serve_command *command);
/* A descriptor of the control socket of `child` (close it), or -errno: -ENOENT, -ECONNREFUSED: not
 * yet; -EPERM: somebody else listens there. */
int cli_serve_connect(const struct cli_serve_paths *paths, pid_t child);

#endif
