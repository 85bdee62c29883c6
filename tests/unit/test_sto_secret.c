/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_secret: the words of a secret file, the files that are not trusted, and messages
 * that hold no secret.
 */
#include <config.h>

#include "storage/sto_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static int parse(const char *text, struct sto_secret *secret, struct hw_error *error)
{
    return sto_secret_parse(text, strlen(text), "the file", secret, error);
}

static void reads_all_words(void)
{
    struct sto_secret secret = { 0 };

    CU_ASSERT_EQUAL(parse("# comment\n\n  user  bob \npassword a b#c\r\n"
                          "target-user\tT\ntarget-password hunter2",
                          &secret, NULL),
                    0);
    CU_ASSERT_STRING_EQUAL(secret.user, "bob");
    CU_ASSERT_STRING_EQUAL(secret.password, "a b#c");
    CU_ASSERT_STRING_EQUAL(secret.target_user, "T");
    CU_ASSERT_STRING_EQUAL(secret.target_password, "hunter2");
    sto_secret_wipe(&secret);
    for (size_t i = 0; i < sizeof(secret); i++)
        CU_ASSERT_EQUAL(((const char *)&secret)[i], 0);
}

static void refuses_without_telling(void)
{
    static const char *const bad[] = {
        "",
        "user bob\n",
        "password\n",
        "password hunter2\npassword hunter2\n",
        "pasword hunter2\n",
        "password hunter2\ntarget-user x\n",
        "password hunter2\ntarget-password hunter22\n",
        "password hunter2\ntarget-user x\ntarget-password hunter2\n",
        "hunter2\n",
    };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sto_secret secret = { .user = "kept" };
        struct hw_error error = { 0 };
        char line[HW_ERROR_LINE_BYTES];

        CU_ASSERT_EQUAL(parse(bad[i], &secret, &error), -EINVAL);
        hw_error_line(&error, line, sizeof(line));
        CU_ASSERT_PTR_NULL(strstr(line, "hunter"));
        CU_ASSERT_PTR_NOT_NULL(strstr(line, "the file"));
        CU_ASSERT_STRING_EQUAL(secret.user, "kept");
    }
    CU_ASSERT_EQUAL(sto_secret_parse("password a\0b", 12, "f", &(struct sto_secret) { 0 }, NULL),
                    -EINVAL);
}

static void long_value_is_refused(void)
{
    char text[STO_SECRET_WORD_BYTES + 32] = "password ";
    struct sto_secret secret;

    memset(text + 9, 'x', STO_SECRET_WORD_BYTES - 1);
    CU_ASSERT_EQUAL(parse(text, &secret, NULL), 0);
    CU_ASSERT_EQUAL(strlen(secret.password), STO_SECRET_WORD_BYTES - 1);
    text[9 + STO_SECRET_WORD_BYTES - 1] = 'x';
    CU_ASSERT_EQUAL(parse(text, &secret, NULL), -EINVAL);
}

static void judges_the_file(void)
{
    char path[] = "/tmp/hawser-secret-XXXXXX";
    int fd = mkstemp(path);
    struct sto_secret secret;
    struct hw_error error = { 0 };

    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, "user u\npassword p\n", 18), 18);
    CU_ASSERT_EQUAL(sto_secret_read(path, &secret, &error), 0);
    CU_ASSERT_STRING_EQUAL(secret.password, "p");
    for (mode_t bit = 1; bit < 0100; bit <<= 1) {
        CU_ASSERT_EQUAL(fchmod(fd, 0600 | bit), 0);
        hw_error_clear(&error);
        CU_ASSERT_EQUAL(sto_secret_read(path, &secret, &error), -EACCES);
        CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
    }
    CU_ASSERT_EQUAL(fchmod(fd, 0600), 0);
    CU_ASSERT_EQUAL(ftruncate(fd, 5000), 0);
    CU_ASSERT_EQUAL(sto_secret_read(path, &secret, NULL), -EACCES);
    close(fd);
    unlink(path);
    CU_ASSERT_EQUAL(sto_secret_read(path, &secret, NULL), -ENOENT);
    CU_ASSERT_EQUAL(sto_secret_read("/dev/null", &secret, NULL), -EACCES);
    CU_ASSERT_EQUAL(sto_secret_read("/tmp", &secret, NULL), -EACCES);
}

const struct unit_case unit_cases[] = {
    { "all words are read, and wiped", reads_all_words },
    { "wrong files are refused without telling a secret", refuses_without_telling },
    { "a value that is too long is refused", long_value_is_refused },
    { "a file that others may read is refused", judges_the_file },
    { 0 },
};
