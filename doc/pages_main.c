/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page generator: man pages (mdoc) and the bash completion, made from the programs' tables of
 * words while hawser is built, by a program of the machine that builds. It is not installed.
 *   hawser-pages man PROGRAM DATE [GROUP] | bash PROGRAM
 */
#include "cli/verbs.h"
#include "storage/serve/sv_words.h"
#include "vmm-core/run/vmm_words.h"
#include "common/hw_words.h"

#include <stdio.h>
#include <string.h>

static const struct hw_program *const programs[] = { &cli_program, &sv_program, &vmm_program };

/* Text as mdoc wants it: one paragraph mark per empty line, nothing taken for a request. */
static void write_text(const char *text)
{
    bool starts_line = true;

    for (; *text != '\0'; text++) {
        if (text[0] == '\n' && text[1] == '\n') {
            fputs("\n.Pp\n", stdout);
            starts_line = true;
            text++;
            continue;
        }
        if (starts_line && (*text == '.' || *text == '\''))
            fputs("\\&", stdout);
        starts_line = *text == '\n';
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (text[0] == '-' && text[1] == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
        /* sentences start on a line of their own, so that roff sees where they end */
        if (*text == '.' && text[1] == ' ' && text[2] >= 'A' && text[2] <= 'Z') {
            putchar('\n');
            text++;
        }
    }
    putchar('\n');
}

static void write_upper(const char *text)
{
    for (; *text != '\0'; text++)
        putchar(*text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text);
}

static void write_head(const struct hw_program *program, const char *group, const char *date,
                       const char *summary)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%s%s%s", program->name, group ? "-" : "",
                   group ? group : "");
    printf(".\\\" SPDX-License-Identifier: GPL-2.0-or-later\n"
           ".\\\" Made from the program's tables of words; do not edit.\n"
           ".Dd %s\n.Dt ",
           date);
    write_upper(name);
    printf(" %d\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n", program->section, name, summary);
}

/* "URL [FILE] [NAME...]" as Ar and Op macros. */
static void write_arguments(const char *arguments)
{
    const char *at = arguments ? arguments : "";

    for (;;) {
        size_t length;

        at += strspn(at, " ");
        length = strcspn(at, " ");
        if (length == 0)
            return;
        if (at[0] == '[' && at[length - 1] == ']')
            printf(".Op Ar %.*s\n", (int)length - 2, at + 1);
        else
            printf(".Ar %.*s\n", (int)length, at);
        at += length;
    }
}

static void write_options(const struct hw_option *options)
{
    for (const struct hw_option *option = options; option && option->name; option++) {
        printf(".It Fl \\-%s", option->name);
        if (option->argument)
            printf(" Ar %s", option->argument);
        putchar('\n');
        write_text(option->help);
    }
}

static void write_exit_statuses(const struct hw_program *program)
{
    fputs(".Sh EXIT STATUS\n.Bl -tag -width Ds\n", stdout);
    for (const struct hw_exit_status *exit = program->exit_statuses; exit->status >= 0; exit++)
        printf(".It %d\n%s\n", exit->status, exit->meaning);
    fputs(".El\n.Pp\nThe last line of an error names the object, the reason and the remedy.\n",
          stdout);
}

static void write_option_list(const struct hw_option *options)
{
    if (!options || !options->name)
        return;
    fputs(".Bl -tag -width Ds\n", stdout);
    write_options(options);
    fputs(".El\n", stdout);
}

/* "hawser(1), clusterd(8)" as Xr macros. */
static void write_see_also(const struct hw_program *program)
{
    const char *at = program->see_also ? program->see_also : "";
    bool begun = false;

    for (const struct hw_group *group = program->groups; group && group->name; group++) {
        printf("%s.Xr %s-%s %d", begun ? " ,\n" : ".Sh SEE ALSO\n", program->name, group->name,
               program->section);
        begun = true;
    }
    while (*at != '\0') {
        size_t name = strcspn(at, "("), length = strcspn(at, ",");

        printf("%s.Xr %.*s %c", begun ? " ,\n" : ".Sh SEE ALSO\n", (int)name, at, at[name + 1]);
        begun = true;
        at += length;
        at += strspn(at, ", ");
    }
    if (begun)
        putchar('\n');
}

static void write_example(const struct hw_verb *verb)
{
    if (!verb->example)
        return;
    fputs(".Pp\nExample:\n.Bd -literal -offset indent\n", stdout);
    write_text(verb->example);
    fputs(".Ed\n", stdout);
}

static void write_verb(const struct hw_program *program, const struct hw_verb *verb)
{
    printf(".Ss %s %s\n%s.\n.Pp\n.Nm %s\n.Cm %s\n", program->name, verb->path, verb->summary,
           program->name, verb->path);
    write_arguments(verb->arguments);
    fputs(".Op Ar option ...\n.Pp\n", stdout);
    write_text(verb->text);
    write_option_list(verb->options);
    write_example(verb);
}

/* A program that does one thing. */
static void write_plain_page(const struct hw_program *program)
{
    const struct hw_verb *verb = program->verbs;

    printf(".Sh SYNOPSIS\n.Nm %s\n", program->name);
    write_arguments(verb->arguments);
    printf(".Op Ar option ...\n.Nm\n.Fl \\-help\n.Nm\n.Fl \\-version\n.Sh DESCRIPTION\n");
    write_text(verb->text);
    if (program->text)
        write_text(program->text);
    fputs(".Sh OPTIONS\n", stdout);
    write_option_list(verb->options);
    write_option_list(program->common_options);
    write_example(verb);
}

/* A program with verbs: each in one line, in full where it has no pages of groups. */
static void write_verbs_page(const struct hw_program *program)
{
    printf(".Sh SYNOPSIS\n.Nm %s\n.Ar verb ...\n.Op Ar option ...\n"
           ".Nm\n.Op Ar verb ...\n.Fl \\-help\n.Nm\n.Fl \\-version\n.Sh DESCRIPTION\n",
           program->name);
    if (program->text)
        write_text(program->text);
    fputs("Words of a verb and names of options may be shortened as long as one alone fits:\n"
          ".Ql hawser lu sh\nis\n.Ql hawser lun show .\n.Pp\n"
          "Options may stand before or after arguments;\n.Fl \\-\nends them.\n.Pp\n"
          "These options go with every verb:\n",
          stdout);
    write_option_list(program->common_options);
    fputs(".Sh VERBS\n", stdout);
    for (const struct hw_group *group = program->groups; group && group->name; group++) {
        printf(".Ss %s: %s\nSee\n.Xr %s-%s %d .\n.Bl -tag -width Ds\n", group->name, group->summary,
               program->name, group->name, program->section);
        for (const struct hw_verb *verb = group->verbs; verb->path; verb++)
            printf(".It Nm Ar %s\n%s\n", verb->path, verb->summary);
        fputs(".El\n", stdout);
    }
    for (const struct hw_verb *verb = program->verbs; verb && verb->path; verb++)
        write_verb(program, verb);
}

static void write_main_page(const struct hw_program *program, const char *date)
{
    write_head(program, NULL, date, program->summary);
    if (hw_program_is_plain(program))
        write_plain_page(program);
    else
        write_verbs_page(program);
    write_exit_statuses(program);
    write_see_also(program);
}

/* PROGRAM-GROUP: the group's verbs in full. */
static void write_group_page(const struct hw_program *program, const struct hw_group *group,
                             const char *date)
{
    write_head(program, group->name, date, group->summary);
    printf(".Sh SYNOPSIS\n.Nm %s\n.Cm %s\n.Ar verb\n.Ar argument ...\n"
           ".Op Ar option ...\n.Sh DESCRIPTION\n",
           program->name, group->name);
    write_text(group->text);
    fputs(".Pp\nThese options go with every verb:\n", stdout);
    write_option_list(program->common_options);
    fputs(".Sh VERBS\n", stdout);
    for (const struct hw_verb *verb = group->verbs; verb->path; verb++)
        write_verb(program, verb);
    write_exit_statuses(program);
    printf(".Sh SEE ALSO\n.Xr %s %d\n", program->name, program->section);
}

static void write_option_names(const struct hw_option *options, bool only_with_argument)
{
    for (const struct hw_option *option = options; option && option->name; option++)
        if (option->argument || !only_with_argument)
            printf(" --%s", option->name);
}

static void write_names(const struct hw_verb *verbs)
{
    for (const struct hw_verb *verb = verbs; verb && verb->path; verb++)
        printf("%s ", hw_verb_name(verb));
}

/* One arm of the case on the words so far: a verb's options. */
static void write_verb_arm(const struct hw_program *program, const struct hw_verb *verb)
{
    printf("    '%s') words='", verb->path);
    write_option_names(verb->options, false);
    write_option_names(program->common_options, false);
    fputs("'\n        takes_value='", stdout);
    write_option_names(verb->options, true);
    fputs(" ' ;;\n", stdout);
}

/* The arms for the words before a verb is there. */
static void write_arms(const struct hw_program *program)
{
    if (!hw_program_is_plain(program)) {
        fputs("    '') words='", stdout);
        for (const struct hw_group *group = program->groups; group && group->name; group++)
            printf("%s ", group->name);
        write_names(program->verbs);
        fputs("--help --version' ;;\n", stdout);
    }
    for (const struct hw_group *group = program->groups; group && group->name; group++) {
        printf("    '%s') words='", group->name);
        write_names(group->verbs);
        fputs("--help' ;;\n", stdout);
        for (const struct hw_verb *verb = group->verbs; verb->path; verb++)
            write_verb_arm(program, verb);
    }
    for (const struct hw_verb *verb = program->verbs; verb && verb->path; verb++)
        write_verb_arm(program, verb);
}

/* The completion: words of the path, then the verb's options, files elsewhere. */
static void write_bash_completion(const struct hw_program *program)
{
    char function[64];
    unsigned depth = program->groups ? 2 : hw_program_is_plain(program) ? 0 : 1;

    (void)snprintf(function, sizeof(function), "_%s", program->name);
    for (char *c = function; *c != '\0'; c++)
        *c = *c == '-' ? '_' : *c;
    printf("# SPDX-License-Identifier: GPL-2.0-or-later\n"
           "# bash completion for %s; made from its tables of words, do not edit.\n\n"
           "%s()\n{\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    local path='' words='' takes_value='' depth=0 word\n"
           "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
           "        [ \"$depth\" -lt %u ] || break\n"
           "        [[ $word == -* ]] || { path+=${path:+ }$word; depth=$((depth + 1)); }\n"
           "    done\n"
           "    case $path in\n",
           program->name, function, depth);
    write_arms(program);
    printf("    esac\n"
           "    if [[ $takes_value == *\" $previous \"* ]]; then\n"
           "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
           "    elif [[ $depth -eq %u && $current != -* ]]; then\n"
           "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
           "    else\n"
           "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
           "    fi\n"
           "}\n"
           "complete -F %s %s\n",
           depth, function, program->name);
}

static const struct hw_program *find_program(const char *name)
{
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
        if (!strcmp(programs[i]->name, name))
            return programs[i];
    return NULL;
}

static const struct hw_group *find_group(const struct hw_program *program, const char *name)
{
    for (const struct hw_group *group = program->groups; group && group->name; group++)
        if (!strcmp(group->name, name))
            return group;
    return NULL;
}

int main(int argc, char **argv)
{
    const struct hw_program *program = argc >= 3 ? find_program(argv[2]) : NULL;
    const struct hw_group *group = program && argc == 5 ? find_group(program, argv[4]) : NULL;

    if (program && argc == 4 && !strcmp(argv[1], "man")) {
        write_main_page(program, argv[3]);
    } else if (group && !strcmp(argv[1], "man")) {
        write_group_page(program, group, argv[3]);
    } else if (program && argc == 3 && !strcmp(argv[1], "bash")) {
        write_bash_completion(program);
    } else {
        fputs("usage: hawser-pages man PROGRAM DATE [GROUP] | bash PROGRAM\n", stderr);
        return 2;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
