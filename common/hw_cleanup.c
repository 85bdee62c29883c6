/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cleanup calls that are too long to be inlined. They never report: where the result of a
 * close matters (written data), the caller closes by hand and checks.
 */
#include <config.h>

#include "common/hw_cleanup.h"

#include <errno.h>

void hw_cleanup_close(const int *fd)
{
    int saved_errno = errno;

    if (*fd >= 0)
        (void)close(*fd);
    errno = saved_errno;
}

void hw_cleanup_fclose(FILE **stream)
{
    int saved_errno = errno;

    if (*stream)
        (void)fclose(*stream);
    errno = saved_errno;
}
