/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes help texts from the verb tables, 80 columns wide. Knows no verb by name.
 */
#include <config.h>

#include "common/hw_help.h"

#include "common/hw_words.h"

#include <string.h>

enum { HELP_COLUMNS = 80, TEXT_INDENT = 2, OPTION_COLUMN = 26 };

/* Write `text` from column `column` on, wrapped, further lines and paragraphs at `indent`. */
static void write_wrapped(FILE *out, const char *text, size_t column, size_t indent)
{
    bool starts_line = true;

    for (;;) {
        size_t breaks = 0, length;

        for (; *text == ' ' || *text == '\n'; text++)
            breaks += *text == '\n' ? 1 : 0;
        length = strcspn(text, " \n");
        if (length == 0)
            break;
        if (breaks > 1)
            (void)fputs("\n", out);
        if (breaks > 1 || (!starts_line && column + 1 + length > HELP_COLUMNS)) {
            (void)fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
            starts_line = true;
        }
        (void)fprintf(out, "%s%.*s", starts_line ? "" : " ", (int)length, text);
        column += length + (starts_line ? 0 : 1);
        starts_line = false;
        text += length;
    }
    (void)fputc('\n', out);
}

static void write_paragraphs(FILE *out, const char *text)
{
    (void)fprintf(out, "%*s", TEXT_INDENT, "");
    write_wrapped(out, text, TEXT_INDENT, TEXT_INDENT);
}

/* A left column of `left`, then `right` wrapped beside it (below it if `left` is too long). */
static void write_pair(FILE *out, const char *left, const char *right)
{
    int written = fprintf(out, "%*s%s", TEXT_INDENT, "", left);

    if (written < 0)
        return;
    if (written + 1 >= OPTION_COLUMN)
        (void)fprintf(out, "\n%*s", OPTION_COLUMN, "");
    else
        (void)fprintf(out, "%*s", OPTION_COLUMN - written, "");
    write_wrapped(out, right, OPTION_COLUMN, OPTION_COLUMN);
}

static void write_options(FILE *out, const struct hw_option *options)
{
    for (const struct hw_option *option = options; option && option->name; option++) {
        char left[64];

        (void)snprintf(left, sizeof(left), "--%s%s%s", option->name, option->argument ? " " : "",
                       option->argument ? option->argument : "");
        write_pair(out, left, option->help);
    }
}

static void write_verbs(FILE *out, const struct hw_verb *verbs)
{
    for (const struct hw_verb *verb = verbs; verb->path; verb++) {
        char left[64];

        (void)snprintf(left, sizeof(left), "%s%s%s", verb->path, verb->arguments ? " " : "",
                       verb->arguments ? verb->arguments : "");
        write_pair(out, left, verb->summary);
    }
}

static void write_exit_statuses(FILE *out, const struct hw_program *program)
{
    (void)fputs("\nExit status:\n", out);
    for (const struct hw_exit_status *exit = program->exit_statuses; exit->status >= 0; exit++)
        (void)fprintf(out, "  %d %s\n", exit->status, exit->meaning);
}

void hw_help_all(FILE *out, const struct hw_program *program)
{
    const char *name = program->name;

    (void)fprintf(out,
                  "usage: %s VERB... %s[OPTION...]\n"
                  "       %s [VERB...] --help\n"
                  "       %s --version\n"
                  "Words may be shortened as long as one verb alone fits.\n",
                  name, hw_program_option(program, "json") ? "[--json] " : "", name, name);
    for (const struct hw_group *group = program->groups; group && group->name; group++) {
        (void)fprintf(out, "\n%s: %s\n", group->name, group->summary);
        write_verbs(out, group->verbs);
    }
    if (!program->groups) {
        (void)fputc('\n', out);
        write_verbs(out, program->verbs);
    }
    write_exit_statuses(out, program);
    (void)fprintf(out, "See %s(%d).\n", name, program->section);
}

void hw_help_group(FILE *out, const struct hw_program *program, const struct hw_group *group)
{
    (void)fprintf(out, "%s %s: %s\n\n", program->name, group->name, group->summary);
    write_verbs(out, group->verbs);
    (void)fputc('\n', out);
    write_paragraphs(out, group->text);
    (void)fprintf(out, "\nSee %s-%s(%d).\n", program->name, group->name, program->section);
}

void hw_help_verb(FILE *out, const struct hw_program *program, const struct hw_verb *verb)
{
    const char *space = verb->path[0] ? " " : "";

    (void)fprintf(out, "usage: %s%s%s%s%s [OPTION...]\n\n", program->name, space, verb->path,
                  verb->arguments ? " " : "", verb->arguments ? verb->arguments : "");
    (void)fprintf(out, "  %s%s%s: %s.\n\n", program->name, space, verb->path, verb->summary);
    write_paragraphs(out, verb->text);
    (void)fputs("\nOptions:\n", out);
    write_options(out, verb->options);
    write_options(out, program->common_options);
    if (verb->example)
        (void)fprintf(out, "\nExample:\n  %s\n", verb->example);
    write_exit_statuses(out, program);
}
