/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The words of the hawser command (common/hw_verb.h). */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "common/hw_verb.h"

/* The command. */
extern const struct hw_program cli_program;

/* The tables of its groups. */
extern const struct hw_verb cli_verbs_lun[];

#endif
