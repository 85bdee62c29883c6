/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The help texts, made from the verb tables.
 */
#ifndef HW_HELP_H
#define HW_HELP_H

#include "common/hw_verb.h"

#include <stdio.h>

/* `PROGRAM --help`: every verb (of every group) with its summary. */
void hw_help_all(FILE *out, const struct hw_program *program);
/* `PROGRAM GROUP --help`: the group's text and its verbs. */
void hw_help_group(FILE *out, const struct hw_program *program, const struct hw_group *group);
/* `PROGRAM GROUP VERB --help`: synopsis, text, options, exit statuses. */
void hw_help_verb(FILE *out, const struct hw_program *program, const struct hw_verb *verb);

#endif
