/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes common/hw_control, common/hw_order and storage/serve/sv_command: three connections of the
 * control socket that send any bytes, close when they like, and may never read what they are told.
 * Orders are answered at once, or when their connection may be gone. Whatever comes, an order that
 * gets through is whole and within its bounds, each answer is one JSON object on a line of its own,
 * and no descriptor is left open.
 * The input is what one connection sends (control_clients.h).
 */
#include <config.h>

#include "common/hw_control.h"
#include "storage/serve/sv_command.h"
#include "storage/sto_pr.h"
#include "tests/fuzz/control_clients.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HELD = 8, WATCHED = HW_CONTROL_CLIENTS + 2, TURNS = 8 };
enum { ACT_ANSWER = CLIENTS_ACT_OWN, ACT_EVENT = CLIENTS_ACT_OTHER };

struct world {
    struct hw_control *control;
    struct control_clients clients;
    int page_fd;
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

static void turn(void *context)
{
    struct world *world = context;

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

static void act(void *context, uint8_t what)
{
    struct world *world = context;

    if (what == ACT_ANSWER)
        answer_held(world);
    else
        hw_control_event(world->control, json_pack("{s:s}", "event", "gate"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = { .clients = { .turn = turn, .context = &world } };
    const struct hw_control_callbacks callbacks = {
        .order = order, .watch = watch, .context = &world, .remedy = SV_REMEDY
    };
    int listener = control_clients_listen(&world.clients);

    world.page_fd = memfd_create("fuzz", MFD_CLOEXEC);
    fuzz_require(hw_control_new(listener, &callbacks, &world.control) == 0);
    control_clients_begin(&world.clients);
    control_clients_play(&world.clients, data, size, act);
    answer_held(&world);
    control_clients_end(&world.clients);
    hw_control_free(world.control);
    close(world.page_fd);
    control_clients_check(&world.clients);
    return 0;
}
