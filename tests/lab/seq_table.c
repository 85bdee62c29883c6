/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads sequences.table. Lines:
 *   quirk NAME: REASON                       a known difference of a target and why it is none of
 * ours sequence NAME                            what follows are its steps, from a fresh LUN A
 * COMMAND ARGUMENT... = ANSWER           nexus A, B or C
 *   @QUIRK TARGET... = ANSWER                ... but these targets answer the step before so
 */
#include "config.h"

#include "tests/lab/seq_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const target_names[SEQ_TARGETS] = { "model", "model-as-tgtd", "model-as-lio",
                                                       "tgtd", "lio" };

struct reader {
    const char *path;
    unsigned line;
    struct seq_table *table;
    bool *quirk_shown;
};

const char *seq_target_name(enum seq_target target)
{
    return target_names[target];
}

enum seq_target seq_target_named(const char *name)
{
    enum seq_target target = SEQ_MODEL;

    while (target < SEQ_TARGETS && strcmp(target_names[target], name) != 0)
        target++;
    return target;
}

static bool complain(const struct reader *reader, const char *what)
{
    fprintf(stderr, "%s:%u: %s\n", reader->path, reader->line, what);
    return false;
}

/* One more element at the end of an array, zeroed; NULL: out of memory. */
static void *grow(void *array, unsigned *count, size_t size)
{
    char *grown = reallocarray(array, (size_t)*count + 1, size);

    if (grown != NULL)
        memset(grown + size * (*count)++, 0, size);
    return grown;
}

static char *trim(char *text)
{
    size_t bytes;

    text += strspn(text, " \t");
    bytes = strlen(text);
    while (bytes > 0 && (text[bytes - 1] == ' ' || text[bytes - 1] == '\t'))
        text[--bytes] = '\0';
    return text;
}

/* Cut `text` at the first `mark`: what stands behind it, or NULL. */
static char *cut(char *text, char mark)
{
    char *at = strchr(text, mark);

    if (at == NULL)
        return NULL;
    *at = '\0';
    return trim(at + 1);
}

static bool read_quirk(struct reader *reader, char *text)
{
    struct seq_table *table = reader->table;
    char *reason = cut(text, ':');
    struct seq_quirk *quirks;
    bool *shown;
    unsigned count = table->quirk_count;

    if (reason == NULL || *reason == '\0')
        return complain(reader, "a quirk has a reason: quirk NAME: REASON");
    quirks = grow(table->quirks, &table->quirk_count, sizeof(*quirks));
    if (quirks == NULL)
        return complain(reader, "out of memory");
    table->quirks = quirks;
    quirks[count] = (struct seq_quirk) { .name = trim(text), .reason = reason };
    shown = grow(reader->quirk_shown, &count, sizeof(*shown));
    if (shown == NULL)
        return complain(reader, "out of memory");
    reader->quirk_shown = shown;
    return true;
}

static bool read_sequence(struct reader *reader, char *text)
{
    struct seq_table *table = reader->table;
    struct seq_sequence *grown =
        grow(table->sequences, &table->sequence_count, sizeof(*table->sequences));

    if (grown == NULL)
        return complain(reader, "out of memory");
    table->sequences = grown;
    grown[table->sequence_count - 1].name = trim(text);
    return true;
}

static bool read_step(struct reader *reader, char *text)
{
    struct seq_table *table = reader->table;
    char *answer = cut(text, '='), *rest = text, *word;
    struct seq_sequence *sequence;
    struct seq_step *step;

    if (table->sequence_count == 0 || answer == NULL || *answer == '\0' ||
        strlen(answer) >= SEQ_ANSWER_BYTES || text[0] < 'A' || text[0] >= 'A' + SEQ_NEXUSES ||
        text[1] != ' ')
        return complain(reader, "a step of a sequence is: A COMMAND ARGUMENT... = ANSWER");
    sequence = &table->sequences[table->sequence_count - 1];
    step = grow(sequence->steps, &sequence->step_count, sizeof(*step));
    if (step == NULL)
        return complain(reader, "out of memory");
    sequence->steps = step;
    step += sequence->step_count - 1;
    step->line = reader->line;
    step->nexus = (unsigned)(text[0] - 'A');
    step->answer = answer;
    rest += 1;
    while ((word = strsep(&rest, " ")) != NULL) {
        if (*word == '\0')
            continue;
        if (step->count == SEQ_WORDS)
            return complain(reader, "too many words");
        step->words[step->count++] = word;
    }
    return step->count > 0 || complain(reader, "a step has a command");
}

static unsigned find_quirk(const struct seq_table *table, const char *name)
{
    unsigned at = 0;

    while (at < table->quirk_count && strcmp(table->quirks[at].name, name) != 0)
        at++;
    return at;
}

static bool read_known(struct reader *reader, char *text)
{
    struct seq_table *table = reader->table;
    char *answer = cut(text, '='), *rest = text, *word;
    struct seq_sequence *sequence = table->sequences + table->sequence_count - 1;
    struct seq_step *step;
    unsigned quirk;

    if (table->sequence_count == 0 || sequence->step_count == 0 || answer == NULL)
        return complain(reader, "behind a step: @QUIRK TARGET... = ANSWER");
    step = &sequence->steps[sequence->step_count - 1];
    word = strsep(&rest, " ");
    quirk = find_quirk(table, word);
    if (quirk == table->quirk_count)
        return complain(reader, "no such quirk");
    if (strcmp(answer, step->answer) == 0)
        return complain(reader, "that is what the standard says");
    while ((word = strsep(&rest, " ")) != NULL) {
        enum seq_target target = seq_target_named(word);

        if (*word == '\0')
            continue;
        if (target == SEQ_TARGETS || target == SEQ_MODEL)
            return complain(reader, "no such target, or the model, which has no quirks");
        if (step->known[target].answer != NULL)
            return complain(reader, "the target has two answers");
        step->known[target].answer = answer;
        step->known[target].quirk = quirk;
        reader->quirk_shown[quirk] = true;
    }
    return true;
}

static bool read_line(struct reader *reader, char *text)
{
    text = trim(text);
    if (*text == '\0' || *text == '#')
        return true;
    if (strncmp(text, "quirk ", 6) == 0)
        return read_quirk(reader, text + 6);
    if (strncmp(text, "sequence ", 9) == 0)
        return read_sequence(reader, text + 9);
    if (*text == '@')
        return read_known(reader, text + 1);
    return read_step(reader, text);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t room = 0;
    ssize_t bytes = -1;

    if (file != NULL) {
        bytes = getdelim(&text, &room, '\0', file);
        (void)fclose(file);
    }
    if (bytes <= 0) {
        fprintf(stderr, "%s: %s\n", path, file == NULL ? strerror(errno) : "cannot be read");
        free(text);
        return NULL;
    }
    return text;
}

static bool all_shown(struct reader *reader)
{
    for (unsigned i = 0; i < reader->table->quirk_count; i++) {
        if (!reader->quirk_shown[i]) {
            fprintf(stderr, "%s: no step shows the quirk %s\n", reader->path,
                    reader->table->quirks[i].name);
            return false;
        }
    }
    return true;
}

bool seq_table_read(const char *path, struct seq_table *ret_table)
{
    struct reader reader = { .path = path, .table = ret_table };
    char *rest, *line;
    bool good = true;

    *ret_table = (struct seq_table) { .text = read_file(path) };
    if (ret_table->text == NULL)
        return false;
    rest = ret_table->text;
    while (good && (line = strsep(&rest, "\n")) != NULL) {
        reader.line++;
        good = read_line(&reader, line);
    }
    good = good && all_shown(&reader);
    free(reader.quirk_shown);
    return good;
}

void seq_table_free(struct seq_table *table)
{
    for (unsigned i = 0; i < table->sequence_count; i++)
        free(table->sequences[i].steps);
    free(table->sequences);
    free(table->quirks);
    free(table->text);
}
