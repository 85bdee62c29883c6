/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs of `hawser lun` whose code is not written yet: they fail and say so. A verb leaves
 * this file when its cmd_lun_NAME.c arrives; the file goes with the last one.
 */
#include <config.h>

#include "cli/cmd_lun.h"

#include <errno.h>

static int pending(const struct cli_call *call)
{
    struct hw_error error = { 0 };

    (void)hw_error_set(&error, HW_ERROR_FAILED, ENOSYS, call->verb->path,
                       "this version of hawser cannot do it yet", "");
    return cli_fail(call, &error);
}

#define PENDING(verb)                         \
    int cmd_lun_##verb(struct cli_call *call) \
    {                                         \
        return pending(call);                 \
    }

PENDING(scan)
PENDING(import)
PENDING(show)
PENDING(list)
PENDING(verify)
PENDING(bench)
