/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser-lun: the storage process of a VM.
 */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "common/hw_cleanup.h"
#include "common/hw_main.h"
#include "storage/serve/sv_server.h"
#include "storage/serve/sv_words.h"

static int serve(const struct sv_config *config, FILE *out, struct hw_error *error)
{
    struct sv_server *server;
    int status;

    if (sv_server_new(config, out, &server, error) < 0)
        return hw_error_exit_status(error);
    if (sv_server_lock_in(server, error) < 0)
        status = hw_error_exit_status(error);
    else
        status = sv_server_run(server, error);
    sv_server_free(server);
    return status;
}

int sv_run(struct hw_call *call)
{
    hw_auto_free struct sv_config *config = calloc(1, sizeof(*config));
    struct hw_error error = { 0 };
    int status;

    (void)signal(SIGPIPE, SIG_IGN);
    if (config == NULL)
        (void)hw_error_set(&error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    if (config == NULL || sv_config_read(call, config, &error) < 0)
        return hw_fail(call, &error);
    status = serve(config, call->out, &error);
    return error.kind != HW_ERROR_NONE ? hw_fail(call, &error) : status;
}

int main(int argc, char **argv)
{
    return hw_main(&sv_program, argc, argv);
}
