/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loop of `lun serve`: signals, the server's control socket, and when to start it again. What
 * the server says is heard by serve_hear.
 */
#include "config.h"

#include "cli/serve_run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/serve_hear.h"
#include "cli/serve_text.h"

enum { CONNECT_EVERY_MS = 20, STOP_MS = 30000, RESTART_MS = 200, RESTART_MOST_MS = 10000 };
enum { STEADY_MS = 10000, IMPATIENT_MS = 1000, PATIENT_MS = 2000 };

static void end(struct cli_serve *serve, int status)
{
    serve->over = true;
    if (serve->status == 0)
        serve->status = status;
}

/* --- the server --- */

static void start(struct cli_serve *serve)
{
    serve->restart_at_ms = serve->opened_ms = 0;
    serve->again = false;
    hw_error_clear(&serve->lost);
    memset(&serve->told, 0, sizeof(serve->told));
    serve->child = cli_serve_start(&serve->command);
    if (serve->child > 0)
        return;
    (void)hw_error_set(&serve->error, HW_ERROR_FAILED, (int)-serve->child, "hawser-lun",
                       "cannot be started", "see how many processes there are");
    serve->child = 0;
    end(serve, HW_ERROR_FAILED);
}

/* What ends without having been released; the first message stands. */
static void stays_claimed(struct cli_serve *serve, enum hw_error_kind kind, int code,
                          const char *reason)
{
    (void)hw_error_set(&serve->error, kind, code, serve->name, reason,
                       "see its owner with 'hawser lun show', then 'hawser lun release'");
    serve->status = hw_error_exit_status(&serve->error);
}

/*
 * The end that was asked for: by a signal, or since the LUN is not ours. What is ours and has no
 * server gets one `again`, once, to be released.
 */
static void end_as_wished(struct cli_serve *serve, bool again)
{
    const bool ours = serve->stopping && serve->shown && serve->wish.owned && !serve->released &&
                      serve->error.kind == HW_ERROR_NONE;

    if (ours && again && !serve->once_more) {
        serve->once_more = true;
        start(serve);
        return;
    }
    if (ours)
        stays_claimed(serve, HW_ERROR_FAILED, EHOSTDOWN,
                      "has no server that could release it: it stays claimed");
    end(serve, 0);
}

/* From one that opens and dies again it takes ever longer; not for the end of a long wait. */
static void start_later(struct cli_serve *serve, const char *how, int number)
{
    const bool opened = serve->opened_ms != 0;

    if (opened && (!serve->opened_before || cli_serve_now_ms() - serve->opened_ms >= STEADY_MS))
        serve->restart_ms = RESTART_MS;
    serve->opened_before = opened;
    serve->restart_at_ms = cli_serve_now_ms() + serve->restart_ms;
    (void)fprintf(serve->call->err,
                  "%s: hawser-lun ended (%s %d): started again in %d.%d s, the guest waits\n",
                  serve->name, how, number, (int)(serve->restart_ms / 1000),
                  (int)(serve->restart_ms % 1000 / 100));
    serve->restart_ms *= 2;
    if (serve->restart_ms > RESTART_MOST_MS)
        serve->restart_ms = RESTART_MOST_MS;
}

/* It said why itself, on standard error. */
static void died(struct cli_serve *serve, int status)
{
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;

    serve->child = 0;
    cli_serve_disconnect(serve);
    if (serve->lost.kind != HW_ERROR_NONE && serve->error.kind == HW_ERROR_NONE &&
        (serve->stopping || !cli_serve_may_pass(hw_error_exit_status(&serve->lost)))) {
        serve->error = serve->lost;
        serve->status = hw_error_exit_status(&serve->error);
    }
    if (serve->stopping || serve->error.kind != HW_ERROR_NONE)
        end_as_wished(serve, WIFSIGNALED(status));
    else if (code != 0 && !(serve->shown && cli_serve_may_pass(code)))
        end(serve, code <= HW_ERROR_TIMED_OUT ? code : HW_ERROR_FAILED);
    else
        start_later(serve, WIFEXITED(status) ? "status" : "signal",
                    WIFEXITED(status) ? code : WTERMSIG(status));
}

/* --- the control socket --- */

static void connect_to(struct cli_serve *serve)
{
    int fd = cli_serve_connect(&serve->paths, serve->child);

    if (fd < 0)
        return;
    serve->control_fd = fd;
    cli_serve_say(serve, "{\"command\":\"events\"}\n{\"command\":\"status\"}\n"
                         "{\"command\":\"statistics\"}\n");
}

/* --- the end --- */

static void end_claimed(struct cli_serve *serve, enum hw_error_kind kind, int code,
                        const char *reason)
{
    if (serve->wish.owned)
        stays_claimed(serve, kind, code, reason);
    if (serve->child > 0)
        (void)kill(serve->child, SIGKILL);
    serve->stop_at_ms = 0;
}

/* The second time it is not waited for. Two signals at once are one wish: timeout(1) tells the
 * process and its group. */
static void stop_at_once(struct cli_serve *serve)
{
    if (serve->stop_at_ms != 0 &&
        cli_serve_now_ms() - (serve->stop_at_ms - STOP_MS) >= IMPATIENT_MS)
        end_claimed(serve, HW_ERROR_FAILED, EINTR, "is not released, as wished: it stays claimed");
}

static void tell_end(const struct cli_serve *serve, bool gives)
{
    FILE *err = serve->call->err;

    (void)fprintf(err, "%s: ends%s\n", serve->name, gives ? ", and releases the LUN" : "");
    if (serve->told.clients > 0)
        (void)fprintf(err, "%s: a QEMU is still attached: stop it%s\n", serve->paths.disk,
                      serve->wish.owned ? ": it must not go on when another node has had the LUN"
                                        : ", or serve the same file there again");
}

/* The release takes long, as while the target is away. */
static void tell_hint(struct cli_serve *serve)
{
    serve->hint_at_ms = 0;
    if (serve->child > 0 && !serve->released)
        (void)fprintf(
            serve->call->err,
            "%s: waits for its target to take the release, at most %d s; Ctrl-C once more "
            "ends it at once, and leaves the LUN claimed\n",
            serve->name, (STOP_MS - PATIENT_MS) / 1000);
}

static void stop(struct cli_serve *serve)
{
    const bool gives = serve->wish.owned && serve->lost.kind == HW_ERROR_NONE;
    /* what was served is released once it is owned again: it is claimed until then, too */
    const bool waits = gives && serve->shown && !serve->told.owns;

    if (serve->stopping) {
        stop_at_once(serve);
        return;
    }
    serve->stopping = true;
    if (serve->child == 0 && !waits) {
        end_as_wished(serve, false);
        return;
    }
    serve->stop_at_ms = cli_serve_now_ms() + STOP_MS;
    if (serve->control_fd < 0 && !waits) { /* it cannot hear */
        (void)kill(serve->child, SIGTERM);
        return;
    }
    if (!serve->json)
        tell_end(serve, gives);
    if (gives && !serve->json)
        serve->hint_at_ms = cli_serve_now_ms() + PATIENT_MS;
    if (!gives)
        cli_serve_say(serve, "{\"command\":\"quit\"}\n");
    else if (!waits)
        cli_serve_release(serve);
    else if (serve->child == 0)
        end_as_wished(serve, true);
}

static void too_late(struct cli_serve *serve)
{
    char reason[64];

    (void)snprintf(reason, sizeof(reason), "was not released within %d s: it stays claimed",
                   STOP_MS / 1000);
    end_claimed(serve, HW_ERROR_TIMED_OUT, ETIMEDOUT, reason);
}

static void read_signals(struct cli_serve *serve)
{
    struct signalfd_siginfo info;
    int status;

    while (read(serve->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        if (info.ssi_signo != SIGCHLD)
            stop(serve);
    if (serve->child > 0 && waitpid(serve->child, &status, WNOHANG) == serve->child)
        died(serve, status);
}

static int64_t wait_ms(const struct cli_serve *serve)
{
    int64_t until_ms = INT64_MAX;

    if (serve->child > 0 && serve->control_fd < 0)
        return CONNECT_EVERY_MS;
    if (serve->restart_at_ms != 0)
        until_ms = serve->restart_at_ms;
    if (serve->stop_at_ms != 0 && serve->stop_at_ms < until_ms)
        until_ms = serve->stop_at_ms;
    if (serve->hint_at_ms != 0 && serve->hint_at_ms < until_ms)
        until_ms = serve->hint_at_ms;
    if (until_ms == INT64_MAX)
        return -1;
    return until_ms > cli_serve_now_ms() ? until_ms - cli_serve_now_ms() : 0;
}

void cli_serve_run(struct cli_serve *serve)
{
    serve->restart_ms = RESTART_MS;
    start(serve);
    while (!serve->over) {
        struct pollfd fds[] = { { .fd = serve->signal_fd, .events = POLLIN },
                                { .fd = serve->control_fd, .events = POLLIN } };

        (void)poll(fds, 2, (int)wait_ms(serve));
        if (fds[1].revents != 0)
            cli_serve_hear(serve);
        if (fds[0].revents != 0)
            read_signals(serve);
        if (!serve->over && serve->child > 0 && serve->control_fd < 0)
            connect_to(serve);
        if (!serve->over && serve->restart_at_ms != 0 && cli_serve_now_ms() >= serve->restart_at_ms)
            start(serve);
        if (!serve->over && serve->hint_at_ms != 0 && cli_serve_now_ms() >= serve->hint_at_ms)
            tell_hint(serve);
        if (!serve->over && serve->stop_at_ms != 0 && cli_serve_now_ms() >= serve->stop_at_ms)
            too_late(serve);
    }
}
