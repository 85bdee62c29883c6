/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzzes vmm-core/run/vmm_api with common/hw_control and common/hw_order below it: three
 * connections that send any bytes, close when they like, and may never read what they are told. One
 * command takes time, and ends when the input says so. Whatever comes, a row runs with no key but
 * its own, at most one that takes time is under way, each answer is one JSON object on a line of
 * its own, and no descriptor is left open. The input is what one connection sends
 * (control_clients.h).
 */
#include <config.h>

#include "vmm-core/run/vmm_api.h"
#include "tests/fuzz/control_clients.h"

#include <errno.h>
#include <poll.h>

enum { WATCHED = HW_CONTROL_CLIENTS + 2, TURNS = 8 };
enum { ACT_PROGRESS = CLIENTS_ACT_OWN, ACT_DONE = CLIENTS_ACT_OTHER };

struct watched {
    struct pollfd fd;
    void *data;
    qb_loop_poll_dispatch_fn dispatch;
};

struct world {
    struct control_clients clients;
    unsigned watched_count;
    struct watched watched[WATCHED];
    struct vmm_api *api;
    bool saves;
    unsigned ends;
};

static int status(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    (void)error;
    fuzz_require(call->asker->serial != 0);
    *ret_body = json_pack("{s:s}", "state", "running");
    return 0;
}

static int refuse(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    const struct world *world = call->context;
    const char *key;
    const json_t *value;

    (void)ret_body;
    fuzz_require(!world->saves);
    json_object_foreach(call->order, key, value)
        fuzz_require(strcmp(key, "bytes") == 0 || hw_order_is_common(key));
    return hw_error_set(error, HW_ERROR_REFUSED, ENODEV, "balloon", "there is no such device", "");
}

static int save(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    struct world *world = call->context;

    (void)ret_body;
    (void)error;
    fuzz_require(!world->saves);
    world->saves = true;
    return 0;
}

static const char *const keys[] = { "bytes", NULL };

static const struct vmm_api_command commands[] = {
    { .name = "status", .any_time = true, .run = status },
    { .name = "pause", .run = status },
    { .name = "balloon", .keys = keys, .run = refuse },
    { .name = "save", .keys = keys, .takes_time = true, .run = save },
    { .name = NULL },
};

/* --- a loop in place of libqb's, which waits now and then --- */

static struct watched *find(struct world *world, int fd)
{
    for (unsigned i = 0; i < world->watched_count; i++)
        if (world->watched[i].fd.fd == fd)
            return &world->watched[i];
    return NULL;
}

int32_t qb_loop_poll_mod(struct qb_loop *loop, enum qb_loop_priority priority, int32_t fd,
                         int32_t events, void *data, qb_loop_poll_dispatch_fn dispatch)
{
    struct watched *watched = find((struct world *)(void *)loop, fd);

    (void)priority;
    if (watched == NULL)
        return -EBADF;
    *watched = (struct watched) { { .fd = fd, .events = (short)events }, data, dispatch };
    return 0;
}

int32_t qb_loop_poll_add(struct qb_loop *loop, enum qb_loop_priority priority, int32_t fd,
                         int32_t events, void *data, qb_loop_poll_dispatch_fn dispatch)
{
    struct world *world = (struct world *)(void *)loop;

    fuzz_require(world->watched_count < WATCHED && find(world, fd) == NULL);
    world->watched[world->watched_count++].fd.fd = fd;
    return qb_loop_poll_mod(loop, priority, fd, events, data, dispatch);
}

int32_t qb_loop_poll_del(struct qb_loop *loop, int32_t fd)
{
    struct world *world = (struct world *)(void *)loop;
    struct watched *watched = find(world, fd);

    fuzz_require(watched != NULL);
    *watched = world->watched[--world->watched_count];
    return 0;
}

static void turn(void *context)
{
    struct world *world = context;

    for (unsigned i = 0; i < TURNS; i++) {
        struct pollfd fds[WATCHED];
        const unsigned count = world->watched_count;

        for (unsigned k = 0; k < count; k++)
            fds[k] = world->watched[k].fd;
        if (poll(fds, count, 0) <= 0)
            return;
        for (unsigned k = 0; k < count; k++) {
            const struct watched *watched = find(world, fds[k].fd);

            if (fds[k].revents != 0 && watched != NULL)
                (void)watched->dispatch(fds[k].fd, fds[k].revents, watched->data);
        }
    }
}

static void act(void *context, uint8_t what)
{
    struct world *world = context;
    const struct hw_error error = { .kind = HW_ERROR_FAILED, .object = "x", .reason = "\xff" };

    fuzz_require((vmm_api_under_way(world->api) != NULL) == world->saves);
    if (what == ACT_PROGRESS)
        vmm_api_progress(world->api, json_pack("{s:i}", "pages", 1));
    else
        vmm_api_done(world->api, NULL, ++world->ends % 2 == 0 ? &error : NULL);
    world->saves = world->saves && what == ACT_PROGRESS;
    turn(world);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world = { .clients = { .turn = turn, .context = &world } };
    int listener = control_clients_listen(&world.clients);

    fuzz_require(vmm_api_new((qb_loop_t *)(void *)&world, listener,
                             &(struct vmm_api_owner) { .commands = commands, .context = &world },
                             &world.api) == 0);
    control_clients_begin(&world.clients);
    control_clients_play(&world.clients, data, size, act);
    control_clients_end(&world.clients);
    vmm_api_free(world.api);
    control_clients_check(&world.clients);
    return 0;
}
