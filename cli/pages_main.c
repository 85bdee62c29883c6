/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The page generator: man pages (mdoc) and the bash completion, made from the verb tables while
 * hawser is built, by a program of the machine that builds. It is not installed.
 *   hawser-pages man DATE | man-group DATE GROUP | bash
 */
#include "cli/verb.h"
#include "cli/words.h"

#include <stdio.h>
#include <string.h>

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

static void write_head(const char *date, const char *title_upper, const char *name,
                       const char *summary)
{
    printf(".\\\" SPDX-License-Identifier: GPL-2.0-or-later\n"
           ".\\\" Made from the verb tables in cli/; do not edit.\n"
           ".Dd %s\n.Dt %s 8\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n",
           date, title_upper, name, summary);
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

static void write_options(const struct cli_option *options)
{
    for (const struct cli_option *option = options; option && option->name; option++) {
        printf(".It Fl \\-%s", option->name);
        if (option->argument)
            printf(" Ar %s", option->argument);
        putchar('\n');
        write_text(option->help);
    }
}

static void write_exit_statuses(void)
{
    fputs(".Sh EXIT STATUS\n.Bl -tag -width Ds\n", stdout);
    for (const struct cli_exit_status *exit = cli_exit_statuses; exit->status >= 0; exit++)
        printf(".It %d\n%s\n", exit->status, exit->meaning);
    fputs(".El\n.Pp\nThe last line of an error names the object, the reason and the remedy.\n",
          stdout);
}

static void write_common_options(void)
{
    fputs(".Bl -tag -width Ds\n", stdout);
    write_options(cli_common_options);
    fputs(".El\n", stdout);
}

/* hawser(8): every verb in one line each. */
static void write_main_page(const char *date)
{
    write_head(date, "HAWSER", "hawser", "keep virtual machines running on hosts that share disks");
    fputs(".Sh SYNOPSIS\n.Nm\n.Ar verb ...\n.Op Fl \\-json\n.Op Ar option ...\n"
          ".Nm\n.Op Ar verb ...\n.Fl \\-help\n.Nm\n.Fl \\-version\n.Sh DESCRIPTION\n"
          "Words of a verb and names of options may be shortened as long as one alone fits:\n"
          ".Ql hawser lu sh\nis\n.Ql hawser lun show .\n.Pp\n"
          "Options may stand before or after arguments;\n.Fl \\-\nends them.\n.Pp\n"
          "These options go with every verb:\n",
          stdout);
    write_common_options();
    fputs(".Sh VERBS\n", stdout);
    for (const struct cli_group *group = cli_groups; group->name; group++) {
        printf(".Ss %s: %s\nSee\n.Xr hawser-%s 8 .\n.Bl -tag -width Ds\n", group->name,
               group->summary, group->name);
        for (const struct cli_verb *verb = group->verbs; verb->path; verb++)
            printf(".It Nm Ar %s\n%s\n", verb->path, verb->summary);
        fputs(".El\n", stdout);
    }
    write_exit_statuses();
    fputs(".Sh SEE ALSO\n", stdout);
    for (const struct cli_group *group = cli_groups; group->name; group++)
        printf(".Xr hawser-%s 8%s\n", group->name, group[1].name ? " ," : "");
}

static void write_verb(const struct cli_verb *verb)
{
    printf(".Ss hawser %s\n%s.\n.Pp\n.Nm hawser\n.Cm %s\n", verb->path, verb->summary, verb->path);
    write_arguments(verb->arguments);
    fputs(".Op Ar option ...\n.Pp\n", stdout);
    write_text(verb->text);
    if (verb->options && verb->options->name) {
        fputs(".Bl -tag -width Ds\n", stdout);
        write_options(verb->options);
        fputs(".El\n", stdout);
    }
    if (verb->example) {
        fputs(".Pp\nExample:\n.Bd -literal -offset indent\n", stdout);
        write_text(verb->example);
        fputs(".Ed\n", stdout);
    }
}

/* hawser-GROUP(8): the group's verbs in full. */
static int write_group_page(const char *date, const char *name)
{
    for (const struct cli_group *group = cli_groups; group->name; group++) {
        char page[64], title[64];

        if (strcmp(group->name, name) != 0)
            continue;
        (void)snprintf(page, sizeof(page), "hawser-%s", name);
        (void)snprintf(title, sizeof(title), "%s", page);
        for (char *c = title; *c != '\0'; c++)
            if (*c >= 'a' && *c <= 'z')
                *c = (char)(*c - 'a' + 'A');
        write_head(date, title, page, group->summary);
        printf(".Sh SYNOPSIS\n.Nm hawser\n.Cm %s\n.Ar verb\n.Ar argument ...\n"
               ".Op Ar option ...\n.Sh DESCRIPTION\n",
               name);
        write_text(group->text);
        fputs(".Pp\nThese options go with every verb:\n", stdout);
        write_common_options();
        fputs(".Sh VERBS\n", stdout);
        for (const struct cli_verb *verb = group->verbs; verb->path; verb++)
            write_verb(verb);
        write_exit_statuses();
        fputs(".Sh SEE ALSO\n.Xr hawser 8\n", stdout);
        return 0;
    }
    fprintf(stderr, "hawser-pages: %s: no such group\n", name);
    return 1;
}

static void write_option_names(const struct cli_option *options, bool only_with_argument)
{
    for (const struct cli_option *option = options; option && option->name; option++)
        if (option->argument || !only_with_argument)
            printf(" --%s", option->name);
}

/* The completion: words of the path, then the verb's options, files elsewhere. */
static void write_bash_completion(void)
{
    fputs("# SPDX-License-Identifier: GPL-2.0-or-later\n"
          "# bash completion for hawser; made from the verb tables in cli/, do not edit.\n\n"
          "_hawser()\n{\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local path='' words='' takes_value='' word\n"
          "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
          "        case $path in\n"
          "        *' '*) break ;;\n"
          "        esac\n"
          "        [[ $word == -* ]] || path+=${path:+ }$word\n"
          "    done\n"
          "    case $path in\n    '') words='",
          stdout);
    for (const struct cli_group *group = cli_groups; group->name; group++)
        printf("%s ", group->name);
    fputs("--help --version' ;;\n", stdout);
    for (const struct cli_group *group = cli_groups; group->name; group++) {
        printf("    '%s') words='", group->name);
        for (const struct cli_verb *verb = group->verbs; verb->path; verb++)
            printf("%s ", cli_verb_name(verb));
        fputs("--help' ;;\n", stdout);
        for (const struct cli_verb *verb = group->verbs; verb->path; verb++) {
            printf("    '%s') words='", verb->path);
            write_option_names(verb->options, false);
            write_option_names(cli_common_options, false);
            fputs("'\n        takes_value='", stdout);
            write_option_names(verb->options, true);
            fputs(" ' ;;\n", stdout);
        }
    }
    fputs("    esac\n"
          "    if [[ $takes_value == *\" $previous \"* ]]; then\n"
          "        COMPREPLY=()\n"
          "    elif [[ $path == *' '* && $current != -* ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
          "    else\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
          "    fi\n"
          "}\n"
          "complete -F _hawser hawser\n",
          stdout);
}

int main(int argc, char **argv)
{
    int status = 0;

    if (argc == 3 && !strcmp(argv[1], "man"))
        write_main_page(argv[2]);
    else if (argc == 4 && !strcmp(argv[1], "man-group"))
        status = write_group_page(argv[2], argv[3]);
    else if (argc == 2 && !strcmp(argv[1], "bash"))
        write_bash_completion();
    else
        status = 2;
    if (status == 2)
        fputs("usage: hawser-pages man DATE | man-group DATE GROUP | bash\n", stderr);
    return fflush(stdout) == 0 ? status : 1;
}
