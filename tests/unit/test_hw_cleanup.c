/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common/hw_cleanup: what leaves its scope is let go, what was taken out is not, errno survives.
 */
#include <config.h>

#include "common/hw_cleanup.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void closes_descriptor(void)
{
    int seen;

    {
        hw_auto_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        seen = fd;
        CU_ASSERT_TRUE_FATAL(fd >= 0);
        CU_ASSERT_TRUE(is_open(seen));
        errno = E2BIG;
    }
    CU_ASSERT_EQUAL(errno, E2BIG);
    CU_ASSERT_FALSE(is_open(seen));
}

static void keeps_errno_when_close_fails(void)
{
    int bad = 1 << 20;

    errno = E2BIG;
    hw_cleanup_close(&bad);
    CU_ASSERT_EQUAL(errno, E2BIG);
    bad = -1;
    hw_cleanup_close(&bad);
    CU_ASSERT_EQUAL(errno, E2BIG);
}

static void closes_stream(void)
{
    int seen;

    {
        hw_auto_fclose FILE *stream = fopen("/dev/null", "re");

        CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
        seen = fileno(stream);
        CU_ASSERT_TRUE(is_open(seen));
    }
    CU_ASSERT_FALSE(is_open(seen));
    {
        hw_auto_fclose FILE *none = NULL;

        (void)none;
    }
}

static char *make_text(void)
{
    hw_auto_free char *text = strdup("kept");

    return hw_take(text);
}

static int make_descriptor(void)
{
    hw_auto_close int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    return hw_take_fd(&fd);
}

static void taken_values_survive(void)
{
    hw_auto_free char *text = make_text();
    hw_auto_close int fd = make_descriptor();

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text, "kept");
    CU_ASSERT_TRUE(is_open(fd));
}

const struct unit_case unit_cases[] = {
    { "a descriptor is closed where its name ends", closes_descriptor },
    { "closing keeps errno, also when it fails", keeps_errno_when_close_fails },
    { "a stream is closed where its name ends, NULL is let be", closes_stream },
    { "taken values are not let go", taken_values_survive },
    { 0 },
};
