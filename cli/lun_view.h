/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that can be read of one LUN, gathered once and printed by show, list, scan and
 * verify. Reads only. What another owner keeps from being read is said, not an error.
 */
#ifndef CLI_LUN_VIEW_H
#define CLI_LUN_VIEW_H

#include "cli/lun_open.h"
#include "storage/sto_occupied.h"

struct cli_view {
    const char *url; /* as given; the caller's */
    char name[STO_URL_BYTES];
    struct sto_facts facts;
    bool file;
    bool can_reserve;
    int keys_rc, reservation_rc; /* 0: read */
    struct sto_pr_keys keys;
    struct sto_pr_reservation reservation;
    int layout_rc; /* 0: read; -EBADE: another node's reservation keeps it from being read */
    struct hw_error layout_error;
    struct sto_layout layout;
    bool meta_read;
    struct sto_tool_meta meta;
    struct sto_findings findings; /* of a LUN that is not hawser's, if asked for */
};

/* Gather from an open LUN. `findings`: look what a LUN without hawser layout holds. 0, or -errno
 * with the message only where the LUN itself cannot be read at all. */
int cli_view_gather(struct cli_lun *lun, const char *url, bool findings, struct cli_view *ret_view,
                    struct hw_error *error);

enum { CLI_OWNER_TEXT_BYTES = 96 };
/* Who owns it, in a few words: "node 2, generation 7", "nobody" ... Returns `text`. */
const char *cli_view_owner_text(const struct cli_view *view, char text[CLI_OWNER_TEXT_BYTES]);

/* The whole view as JSON; NULL: out of memory. */
json_t *cli_view_json(const struct cli_view *view);

#endif
