/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The help texts, made from the verb tables.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/verb.h"

#include <stdio.h>

/* `hawser --help`: every verb of every group with its summary. */
void cli_help_all(FILE *out, const struct cli_group *groups);
/* `hawser GROUP --help`: the group's text and its verbs. */
void cli_help_group(FILE *out, const struct cli_group *group);
/* `hawser GROUP VERB --help`: synopsis, text, options, exit statuses. */
void cli_help_verb(FILE *out, const struct cli_verb *verb);

#endif
