/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs the table of reservation sequences over targets and compares every answer. In TAP, one test
 * for each sequence and target.
 *   sequences                                the model, as it is, as tgtd and as LIO
 *   sequences [--verbose] tgtd=URL lio=URL model ...
 * A target's answer must be the standard's, or what the table lists for it under a quirk's name;
 * a listed quirk that does not show is as wrong as a difference that is not listed.
 * HW_TOP_SRCDIR has the table; HW_SEQUENCES names another.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lab/seq_port.h"
#include "tests/lab/seq_step.h"
#include "tests/lab/seq_table.h"

struct runner {
    struct seq_table table;
    bool verbose;
    unsigned tests, failed;
    enum seq_target target;
    unsigned ran, steps, quirks;
    unsigned *shown; /* how often each quirk showed on this target */
};

static bool judge(struct runner *runner, const struct seq_step *step, const char *answer)
{
    const char *known = step->known[runner->target].answer;
    const char *expected = known != NULL ? known : step->answer;
    bool right = strcmp(answer, expected) == 0;

    runner->steps++;
    if (right && known != NULL) {
        runner->quirks++;
        runner->shown[step->known[runner->target].quirk]++;
    }
    if (!right || runner->verbose) {
        printf("# %sline %u: %c", right ? "" : "WRONG ", step->line, 'A' + (int)step->nexus);
        for (unsigned i = 0; i < step->count; i++)
            printf(" %s", step->words[i]);
        printf(" = %s", answer);
        if (!right)
            printf("   (expected: %s%s)", expected, known != NULL ? ", a known quirk" : "");
        printf("\n");
    }
    return right;
}

static void report(struct runner *runner, bool good, const char *name)
{
    runner->tests++;
    runner->failed += !good;
    printf("%sok %u - %s: %s\n", good ? "" : "not ", runner->tests, seq_target_name(runner->target),
           name);
    (void)fflush(stdout);
}

static void run_sequence(struct runner *runner, struct seq_state *state,
                         const struct seq_sequence *sequence)
{
    char answer[SEQ_ANSWER_BYTES] = "";
    bool fresh = seq_fresh(state, answer), good = fresh;

    if (!fresh)
        printf("# the LUN cannot be made fresh: %s\n", answer);
    for (unsigned i = 0; fresh && i < sequence->step_count; i++) {
        seq_step_run(state, &sequence->steps[i], answer);
        if (!judge(runner, &sequence->steps[i], answer))
            good = false;
    }
    runner->ran++;
    report(runner, good, sequence->name);
}

static bool run_target(struct runner *runner, enum seq_target target, const char *url)
{
    struct seq_state state = { .port = seq_port_open(target, url) };

    if (state.port == NULL)
        return false;
    runner->target = target;
    runner->ran = runner->steps = runner->quirks = 0;
    memset(runner->shown, 0, runner->table.quirk_count * sizeof(*runner->shown));
    for (unsigned i = 0; i < runner->table.sequence_count; i++)
        run_sequence(runner, &state, &runner->table.sequences[i]);
    seq_port_close(state.port);
    printf("# %s: %u sequences, %u steps, %u answers by known quirks\n", seq_target_name(target),
           runner->ran, runner->steps, runner->quirks);
    for (unsigned i = 0; i < runner->table.quirk_count; i++) {
        if (runner->shown[i] > 0)
            printf("#   %s (%u): %s\n", runner->table.quirks[i].name, runner->shown[i],
                   runner->table.quirks[i].reason);
    }
    return true;
}

static bool run_models(struct runner *runner)
{
    bool good = true;

    for (unsigned target = 0; target < SEQ_TGTD && good; target++)
        good = run_target(runner, (enum seq_target)target, NULL);
    return good;
}

/* "TARGET" for the models, "TARGET=URL" for the others. */
static bool run_argument(struct runner *runner, char *argument)
{
    char *url = strchr(argument, '=');
    enum seq_target target;

    if (url != NULL)
        *url++ = '\0';
    target = seq_target_named(argument);
    if (target == SEQ_TARGETS || (url == NULL) != (target < SEQ_TGTD)) {
        fprintf(stderr, "usage: sequences [--verbose] "
                        "[model|model-as-tgtd|model-as-lio|tgtd=URL|lio=URL]...\n");
        return false;
    }
    return run_target(runner, target, url);
}

static bool read_table(struct seq_table *ret_table)
{
    const char *path = getenv("HW_SEQUENCES"), *top = getenv("HW_TOP_SRCDIR");
    char beside[4096];

    if (path == NULL) {
        (void)snprintf(beside, sizeof(beside), "%s/tests/lab/sequences.table",
                       top != NULL ? top : ".");
        path = beside;
    }
    return seq_table_read(path, ret_table);
}

int main(int argc, char **argv)
{
    struct runner runner = { 0 };
    bool good = read_table(&runner.table);
    int at = 1;

    if (good) {
        runner.shown = calloc(runner.table.quirk_count + 1, sizeof(*runner.shown));
        good = runner.shown != NULL;
    }
    if (at < argc && strcmp(argv[at], "--verbose") == 0) {
        runner.verbose = true;
        at++;
    }
    if (good && at == argc)
        good = run_models(&runner);
    for (; good && at < argc; at++)
        good = run_argument(&runner, argv[at]);
    if (good)
        printf("1..%u\n", runner.tests);
    free(runner.shown);
    seq_table_free(&runner.table);
    return good && runner.failed == 0 ? 0 : 1;
}
