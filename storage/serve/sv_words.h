/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of hawser-lun: its one verb, options and texts. */
#ifndef SV_WORDS_H
#define SV_WORDS_H

#include "common/hw_verb.h"

extern const struct hw_program sv_program;

/* What hawser-lun does; the exit status. In sv_main.c. */
int sv_run(struct hw_call *call);

#endif
