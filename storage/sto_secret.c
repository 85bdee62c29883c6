/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading CHAP secrets. The buffers that held them are wiped, also on every failure.
 */
#include "config.h"

#include "storage/sto_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hw_cleanup.h"

enum { FILE_BYTES_MAX = 4096 };

static const char remedy[] = "lines are `user NAME`, `password SECRET`, `target-user NAME`, "
                             "`target-password SECRET`";

void sto_secret_wipe(struct sto_secret *secret)
{
    explicit_bzero(secret, sizeof(*secret));
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The place of a key's value, NULL if the key is not known. */
static char *place_of(struct sto_secret *secret, const char *key, size_t size)
{
    if (size == 4 && memcmp(key, "user", 4) == 0)
        return secret->user;
    if (size == 8 && memcmp(key, "password", 8) == 0)
        return secret->password;
    if (size == 11 && memcmp(key, "target-user", 11) == 0)
        return secret->target_user;
    if (size == 15 && memcmp(key, "target-password", 15) == 0)
        return secret->target_password;
    return NULL;
}

/* One line without its end. NULL, or what is wrong with it. */
static const char *parse_line(const char *line, size_t size, struct sto_secret *secret)
{
    size_t key = 0;
    size_t value;
    char *place;

    while (size > 0 && is_blank(line[size - 1]))
        size--;
    while (size > 0 && is_blank(line[0])) {
        line++;
        size--;
    }
    if (size == 0 || line[0] == '#')
        return NULL;
    while (key < size && !is_blank(line[key]))
        key++;
    value = key;
    while (value < size && is_blank(line[value]))
        value++;
    place = place_of(secret, line, key);
    if (place == NULL)
        return "has a line that starts with no known word";
    if (place[0] != '\0')
        return "gives a word twice";
    if (value == size)
        return "has a line without a value";
    if (size - value >= STO_SECRET_WORD_BYTES || memchr(line, '\0', size) != NULL)
        return "has a value that is too long or holds a NUL";
    memcpy(place, line + value, size - value);
    return NULL;
}

static const char *parse_lines(const char *text, size_t size, struct sto_secret *secret)
{
    while (size > 0) {
        const char *end = memchr(text, '\n', size);
        size_t line = end != NULL ? (size_t)(end - text) : size;
        const char *wrong = parse_line(text, line, secret);

        if (wrong != NULL)
            return wrong;
        line += end != NULL ? 1 : 0;
        text += line;
        size -= line;
    }
    if (secret->password[0] == '\0')
        return "has no password line";
    if ((secret->target_user[0] == '\0') != (secret->target_password[0] == '\0'))
        return "has only one of target-user and target-password";
    if (strcmp(secret->password, secret->target_password) == 0)
        return "uses one secret for both directions, which lets a target be impersonated";
    return NULL;
}

int sto_secret_parse(const char *text, size_t size, const char *path, struct sto_secret *ret_secret,
                     struct hw_error *error)
{
    struct sto_secret secret = { 0 };
    const char *wrong = parse_lines(text, size, &secret);

    if (wrong == NULL)
        *ret_secret = secret;
    sto_secret_wipe(&secret);
    return wrong == NULL ? 0 : hw_error_set(error, HW_ERROR_USAGE, EINVAL, path, wrong, remedy);
}

/* NULL, or why this file is not to be trusted with a secret. */
static const char *judge_file(const struct stat *status)
{
    if (!S_ISREG(status->st_mode))
        return "is not a regular file";
    if ((status->st_mode & (S_IRWXG | S_IRWXO)) != 0)
        return "can be read or written by group or others";
    if (status->st_uid != geteuid() && status->st_uid != 0)
        return "belongs to another user";
    return status->st_size > FILE_BYTES_MAX ? "is too long" : NULL;
}

int sto_secret_read(const char *path, struct sto_secret *ret_secret, struct hw_error *error)
{
    char text[FILE_BYTES_MAX];
    hw_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;
    const char *wrong;
    size_t size = 0;
    ssize_t got;
    int rc;

    if (fd < 0 || fstat(fd, &status) < 0)
        return hw_error_setf(error, HW_ERROR_FAILED, errno, path,
                             "name a file that is there and that you may read",
                             "cannot be opened: %s", strerror(errno));
    wrong = judge_file(&status);
    if (wrong != NULL)
        return hw_error_set(error, HW_ERROR_REFUSED, EACCES, path, wrong, "chmod 600 the file");
    do {
        got = read(fd, text + size, sizeof(text) - size);
        size += got > 0 ? (size_t)got : 0;
    } while (got > 0 && size < sizeof(text));
    if (got < 0)
        rc = hw_error_set(error, HW_ERROR_FAILED, errno, path, "cannot be read",
                          "name another file");
    else
        rc = sto_secret_parse(text, size, path, ret_secret, error);
    explicit_bzero(text, sizeof(text));
    return rc;
}
