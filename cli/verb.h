/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a verb of the command line is. The tables (verbs_*.c) are the only source of verbs: the
 * parser, --help, the man pages and the bash completion are all made from them. Tables hold
 * nothing but constants, so that the page generator can be built on another machine than the one
 * hawser is for.
 */
#ifndef CLI_VERB_H
#define CLI_VERB_H

#include <stdbool.h>

struct cli_call;

/* `--name` or `--name ARGUMENT`. */
struct cli_option {
    const char *name;     /* without the dashes; NULL ends a table */
    const char *argument; /* what follows, as shown to people; NULL for a flag */
    const char *help;     /* one sentence without a full stop */
    bool repeats;         /* may be given more than once */
};

struct cli_verb {
    const char *path;      /* the words, such as "lun claim"; NULL ends a table */
    const char *arguments; /* such as "URL [FILE] [NAME...]"; words in [] may be left out */
    const char *summary;   /* one line, lower case, without a full stop */
    const char *text;      /* paragraphs, parted by an empty line */
    const char *example;   /* one command line that works as printed; may be NULL */
    const struct cli_option *options;
    /* Do it; returns the exit status (0 to 5, see cli_exit_statuses). */
    int (*run)(struct cli_call *call);
};

/* Verbs with the same first word; each group has a man page, hawser-NAME(8). */
struct cli_group {
    const char *name; /* the first word; NULL ends the list */
    const char *summary;
    const char *text; /* paragraphs for the group's man page */
    const struct cli_verb *verbs;
};

struct cli_exit_status {
    int status;
    const char *meaning;
};

/* Groups in the order they are shown in. */
extern const struct cli_group cli_groups[];
/* Options of every verb: --help, --json. */
extern const struct cli_option cli_common_options[];
/* 0 to 5, ended by status -1. */
extern const struct cli_exit_status cli_exit_statuses[];

/* The tables of the groups. */
extern const struct cli_verb cli_verbs_lun[];

/* A verb's code in a table; left out where only the words are wanted (the page generator). */
#ifdef CLI_WORDS_ONLY
#define CLI_RUN(function) 0
#else
#define CLI_RUN(function) (function)
#endif

#endif
