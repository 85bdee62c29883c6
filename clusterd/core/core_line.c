/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines of words: reading and writing.
 */
#include <config.h>

#include "clusterd/core/core_line.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip(struct core_line_reader *reader)
{
    if (*reader->text == '\n')
        reader->number++;
    reader->text++;
    reader->left--;
}

static bool continues(const struct core_line_reader *reader)
{
    return reader->left >= 2 && reader->text[0] == '\\' && reader->text[1] == '\n';
}

/* Blanks, continued lines, and a comment up to the end of the line. */
static void skip_blanks(struct core_line_reader *reader)
{
    while (reader->left > 0 && (is_blank(*reader->text) || continues(reader))) {
        if (continues(reader))
            skip(reader);
        skip(reader);
    }
    if (reader->left > 0 && *reader->text == '#') {
        while (reader->left > 0 && *reader->text != '\n')
            skip(reader);
    }
}

static int read_char(struct core_line_reader *reader, bool quoted, core_line_text *word)
{
    char c = *reader->text;

    if (c == '\\') {
        if (!quoted || reader->left < 2 || (reader->text[1] != '"' && reader->text[1] != '\\'))
            return -EINVAL;
        skip(reader);
        c = *reader->text;
    } else if ((unsigned char)c < ' ' && c != '\t') {
        return -EINVAL;
    } else if (c == 127) {
        return -EINVAL;
    }
    if (word->count >= CORE_LINE_WORD_MAX)
        return -EFBIG;
    skip(reader);
    return hw_vector_push(word, c);
}

static int read_word(struct core_line_reader *reader, core_line_text *word)
{
    bool quoted = false;
    int rc = 0;

    while (rc == 0 && reader->left > 0) {
        char c = *reader->text;

        if (c == '"') {
            quoted = !quoted;
            skip(reader);
        } else if (!quoted && (is_blank(c) || c == '\n' || continues(reader))) {
            break;
        } else {
            rc = read_char(reader, quoted, word);
        }
    }
    if (rc == 0 && quoted)
        rc = -EINVAL;
    return rc < 0 ? rc : hw_vector_push(word, '\0');
}

static int add_word(struct core_line_reader *reader, struct core_line *line)
{
    core_line_text word = HW_VECTOR_INIT;
    int rc;

    if (line->words.count >= CORE_LINE_WORDS_MAX)
        return -EFBIG;
    rc = read_word(reader, &word);
    if (rc == 0)
        rc = hw_vector_push(&line->words, word.items);
    if (rc < 0)
        hw_vector_free(&word);
    return rc;
}

int core_line_next(struct core_line_reader *reader, struct core_line *ret_line)
{
    struct core_line line = { .number = reader->number };
    int rc = 0;

    for (;;) {
        skip_blanks(reader);
        if (reader->left == 0 || *reader->text == '\n') {
            if (line.words.count > 0)
                break;
            if (reader->left == 0)
                return -ENOENT;
            skip(reader);
            line.number = reader->number;
            continue;
        }
        rc = add_word(reader, &line);
        if (rc < 0) {
            core_line_free(&line);
            return rc;
        }
    }
    *ret_line = line;
    return 0;
}

void core_line_free(struct core_line *line)
{
    for (size_t i = 0; i < line->words.count; i++)
        free(line->words.items[i]);
    hw_vector_free(&line->words);
}

int core_line_put_raw(core_line_text *text, const char *bytes)
{
    int rc = 0;

    for (; rc == 0 && *bytes != '\0'; bytes++)
        rc = hw_vector_push(text, *bytes);
    return rc;
}

int core_line_put(core_line_text *text, const char *word)
{
    bool plain = word[0] != '\0' && word[0] != '#' && word[strcspn(word, " \t\r\"\\")] == '\0';
    int rc = plain ? 0 : hw_vector_push(text, '"');

    for (; rc == 0 && *word != '\0'; word++) {
        if (*word == '"' || *word == '\\')
            rc = hw_vector_push(text, '\\');
        if (rc == 0)
            rc = hw_vector_push(text, *word);
    }
    if (rc == 0 && !plain)
        rc = hw_vector_push(text, '"');
    return rc;
}
