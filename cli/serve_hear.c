/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the server of `lun serve` says, line by line: shown to people, and acted on where the LUN is
 * not to be had, a grant is used up or a saved state waits. Starts and ends no server.
 */
#include "config.h"

#include "cli/serve_hear.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/serve_text.h"
#include "common/hw_clock.h"
#include "storage/sto_own.h"

int64_t cli_serve_now_ms(void)
{
    return hw_clock_now_ms(hw_clock_boottime());
}

void cli_serve_say(const struct cli_serve *serve, const char *order)
{
    if (serve->control_fd >= 0)
        (void)send(serve->control_fd, order, strlen(order), MSG_NOSIGNAL);
}

void cli_serve_disconnect(struct cli_serve *serve)
{
    if (serve->control_fd >= 0)
        (void)close(serve->control_fd);
    serve->control_fd = -1;
    serve->have = 0;
    serve->told.owns = serve->told.gives = false;
}

void cli_serve_release(struct cli_serve *serve)
{
    serve->told.gives = true;
    cli_serve_say(serve, "{\"command\":\"release\",\"id\":\"stop\"}\n");
}

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
    cli_serve_say(serve, "{\"command\":\"quit\"}\n");
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

    if (!serve->shown || serve->told.gives || reason == NULL || strcmp(reason, used_up) != 0 ||
        *generation > STO_GENERATION_MAX - 2 * STO_GENERATION_BLOCK)
        return false;
    if (used < *generation) /* told twice: as an event and in the status */
        return true;
    *generation += STO_GENERATION_BLOCK;
    serve->wish.takeover = serve->told.owns = false;
    (void)cli_serve_command(&serve->wish, &serve->paths, &serve->command);
    (void)fprintf(serve->call->err,
                  "%s: restarts and reconnects used up the grant: goes on with generation %u\n",
                  serve->name, (unsigned)*generation);
    (void)snprintf(order, sizeof(order), "{\"command\":\"acquire\",\"generation\":%u}\n",
                   (unsigned)*generation);
    cli_serve_say(serve, order);
    return true;
}

static void tell_ready(const struct cli_serve *serve)
{
    (void)fprintf(serve->call->out, "%s: serves %s; Ctrl-C ends it%s\n", serve->name,
                  serve->wish.layout ? "its guest disk (#disk)" : "the whole file",
                  serve->wish.owned ? " and releases the LUN" : "");
}

static void gate(struct cli_serve *serve, const char *state, const char *reason)
{
    if (strcmp(state, "open") == 0 && serve->opened_ms == 0) {
        serve->opened_ms = cli_serve_now_ms();
        if (serve->shown && !serve->json)
            (void)fprintf(serve->call->out, "%s: serves again\n", serve->name);
    }
    if (strcmp(state, "open") == 0 && !serve->shown) {
        serve->shown = true;
        /* what is on the LUN later on is not what was to be given up, or taken over */
        serve->wish.discard_state = serve->wish.takeover = false;
        (void)cli_serve_command(&serve->wish, &serve->paths, &serve->command);
        if (serve->json)
            (void)fprintf(serve->call->out, "{\"event\":\"serving\",\"socket\":\"%s\"}\n",
                          serve->paths.disk);
        else
            cli_serve_print_use(serve->call->out, serve->paths.disk), tell_ready(serve);
        (void)fflush(serve->call->out);
    }
    if (strcmp(reason, "unsettled-state") == 0)
        cli_serve_say(serve, "{\"command\":\"discard-state\"}\n"); /* nothing is lost by it */
    if (strcmp(reason, "saved-state") == 0 && !serve->shown) {
        (void)hw_error_set(&serve->error, HW_ERROR_REFUSED, EBUSY, serve->name,
                           "a saved state on the LUN waits to be restored",
                           "restore its VM, or give the state up with --discard-state");
        serve->status = HW_ERROR_REFUSED;
        serve->refused = true;
        if (serve->wish.owned)
            cli_serve_release(serve);
        else
            cli_serve_say(serve, "{\"command\":\"quit\"}\n");
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
        if (serve->released && !serve->json)
            (void)fprintf(serve->call->err, "%s: released\n", serve->name);
        if (error != NULL && serve->status == 0)
            serve->status = HW_ERROR_FAILED;
        cli_serve_say(serve, "{\"command\":\"quit\"}\n");
    }
}

/* --- what is told of it --- */

/* True: it is not news. What was told is kept. */
static bool told_gate(struct cli_serve_told *told, const json_t *line)
{
    const char *state = json_string_value(json_object_get(line, "gate"));
    const char *reason = json_string_value(json_object_get(line, "reason"));

    if (state == NULL || reason == NULL)
        return true;
    if (strcmp(state, told->gate) == 0 && strcmp(reason, told->reason) == 0)
        return true;
    (void)snprintf(told->gate, sizeof(told->gate), "%s", state);
    (void)snprintf(told->reason, sizeof(told->reason), "%s", reason);
    return false;
}

/* How many QEMUs are on the disk, by the statistics that were asked for at first. */
static void count_clients(struct cli_serve *serve, const json_t *disks)
{
    const json_t *disk;
    size_t i;

    json_array_foreach(disks, i, disk)
    {
        const char *socket = json_string_value(json_object_get(disk, "socket"));
        const unsigned clients = (unsigned)json_integer_value(json_object_get(disk, "clients"));

        if (socket == NULL || strcmp(socket, serve->paths.disk) != 0)
            continue;
        if (clients > serve->told.clients && !serve->json)
            (void)fprintf(serve->call->out, "%s: a QEMU is connected\n", socket);
        if (json_integer_value(json_object_get(disk, "stale")) > 0 && !serve->json)
            (void)fprintf(serve->call->out,
                          "%s: a guest on it ran before another node or a tool had the LUN: it "
                          "gets its disk no more; end that guest, and start it anew\n",
                          socket);
        serve->told.clients = clients;
    }
}

static void client_event(struct cli_serve *serve, const json_t *line, bool came)
{
    const char *socket = json_string_value(json_object_get(line, "socket"));

    if (socket == NULL || strcmp(socket, serve->paths.disk) != 0)
        return;
    if (came)
        serve->told.clients++;
    else if (serve->told.clients > 0)
        serve->told.clients--;
}

/* What happened before we listened, by the status that was asked for at first. */
static void tell_status(struct cli_serve *serve, json_t *line)
{
    const json_t *lun = json_array_get(json_object_get(line, "luns"), 0);
    const json_int_t generation = json_integer_value(json_object_get(lun, "generation"));
    const char *key = json_string_value(json_object_get(lun, "key"));

    if (serve->json)
        return;
    if (json_is_true(json_object_get(lun, "owned")) && key != NULL && key[0] != '\0' &&
        serve->told.generation != (uint32_t)generation) {
        serve->told.generation = (uint32_t)generation;
        cli_serve_print_owned(serve->call->out, serve->name, strtoull(key, NULL, 16));
    }
    if (!told_gate(&serve->told, line))
        cli_serve_print_gate(serve->call->out, serve->name, line);
}

/* The same line over and over, as while a target is away: once in a while is enough. */
static bool repeats(struct cli_serve *serve, const json_t *line)
{
    const char *reason = json_string_value(json_object_get(line, "reason"));
    const char *detail = json_string_value(json_object_get(line, "detail"));
    char text[sizeof(serve->told.held_up.text)];

    (void)snprintf(text, sizeof(text), "%s: %s", reason != NULL ? reason : "",
                   detail != NULL ? detail : "");
    return cli_said_lately(&serve->told.held_up, text);
}

static void tell_event(struct cli_serve *serve, const char *event, const json_t *line)
{
    if (strcmp(event, "refused") == 0 && !serve->shown)
        return; /* it is the error at the end */
    if (strcmp(event, "held-up") == 0 && repeats(serve, line))
        return;
    if (strcmp(event, "gate") == 0 && told_gate(&serve->told, line))
        return;
    if (strcmp(event, "owned") == 0)
        serve->told.generation = (uint32_t)json_integer_value(json_object_get(line, "generation"));
    cli_serve_print_event(serve->call->out, serve->name, line);
}

/* --- what it says --- */

static void heard_event(struct cli_serve *serve, const char *event, json_t *line, bool goes_on)
{
    if (serve->json) {
        (void)json_dumpf(line, serve->call->out, JSON_COMPACT);
        (void)fputc('\n', serve->call->out);
        (void)fflush(serve->call->out);
    } else if (!goes_on) {
        tell_event(serve, event, line);
    }
    if (strcmp(event, "client") == 0 || strcmp(event, "client-gone") == 0)
        client_event(serve, line, strcmp(event, "client") == 0);
    if (goes_on)
        return;
    if (strcmp(event, "refused") == 0)
        refuse(serve, line);
    if (strcmp(event, "lost") == 0)
        cli_serve_refusal(serve->name, line, true, &serve->lost);
}

/* It owns the LUN: as was wished, or to release it at last. */
static void note_owned(struct cli_serve *serve, const char *event, const json_t *line)
{
    const json_t *lun = json_array_get(json_object_get(line, "luns"), 0);

    if (event != NULL ? strcmp(event, "owned") != 0 : !json_is_true(json_object_get(lun, "owned")))
        return;
    serve->told.owns = true;
    if (serve->stopping && serve->wish.owned && !serve->told.gives)
        cli_serve_release(serve);
}

static void heard(struct cli_serve *serve, json_t *line)
{
    const char *event = json_string_value(json_object_get(line, "event"));
    const char *state = json_string_value(json_object_get(line, "gate"));
    const char *reason = json_string_value(json_object_get(line, "reason"));
    const bool goes_on = next_block(serve, event != NULL ? line : json_object_get(line, "refused"));

    if (event != NULL)
        heard_event(serve, event, line, goes_on);
    else
        tell_status(serve, line);
    if (goes_on)
        return;
    note_owned(serve, event, line);
    if (state != NULL && reason != NULL && !serve->stopping && !serve->refused)
        gate(serve, state, reason);
    if (event != NULL)
        return;
    /* the status that was asked for at first holds a refusal that came before we listened */
    if (json_object_get(line, "refused") != NULL)
        refuse(serve, json_object_get(line, "refused"));
    count_clients(serve, json_object_get(line, "disks"));
    answered(serve, line);
}

void cli_serve_hear(struct cli_serve *serve)
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
        (void)fflush(serve->call->out); /* also where it is a file or a pipe */
        if (serve->control_fd < 0)
            return;
        serve->have -= bytes + 1;
        memmove(serve->line, end_of_line + 1, serve->have);
    }
    if (serve->have == CLI_SERVE_LINE_BYTES)
        serve->have = 0; /* longer than anything it says */
}
