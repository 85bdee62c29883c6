/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of hawser-vmm: its verbs, options and texts. */
#ifndef VMM_WORDS_H
#define VMM_WORDS_H

#include "common/hw_verb.h"

extern const struct hw_program vmm_program;

/* hawser-vmm run; the exit status. */
int vmm_verb_run(struct hw_call *call);
/* hawser-vmm restore; the exit status. */
int vmm_verb_restore(struct hw_call *call);
/* hawser-vmm inspect; the exit status. */
int vmm_verb_inspect(struct hw_call *call);
/* hawser-vmm ctl; the exit status. */
int vmm_verb_ctl(struct hw_call *call);
/* hawser-vmm console; the exit status. */
int vmm_verb_console(struct hw_call *call);

#endif
