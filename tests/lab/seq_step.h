/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One step of a sequence: a command on a nexus, and what came of it as one canonical line. Knows
 * the words of the table, not which answer is right.
 */
#ifndef SEQ_STEP_H
#define SEQ_STEP_H

#include "tests/lab/seq_port.h"

struct seq_state {
    struct seq_port *port;
    uint32_t generation;       /* PRGENERATION, as read last */
    bool up[SEQ_NEXUSES];      /* the data session */
    bool control[SEQ_NEXUSES]; /* the control session, for resets */
};

/* Bring all nexuses up, clear the LUN's reservations and registrations, step over all unit
 * attentions, read PRGENERATION. False: the target does not let us; the step is in ret_answer. */
bool seq_fresh(struct seq_state *state, char ret_answer[SEQ_ANSWER_BYTES]);

/* Run a step. "?" in front of the answer: the table asks for something that is not there. */
void seq_step_run(struct seq_state *state, const struct seq_step *step,
                  char ret_answer[SEQ_ANSWER_BYTES]);

#endif
