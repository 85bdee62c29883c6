/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lun serve: parent of one hawser-lun. It shows what is told, starts the server again when it dies,
 * and gives the LUN back in order when it is stopped. Decides nothing about ownership.
 */
#include "config.h"

#include "cli/cmd_lun.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/serve_hear.h"
#include "cli/serve_run.h"

static int choose_directory(struct cli_serve *serve, struct hw_error *error)
{
    const char *given = hw_option_value(serve->call, "directory", 0);
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char made[80];

    if (given == NULL && geteuid() == 0) {
        (void)mkdir("/run/hawser", 0755);
        (void)snprintf(made, sizeof(made), "/run/hawser/serve-%d", (int)getpid());
    } else if (given == NULL) {
        (void)snprintf(made, sizeof(made), "%s/hawser-serve-%d", runtime != NULL ? runtime : "/tmp",
                       (int)getpid());
    }
    if (cli_serve_name_paths(given != NULL ? given : made, &serve->paths) < 0)
        return hw_error_set(error, HW_ERROR_USAGE, ENAMETOOLONG, "--directory",
                            "is too long, or has a comma", "give a shorter one");
    serve->made_directory = mkdir(serve->paths.directory, 0755) == 0;
    if (!serve->made_directory && errno != EEXIST)
        return hw_error_setf(error, HW_ERROR_FAILED, errno, serve->paths.directory,
                             "name another one with --directory", "cannot be made: %s",
                             strerror(errno));
    serve->directory_fd = open(serve->paths.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (serve->directory_fd < 0)
        return hw_error_setf(error, HW_ERROR_FAILED, errno, serve->paths.directory,
                             "name a directory with --directory", "cannot be used: %s",
                             strerror(errno));
    if (flock(serve->directory_fd, LOCK_EX | LOCK_NB) < 0)
        return hw_error_set(error, HW_ERROR_REFUSED, EBUSY, serve->paths.directory,
                            "is used by another 'hawser lun serve'",
                            "name another one with --directory");
    return 0;
}

static int choose_user(struct cli_serve *serve, struct hw_error *error)
{
    const char *name = hw_option_value(serve->call, "qemu-user", 0);
    const struct passwd *user;

    serve->wish.front_end_uid = geteuid();
    if (name == NULL)
        return 0;
    user = getpwnam(name);
    if (user == NULL)
        return hw_error_setf(error, HW_ERROR_USAGE, ENOENT, "--qemu-user",
                             "name the one that QEMU runs as", "there is no user %s", name);
    serve->wish.front_end_uid = user->pw_uid;
    return 0;
}

/* Shared LUNs have a layout, or are refused by the server; of a file it is looked at. */
static int look(struct cli_serve *serve, const char *text, struct hw_error *error)
{
    struct cli_lun lun = { 0 };
    struct sto_layout layout;
    int rc = cli_lun_url(serve->call, text, &serve->wish.url, error);

    if (rc < 0)
        return rc;
    serve->wish.owned = serve->wish.url.scheme != STO_SCHEME_FILE;
    serve->wish.layout = serve->wish.owned;
    if (serve->wish.owned) {
        serve->wish.cluster = hw_option_value(serve->call, "cluster", 0);
        return cli_lun_identity(serve->call, &serve->wish.identity, error);
    }
    rc = cli_lun_open(serve->call, text, CLI_LUN_READ_ONLY, &lun, error);
    if (rc == 0) {
        serve->wish.layout = sto_tool_read_layout(lun.lun, &layout, NULL) == 0;
        cli_lun_close(&lun);
    }
    return rc;
}

static int prepare(struct cli_serve *serve, struct hw_error *error)
{
    const struct hw_call *call = serve->call;
    sigset_t set;
    int rc = look(serve, hw_argument(call, 0), error);

    if (rc == 0)
        rc = choose_user(serve, error);
    if (rc == 0)
        rc = choose_directory(serve, error);
    if (rc < 0)
        return rc;
    serve->wish.takeover = hw_option_given(call, "takeover");
    serve->wish.discard_state = hw_option_given(call, "discard-state");
    serve->wish.initiator = hw_option_value(call, "initiator", 0);
    serve->wish.sandbox = !hw_option_given(call, "no-sandbox");
    if (cli_serve_command(&serve->wish, &serve->paths, &serve->command) < 0)
        return hw_error_set(error, HW_ERROR_USAGE, ENAMETOOLONG, serve->name, "is too long", "");
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT), (void)sigaddset(&set, SIGTERM), (void)sigaddset(&set, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    serve->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return serve->signal_fd >= 0
               ? 0
               : hw_error_set(error, HW_ERROR_FAILED, errno, "signals", "cannot be waited for", "");
}

static void tidy(struct cli_serve *serve)
{
    cli_serve_disconnect(serve);
    if (serve->signal_fd >= 0)
        (void)close(serve->signal_fd);
    if (serve->directory_fd >= 0)
        (void)close(serve->directory_fd);
    if (!serve->made_directory)
        return;
    (void)unlink(serve->paths.disk), (void)unlink(serve->paths.state);
    (void)unlink(serve->paths.control);
    (void)rmdir(serve->paths.directory);
}

int cmd_lun_serve(struct hw_call *call)
{
    struct cli_serve *serve = calloc(1, sizeof(*serve));
    struct hw_error error = { 0 };
    int status;

    if (serve == NULL) {
        (void)hw_error_set(&error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
        return hw_fail(call, &error);
    }
    serve->call = call;
    serve->name = hw_argument(call, 0);
    serve->json = hw_option_given(call, "json");
    serve->signal_fd = serve->control_fd = serve->directory_fd = -1;
    if (prepare(serve, &serve->error) == 0)
        cli_serve_run(serve);
    tidy(serve);
    status = serve->error.kind != HW_ERROR_NONE ? hw_fail(call, &serve->error) : serve->status;
    free(serve);
    return status;
}
