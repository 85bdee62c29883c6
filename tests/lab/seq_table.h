/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of reservation sequences (sequences.table): steps of nexuses with the answer that the
 * standard gives, and where a target is known to differ, that target's answer under the name of a
 * quirk. Reads text, judges its form, runs nothing.
 */
#ifndef SEQ_TABLE_H
#define SEQ_TABLE_H

#include <stdbool.h>

enum { SEQ_NEXUSES = 3, SEQ_WORDS = 6, SEQ_ANSWER_BYTES = 120 };

enum seq_target {
    SEQ_MODEL,         /* the model as it is: no quirk may be listed for it */
    SEQ_MODEL_AS_TGTD, /* with the switches that make it behave as tgtd */
    SEQ_MODEL_AS_LIO,  /* with LIO's */
    SEQ_TGTD,
    SEQ_LIO,
    SEQ_TARGETS,
};

struct seq_quirk {
    char *name, *reason;
};

struct seq_step {
    unsigned line; /* in the table */
    unsigned nexus;
    unsigned count;         /* words: the command and its arguments */
    char *words[SEQ_WORDS]; /* into the table's text, as all strings here */
    char *answer;           /* by the standard */
    struct {
        char *answer; /* NULL: none listed */
        unsigned quirk;
    } known[SEQ_TARGETS];
};

struct seq_sequence {
    char *name;
    unsigned step_count;
    struct seq_step *steps;
};

struct seq_table {
    char *text;
    unsigned quirk_count, sequence_count;
    struct seq_quirk *quirks;
    struct seq_sequence *sequences;
};

/* The target's name in the table, "model", "tgtd" ... */
const char *seq_target_name(enum seq_target target);
/* The target of that name; SEQ_TARGETS if there is none. */
enum seq_target seq_target_named(const char *name);

/*
 * Read the table. False, with one line on stderr, if it cannot be read, is not well-formed, or
 * names a quirk that no step shows. seq_table_free() afterwards in any case.
 */
bool seq_table_read(const char *path, struct seq_table *ret_table);
void seq_table_free(struct seq_table *table);

#endif
