/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the verbs of `hawser lun` share: options that name who acts and how long to wait, a LUN
 * opened for a look, progress on a terminal. Nothing here owns or changes a LUN.
 */
#ifndef CLI_LUN_OPEN_H
#define CLI_LUN_OPEN_H

#include "common/hw_call.h"
#include "storage/sto_lun.h"
#include "storage/sto_tool.h"
#include "storage/sto_url.h"

#include <jansson.h>

enum {
    CLI_LUN_READ_ONLY = 1u << 0, /* open without the right to write */
    CLI_LUN_SLOW = 1u << 1,      /* bulk work: a single command may take long */
    CLI_LUN_UNKNOWN = 1u << 2,   /* only open: no login, no facts */
};

struct cli_lun {
    struct sto_url url;
    struct sto_lun_options options; /* to open it once more */
    struct sto_lun *lun;
    struct sto_facts facts;
    uint32_t timeout_ms;
    FILE *err; /* where waits are told of; NULL: nowhere (JSON) */
};

/*
 * Read the URL of a whole LUN, with --secret-file of the call. 0, or -EINVAL with the message.
 */
int cli_lun_url(const struct hw_call *call, const char *text, struct sto_url *ret_url,
                struct hw_error *error);

/*
 * Open the LUN that `text` names, with --secret-file, --node and --timeout of the call: logged in
 * on the data session and identified. 0, or -errno with the message in `error` and nothing to
 * close. Blocks at most about twice the time-out.
 */
int cli_lun_open(const struct hw_call *call, const char *text, unsigned flags,
                 struct cli_lun *ret_lun, struct hw_error *error);
/* Log out and close; what was handed on (lun->lun = NULL) is left alone. */
void cli_lun_close(struct cli_lun *lun);
/* Is it a LUN whose owner can be enforced by reservations? */
bool cli_lun_can_reserve(const struct cli_lun *lun);

/* Who acts, given on the command line since no cluster says it. */
struct cli_identity {
    uint8_t cluster_uuid[STO_GUID_BYTES];
    uint16_t node;
    uint32_t generation;
};

/*
 * --cluster, --node and --generation, all required: without a cluster daemon nobody else can say
 * who acts. -EINVAL (usage) for a wrong value, -EPERM (refused) where one is missing.
 */
int cli_lun_identity(const struct hw_call *call, struct cli_identity *ret_identity,
                     struct hw_error *error);

/* Progress of `total` bytes on the terminal behind `out`; silent if it is none. */
struct cli_progress {
    FILE *out;
    const char *what; /* "zeroing the state area" */
    uint64_t total_bytes;
    int percent; /* shown last, -1 = nothing yet */
};
void cli_progress_begin(struct cli_progress *progress, FILE *out, const char *what,
                        uint64_t total_bytes);                              /* start */
void cli_progress_show(struct cli_progress *progress, uint64_t done_bytes); /* so far */
void cli_progress_end(struct cli_progress *progress);                       /* clear the line */

/* Print `value` as one line of JSON and drop it; NULL prints an error object. Exit status. */
int cli_print_json(const struct hw_call *call, json_t *value);

/* Read a whole number of random bytes for GUIDs. 0 or -errno. */
int cli_random_guid(uint8_t ret_guid[STO_GUID_BYTES]);

#endif
