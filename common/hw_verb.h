/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words of a program's command line: its verbs, their arguments and options, their texts. The
 * tables are the only source of them: the parser, --help, the man pages and the bash completion
 * are all made from them. Tables hold nothing but constants, so that the page generator can be
 * built on another machine than the one hawser is for.
 */
#ifndef HW_VERB_H
#define HW_VERB_H

#include <stdbool.h>

struct hw_call;

/* `--name` or `--name ARGUMENT`. */
struct hw_option {
    const char *name;     /* without the dashes; NULL ends a table */
    const char *argument; /* what follows, as shown to people; NULL for a flag */
    const char *help;     /* one sentence without a full stop */
    bool repeats;         /* may be given more than once */
};

struct hw_verb {
    const char *path;      /* the words behind the program's name, such as "lun claim", or "" for
                              a program that does one thing; NULL ends a table */
    const char *arguments; /* such as "URL [FILE] [NAME...]"; words in [] may be left out */
    const char *summary;   /* one line, lower case, without a full stop */
    const char *text;      /* paragraphs, parted by an empty line */
    const char *example;   /* one command line that works as printed; may be NULL */
    const struct hw_option *options;
    /* Do it; returns the exit status (see the program's exit_statuses). */
    int (*run)(struct hw_call *call);
};

/* Verbs with the same first word; each group has a man page, PROGRAM-NAME. */
struct hw_group {
    const char *name; /* the first word; NULL ends the list */
    const char *summary;
    const char *text; /* paragraphs for the group's man page */
    const struct hw_verb *verbs;
};

struct hw_exit_status {
    int status; /* -1 ends a table */
    const char *meaning;
};

/* A program, in one of three shapes: verbs in groups (`groups`), verbs of one word each (`verbs`),
 * or one thing that it does (`verbs` of which the first has the path ""). */
struct hw_program {
    const char *name; /* "hawser" */
    int section;      /* of its man pages */
    const char *summary;
    const char *text;                       /* paragraphs for the man page; may be NULL */
    const struct hw_group *groups;          /* in the order they are shown in; or NULL */
    const struct hw_verb *verbs;            /* where there are no groups */
    const struct hw_option *common_options; /* of every verb; --help among them */
    const struct hw_exit_status *exit_statuses;
    const char *see_also; /* other pages, such as "hawser(1), clusterd(8)"; may be NULL */
};

/* Does this program do one thing, without verbs? */
static inline bool hw_program_is_plain(const struct hw_program *program)
{
    return program->groups == 0 && program->verbs[0].path[0] == '\0';
}

/* What every program ends with: 0 to 5 (cli.md). */
extern const struct hw_exit_status hw_exit_statuses[];

/* A verb's code in a table; left out where only the words are wanted (the page generator). */
#ifdef HW_WORDS_ONLY
#define HW_RUN(function) 0
#else
#define HW_RUN(function) (function)
#endif

#endif
