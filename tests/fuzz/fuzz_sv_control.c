/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes common/hw_control, common/hw_order and storage/serve/sv_command: three connections of the
 * control socket that send any bytes, close when they like, and may never read what they are told.
 * Orders are answered at once, or when their connection may be gone. Whatever comes, an order that
 * gets through is whole and within its bounds, each answer is one JSON object on a line of its own,
 * and no descriptor is left open.
 * The input is what one connection sends; bytes 1 to 7 are not sent but do something else.
 */
#include <config.h>

#include "common/hw_control.h"
#include "storage/serve/sv_command.h"
#include "storage/sto_pr.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS = 3, HELD = 8, WATCHED = HW_CONTROL_CLIENTS + 2, TURNS = 8, MANY = 64 };
enum { ACT_NEXT = 1, ACT_RECONNECT, ACT_READ, ACT_ANSWER, ACT_EVENT, ACT_PAD, ACT_MANY };

struct world {
    struct hw_control *control;
    int listener, page_fd, clients[CLIENTS];
    bool lost_text[CLIENTS]; /* it was told something that it did not read */
    unsigned watched_count, held_count, orders;
    struct pollfd watched[WATCHED];
    struct hw_asker held[HELD];
};

static void watch(void *context, int fd, short events)
{
    struct world *world = context;
    unsigned i = 0;

    while (i < world->watched_count && world->watched[i].fd != fd)
        i++;
    if (events == 0) {
        if (i < world->watched_count)
            world->watched[i] = world->watched[--world->watched_count];
        return;
    }
    fuzz_require(i < WATCHED);
    world->watched[i] = (struct pollfd) { .fd = fd, .events = events };
    if (i == world->watched_count)
        world->watched_count++;
}

static void judge(const struct sv_command *command, const struct hw_asker *asker)
{
    fuzz_require((unsigned)command->kind < SV_COMMAND_COUNT);
    fuzz_require(command->generation <= STO_GENERATION_MAX && asker->serial != 0);
    fuzz_require(asker->id == NULL || json_is_string(asker->id) || json_is_integer(asker->id));
    if (command->kind == SV_COMMAND_ACQUIRE)
        fuzz_require(command->generation != 0 || command->key != 0);
    else
        fuzz_require(command->generation == 0 && command->key == 0 && !command->takeover &&
                     !command->expected_set);
    fuzz_require(command->kind == SV_COMMAND_HAND_OVER || command->node == 0);
}

static void refuse(struct world *world, struct hw_asker *asker)
{
    struct hw_error error = { 0 };

    (void)hw_error_set(&error, HW_ERROR_REFUSED, EBUSY, "order", "is under way", "wait");
    hw_control_refuse(world->control, asker, &error);
}

static void obey(struct world *world, const struct sv_command *command, struct hw_asker asker)
{
    judge(command, &asker);
    world->orders++;
    if (command->kind == SV_COMMAND_EVENTS)
        hw_control_subscribe(world->control, &asker);
    if (command->kind == SV_COMMAND_PAGE)
        hw_control_answer(world->control, &asker, json_object(), world->page_fd);
    else if (command->kind <= SV_COMMAND_VERIFY && world->held_count < HELD)
        world->held[world->held_count++] = asker;
    else if (world->orders % 2 == 0)
        refuse(world, &asker);
    else
        hw_control_answer(world->control, &asker, json_pack("{s:s}", "gate", "open"), -1);
}

static void order(void *context, json_t *object, struct hw_asker asker)
{
    struct world *world = context;
    struct sv_command command;

    if (sv_command_parse(object, &command, NULL) < 0)
        refuse(world, &asker);
    else
        obey(world, &command, asker);
}

static void answer_held(struct world *world)
{
    while (world->held_count > 0) {
        struct hw_asker asker = world->held[--world->held_count];

        hw_control_answer(world->control, &asker, json_object(), -1);
    }
}

static void turn(struct world *world)
{
    for (unsigned i = 0; i < TURNS; i++) {
        struct pollfd fds[WATCHED];
        const unsigned count = world->watched_count;

        memcpy(fds, world->watched, count * sizeof(fds[0]));
        if (poll(fds, count, 0) <= 0)
            return;
        for (unsigned k = 0; k < count; k++)
            if (fds[k].revents != 0)
                hw_control_service(world->control, fds[k].fd, fds[k].revents);
    }
}

/* Whole lines of a connection that was read from its start: each an answer or an event. */
static void judge_lines(const char *text, size_t bytes)
{
    const char *end;

    while ((end = memchr(text, '\n', bytes)) != NULL) {
        json_t *line = json_loadb(text, (size_t)(end - text), JSON_REJECT_DUPLICATES, NULL);

        fuzz_require(json_is_object(line));
        fuzz_require(json_is_boolean(json_object_get(line, "ok")) ||
                     json_is_string(json_object_get(line, "event")));
        json_decref(line);
        bytes -= (size_t)(end + 1 - text);
        text = end + 1;
    }
}

static void read_answers(struct world *world, unsigned i)
{
    char text[16 * 1024];
    const ssize_t got = recv(world->clients[i], text, sizeof(text), MSG_DONTWAIT);

    if (got > 0 && !world->lost_text[i])
        judge_lines(text, (size_t)got);
    world->lost_text[i] = world->lost_text[i] || (got > 0 && text[got - 1] != '\n');
    turn(world);
}

static void reconnect(struct world *world, unsigned i)
{
    struct sockaddr_un address;
    socklen_t length = sizeof(address);

    if (world->clients[i] >= 0)
        close(world->clients[i]);
    world->clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    world->lost_text[i] = false;
    fuzz_require(getsockname(world->listener, (struct sockaddr *)&address, &length) == 0);
    fuzz_require(connect(world->clients[i], (struct sockaddr *)&address, length) == 0);
    turn(world);
}

static void send_bytes(struct world *world, unsigned i, const void *data, size_t bytes)
{
    (void)send(world->clients[i], data, bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    turn(world);
}

static void act(struct world *world, uint8_t what, unsigned *client)
{
    static const char status[] = "{\"command\":\"status\"}\n";
    char many[MANY * (sizeof(status) - 1)];

    memset(many, ' ', sizeof(many));
    if (what == ACT_NEXT)
        *client = (*client + 1) % CLIENTS;
    else if (what == ACT_RECONNECT)
        reconnect(world, *client);
    else if (what == ACT_READ)
        read_answers(world, *client);
    else if (what == ACT_ANSWER)
        answer_held(world);
    else if (what == ACT_EVENT)
        hw_control_event(world->control, json_pack("{s:s}", "event", "gate"));
    else if (what == ACT_PAD)
        send_bytes(world, *client, many, sizeof(many));
    for (unsigned i = 0; i < MANY; i++)
        memcpy(many + i * (sizeof(status) - 1), status, sizeof(status) - 1);
    if (what == ACT_MANY)
        send_bytes(world, *client, many, sizeof(many));
}

static void begin(struct world *world)
{
    const struct hw_control_callbacks callbacks = {
        .order = order, .watch = watch, .context = world, .remedy = SV_REMEDY
    };
    const struct sockaddr_un address = { .sun_family = AF_UNIX };

    memset(world, 0, sizeof(*world));
    (void)signal(SIGPIPE, SIG_IGN);
    json_object_seed(1); /* the same input does the same again */
    world->page_fd = memfd_create("fuzz", MFD_CLOEXEC);
    world->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    fuzz_require(bind(world->listener, (const struct sockaddr *)&address, sizeof(sa_family_t)) ==
                 0);
    fuzz_require(listen(world->listener, CLIENTS) == 0);
    fuzz_require(hw_control_new(world->listener, &callbacks, &world->control) == 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        world->clients[i] = -1;
        reconnect(world, i);
    }
}

static void end(struct world *world, int first_free)
{
    int next;

    answer_held(world);
    for (unsigned i = 0; i < CLIENTS; i++) {
        read_answers(world, i);
        close(world->clients[i]);
    }
    turn(world);
    hw_control_free(world->control);
    close(world->page_fd);
    next = dup(STDERR_FILENO); /* the lowest free number: nothing was left open */
    fuzz_require(next == first_free);
    close(next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world;
    unsigned client = 0;
    int first_free = dup(STDERR_FILENO);

    close(first_free);
    begin(&world);
    while (size > 0) {
        size_t bytes = 0;

        while (bytes < size && (data[bytes] == 0 || data[bytes] > ACT_MANY))
            bytes++;
        if (bytes > 0)
            send_bytes(&world, client, data, bytes);
        if (bytes < size)
            act(&world, data[bytes++], &client);
        data += bytes;
        size -= bytes;
    }
    end(&world, first_free);
    return 0;
}
