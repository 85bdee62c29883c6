/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The loop of `lun serve`: signals, the server's control socket, and when to start it again.
 */
#include "config.h"

#include "cli/serve_run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/serve_text.h"
#include "common/hw_clock.h"
#include "storage/sto_own.h"

enum { CONNECT_EVERY_MS = 20, STOP_MS = 30000, RESTART_MS = 200, RESTART_MOST_MS = 10000 };
enum { STEADY_MS = 10000, IMPATIENT_MS = 1000 };

static int64_t now_ms(void)
{
    return hw_clock_now_ms(hw_clock_boottime());
}

static void say(struct cli_serve *serve, const char *order)
{
    if (serve->control_fd >= 0)
        (void)send(serve->control_fd, order, strlen(order), MSG_NOSIGNAL);
}

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
    serve->child = cli_serve_start(&serve->command);
    if (serve->child > 0)
        return;
    (void)hw_error_set(&serve->error, HW_ERROR_FAILED, (int)-serve->child, "hawser-lun",
                       "cannot be started", "see how many processes there are");
    serve->child = 0;
    end(serve, HW_ERROR_FAILED);
}

void cli_serve_disconnect(struct cli_serve *serve)
{
    if (serve->control_fd >= 0)
        (void)close(serve->control_fd);
    serve->control_fd = -1;
    serve->have = 0;
}

/* What ends without having been released; the first message stands. */
static void stays_claimed(struct cli_serve *serve, enum hw_error_kind kind, int code,
                          const char *reason)
{
    (void)hw_error_set(&serve->error, kind, code, serve->name, reason,
                       "see its owner with 'hawser lun show', then 'hawser lun release'");
    serve->status = hw_error_exit_status(&serve->error);
}

/* The end that was asked for: by a signal, or since the LUN is not ours. */
static void end_as_wished(struct cli_serve *serve)
{
    if (serve->stopping && serve->shown && serve->wish.owned && !serve->released &&
        serve->error.kind == HW_ERROR_NONE)
        stays_claimed(serve, HW_ERROR_FAILED, EHOSTDOWN,
                      "has no server that could release it: it stays claimed");
    end(serve, 0);
}

/* From one that opens and dies again it takes ever longer; not for the end of a long wait. */
static void start_later(struct cli_serve *serve, const char *how, int number)
{
    const bool opened = serve->opened_ms != 0;

    if (opened && (!serve->opened_before || now_ms() - serve->opened_ms >= STEADY_MS))
        serve->restart_ms = RESTART_MS;
    serve->opened_before = opened;
    serve->restart_at_ms = now_ms() + serve->restart_ms;
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
        end_as_wished(serve);
    else if (code != 0 && !(serve->shown && cli_serve_may_pass(code)))
        end(serve, code <= HW_ERROR_TIMED_OUT ? code : HW_ERROR_FAILED);
    else
        start_later(serve, WIFEXITED(status) ? "status" : "signal",
                    WIFEXITED(status) ? code : WTERMSIG(status));
}

/* --- what it tells --- */

/* It does not own the LUN and tries no more. What was served, and may be soon, is tried again. */
static void refuse(struct cli_serve *serve, const json_t *event)
{
    struct hw_error error = { 0 };
    char line[HW_ERROR_LINE_BYTES];

    if (serve->refused || serve->again)
        return; /* told twice: as an event and in the status */
    cli_serve_refusal(serve->name, event, serve->shown, &error);
    serve->again = serve->shown && cli_serve_may_pass(hw_error_exit_status(&error));
    if (serve->again) {
        (void)hw_error_line(&error, line, sizeof(line));
        (void)fprintf(serve->call->err, "hawser: %s\n", line);
    } else {
        serve->error = error;
        serve->status = hw_error_exit_status(&error);
        serve->refused = true;
    }
    say(serve, "{\"command\":\"quit\"}\n");
}

/*
 * Restarts and reconnects have used up the grant: go on with the next block. Whoever owned the LUN
 * in between has a generation of that block or a later one, and ours is stale then; nothing is
 * taken over. True: the event is dealt with.
 */
static bool next_block(struct cli_serve *serve, const json_t *event)
{
    const char *used_up = sto_own_reason_name(STO_OWN_REASON_GENERATIONS_USED);
    const char *reason = json_string_value(json_object_get(event, "reason"));
    const json_int_t used = json_integer_value(json_object_get(event, "generation"));
    uint32_t *generation = &serve->wish.identity.generation;
    char order[80];

    if (!serve->shown || serve->stopping || reason == NULL || strcmp(reason, used_up) != 0 ||
        *generation > STO_GENERATION_MAX - 2 * STO_GENERATION_BLOCK)
        return false;
    if (used < *generation) /* told twice: as an event and in the status */
        return true;
    *generation += STO_GENERATION_BLOCK;
    serve->wish.takeover = false;
    (void)cli_serve_command(&serve->wish, &serve->paths, &serve->command);
    (void)fprintf(serve->call->err,
                  "%s: restarts and reconnects used up the grant: goes on with generation %u\n",
                  serve->name, (unsigned)*generation);
    (void)snprintf(order, sizeof(order), "{\"command\":\"acquire\",\"generation\":%u}\n",
                   (unsigned)*generation);
    say(serve, order);
    return true;
}

static void gate(struct cli_serve *serve, const char *state, const char *reason)
{
    if (strcmp(state, "open") == 0 && serve->opened_ms == 0)
        serve->opened_ms = now_ms();
    if (strcmp(state, "open") == 0 && !serve->shown) {
        serve->shown = true;
        /* what is on the LUN later on is not what was to be given up, or taken over */
        serve->wish.discard_state = serve->wish.takeover = false;
        (void)cli_serve_command(&serve->wish, &serve->paths, &serve->command);
        if (serve->json)
            (void)fprintf(serve->call->out, "{\"event\":\"serving\",\"socket\":\"%s\"}\n",
                          serve->paths.disk);
        else
            cli_serve_print_use(serve->call->out, serve->paths.disk);
        (void)fflush(serve->call->out);
    }
    if (strcmp(reason, "unsettled-state") == 0)
        say(serve, "{\"command\":\"discard-state\"}\n"); /* nothing is lost by it */
    if (strcmp(reason, "saved-state") == 0 && !serve->shown) {
        (void)hw_error_set(&serve->error, HW_ERROR_REFUSED, EBUSY, serve->name,
                           "a saved state on the LUN waits to be restored",
                           "restore its VM, or give the state up with --discard-state");
        serve->status = HW_ERROR_REFUSED;
        serve->refused = true;
        say(serve, serve->wish.owned ? "{\"command\":\"release\",\"id\":\"stop\"}\n"
                                     : "{\"command\":\"quit\"}\n");
    }
}

/* An answer: the only one waited for is that of our release. */
static void answered(struct cli_serve *serve, const json_t *answer)
{
    const json_t *error = json_object_get(answer, "error");
    const char *id = json_string_value(json_object_get(answer, "id"));

    if (error != NULL)
        (void)fprintf(serve->call->err, "hawser: %s: %s; %s\n",
                      json_string_value(json_object_get(error, "object")),
                      json_string_value(json_object_get(error, "reason")),
                      json_string_value(json_object_get(error, "remedy")));
    if (id != NULL && strcmp(id, "stop") == 0) {
        serve->released = error == NULL;
        if (error != NULL && serve->status == 0)
            serve->status = HW_ERROR_FAILED;
        say(serve, "{\"command\":\"quit\"}\n");
    }
}

static void heard(struct cli_serve *serve, const json_t *line)
{
    const char *event = json_string_value(json_object_get(line, "event"));
    const char *state = json_string_value(json_object_get(line, "gate"));
    const char *reason = json_string_value(json_object_get(line, "reason"));
    const bool goes_on = next_block(serve, event != NULL ? line : json_object_get(line, "refused"));

    if (event != NULL && serve->json) {
        (void)json_dumpf(line, serve->call->out, JSON_COMPACT);
        (void)fputc('\n', serve->call->out);
        (void)fflush(serve->call->out);
    } else if (event != NULL && !goes_on && !(strcmp(event, "refused") == 0 && !serve->shown)) {
        cli_serve_print_event(serve->call->out, serve->name, line);
    }
    if (goes_on)
        return;
    if (event != NULL && strcmp(event, "refused") == 0)
        refuse(serve, line);
    if (event != NULL && strcmp(event, "lost") == 0)
        cli_serve_refusal(serve->name, line, true, &serve->lost);
    if (state != NULL && reason != NULL && !serve->stopping && !serve->refused)
        gate(serve, state, reason);
    /* the status that was asked for at first holds a refusal that came before we listened */
    if (event == NULL && json_object_get(line, "refused") != NULL)
        refuse(serve, json_object_get(line, "refused"));
    if (event == NULL)
        answered(serve, line);
}

static void read_lines(struct cli_serve *serve)
{
    ssize_t got = recv(serve->control_fd, serve->line + serve->have,
                       CLI_SERVE_LINE_BYTES - serve->have, MSG_DONTWAIT);
    char *end_of_line;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        cli_serve_disconnect(serve);
        return;
    }
    serve->have += (size_t)got;
    while ((end_of_line = memchr(serve->line, '\n', serve->have)) != NULL) {
        const size_t bytes = (size_t)(end_of_line - serve->line);
        json_t *line = json_loadb(serve->line, bytes, 0, NULL);

        if (line != NULL)
            heard(serve, line);
        json_decref(line);
        if (serve->control_fd < 0)
            return;
        serve->have -= bytes + 1;
        memmove(serve->line, end_of_line + 1, serve->have);
    }
    if (serve->have == CLI_SERVE_LINE_BYTES)
        serve->have = 0; /* longer than anything it says */
}

static void connect_to(struct cli_serve *serve)
{
    int fd = cli_serve_connect(&serve->paths, serve->child);

    if (fd < 0)
        return;
    serve->control_fd = fd;
    say(serve, "{\"command\":\"events\"}\n{\"command\":\"status\"}\n");
}

/* --- the end --- */

static void end_claimed(struct cli_serve *serve, enum hw_error_kind kind, int code,
                        const char *reason)
{
    if (serve->wish.owned)
        stays_claimed(serve, kind, code, reason);
    (void)kill(serve->child, SIGKILL);
    serve->stop_at_ms = 0;
}

/* The second time it is not waited for. Two signals at once are one wish: timeout(1) tells the
 * process and its group. */
static void stop_at_once(struct cli_serve *serve)
{
    if (serve->stop_at_ms != 0 && now_ms() - (serve->stop_at_ms - STOP_MS) >= IMPATIENT_MS)
        end_claimed(serve, HW_ERROR_FAILED, EINTR, "is not released, as wished: it stays claimed");
}

static void stop(struct cli_serve *serve)
{
    bool gives;

    if (serve->stopping) {
        stop_at_once(serve);
        return;
    }
    serve->stopping = true;
    if (serve->child == 0) {
        end_as_wished(serve);
        return;
    }
    serve->stop_at_ms = now_ms() + STOP_MS;
    if (serve->control_fd < 0) { /* it cannot hear */
        (void)kill(serve->child, SIGTERM);
        return;
    }
    gives = serve->wish.owned && serve->lost.kind == HW_ERROR_NONE;
    if (!serve->json)
        (void)fprintf(serve->call->err, "%s: ends%s\n", serve->name,
                      gives ? ", and releases the LUN" : "");
    say(serve, gives ? "{\"command\":\"release\",\"id\":\"stop\"}\n" : "{\"command\":\"quit\"}\n");
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
    if (until_ms == INT64_MAX)
        return -1;
    return until_ms > now_ms() ? until_ms - now_ms() : 0;
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
            read_lines(serve);
        if (fds[0].revents != 0)
            read_signals(serve);
        if (!serve->over && serve->child > 0 && serve->control_fd < 0)
            connect_to(serve);
        if (!serve->over && serve->restart_at_ms != 0 && now_ms() >= serve->restart_at_ms)
            start(serve);
        if (!serve->over && serve->stop_at_ms != 0 && now_ms() >= serve->stop_at_ms)
            too_late(serve);
    }
}
