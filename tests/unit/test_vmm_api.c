/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_api: rows of a table of the test's own, at once and in time, over real sockets.
 */
#include <config.h>

#include "vmm-core/run/vmm_api.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/hw_socket.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"
#include "tests/unit/unix_path.h"

enum { TEXT_BYTES = 65536 };

struct world {
    char path[UNIX_PATH_BYTES];
    qb_loop_t *loop;
    struct vmm_api *api;
    int listener, one, two;
    unsigned runs;
};

static char text[TEXT_BYTES];

static int look(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    (void)error;
    ((struct world *)call->context)->runs++;
    *ret_body = json_pack("{s:s, s:O*}", "is", "well", "at", json_object_get(call->order, "at"));
    return 0;
}

static int refuse(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    ((struct world *)call->context)->runs++;
    *ret_body = json_object(); /* of no use */
    return hw_error_set(error, HW_ERROR_REFUSED, EPERM, "VM", "does not want to", "ask nicely");
}

static int begin_it(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    (void)ret_body;
    (void)error;
    ((struct world *)call->context)->runs++;
    return 0;
}

static int end_it(const struct vmm_api_call *call, json_t **ret_body, struct hw_error *error)
{
    (void)ret_body;
    (void)error;
    vmm_api_done(((struct world *)call->context)->api, json_pack("{s:i}", "pages", 3), NULL);
    return 0;
}

static const char *const look_keys[] = { "at", "how", NULL };

static const struct vmm_api_command commands[] = {
    { .name = "look", .keys = look_keys, .any_time = true, .run = look },
    { .name = "touch", .run = look },
    { .name = "refuse", .any_time = true, .run = refuse },
    { .name = "save", .takes_time = true, .run = begin_it },
    { .name = "save-fast", .takes_time = true, .run = end_it },
    { .name = "save-not", .takes_time = true, .run = refuse },
    { .name = NULL },
};

static void begin(struct world *world)
{
    memset(world, 0, sizeof(*world));
    unix_path_make(world->path, "api");
    world->loop = qb_loop_create();
    CU_ASSERT_EQUAL_FATAL(
        hw_socket_listen(world->path, SOCK_STREAM, geteuid(), &world->listener, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(
        vmm_api_new(world->loop, world->listener,
                    &(struct vmm_api_owner) { .commands = commands, .context = world },
                    &world->api),
        0);
    world->one = unix_path_connect(world->path, SOCK_STREAM);
    world->two = unix_path_connect(world->path, SOCK_STREAM);
}

static void end(struct world *world)
{
    vmm_api_free(world->api);
    qb_loop_destroy(world->loop);
    close(world->one);
    close(world->two);
    unlink(world->path);
}

static int32_t arrived(int32_t fd, int32_t revents, void *data)
{
    (void)fd;
    (void)revents;
    qb_loop_stop(((struct world *)data)->loop);
    return 0;
}

/* Turn until a line has come here, all of them if there are more; what comes is in `text`. */
static const char *hear(struct world *world, int fd, unsigned lines)
{
    size_t have = 0;

    CU_ASSERT_EQUAL(qb_loop_poll_add(world->loop, QB_LOOP_LOW, fd, POLLIN, world, arrived), 0);
    while (lines > 0) {
        ssize_t got;

        qb_loop_run(world->loop);
        got = recv(fd, text + have, sizeof(text) - 1 - have, MSG_DONTWAIT);
        CU_ASSERT_TRUE_FATAL(got > 0);
        for (ssize_t i = 0; i < got; i++)
            lines -= lines > 0 && text[have + (size_t)i] == '\n';
        have += (size_t)got;
    }
    text[have] = '\0';
    CU_ASSERT_EQUAL(qb_loop_poll_del(world->loop, fd), 0);
    return text;
}

static const char *ask(struct world *world, int fd, const char *line, unsigned lines)
{
    CU_ASSERT_EQUAL(send(fd, line, strlen(line), 0), (ssize_t)strlen(line));
    return hear(world, fd, lines);
}

static void says(const char *said, const char *wanted)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(said, wanted));
    if (strstr(said, wanted) == NULL)
        printf("# no %s in %s", wanted, said);
}

/* The same, until that is among what is said. */
static void ask_until(struct world *world, int fd, const char *line, const char *wanted)
{
    CU_ASSERT_EQUAL(send(fd, line, strlen(line), 0), (ssize_t)strlen(line));
    while (strstr(hear(world, fd, 1), wanted) == NULL)
        continue;
}

static void rows_are_found(void)
{
    struct world world;

    begin(&world);
    says(ask(&world, world.one, "{\"command\":\"look\",\"at\":5,\"id\":\"x\"}\n", 1),
         "{\"is\":\"well\",\"at\":5,\"ok\":true,\"id\":\"x\"}");
    says(ask(&world, world.two, "{\"command\":\"refuse\",\"id\":2}\n", 1),
         "{\"ok\":false,\"error\":{\"kind\":\"refused\",\"object\":\"VM\",\"reason\":\"does not "
         "want to\",\"remedy\":\"ask nicely\"},\"id\":2}");
    CU_ASSERT_EQUAL(world.runs, 2);
    says(ask(&world, world.one, "{\"command\":\"look\",\"where\":5}\n", 1),
         "\"where\",\"reason\":\"is no word of \\\"look\\\"\"");
    says(ask(&world, world.one, "{\"command\":\"touch\",\"at\":5}\n", 1), "is no word of");
    says(ask(&world, world.one, "{\"command\":\"loo\"}\n", 1),
         "\"loo\",\"reason\":\"is no order\"");
    says(ask(&world, world.one, "loo\n", 1), "see hawser-vmm(8)");
    CU_ASSERT_EQUAL(world.runs, 2);
    end(&world);
}

static void one_takes_its_time(void)
{
    struct world world;

    begin(&world);
    CU_ASSERT_PTR_NULL(vmm_api_under_way(world.api));
    says(ask(&world, world.one, "{\"command\":\"save\",\"id\":1}\n", 1),
         "{\"command\":\"save\",\"event\":\"begun\"}");
    CU_ASSERT_STRING_EQUAL(vmm_api_under_way(world.api), "save");
    says(hear(&world, world.two, 1), "begun");
    says(ask(&world, world.two, "{\"command\":\"save\"}\n", 1), "\\\"save\\\" is under way");
    says(ask(&world, world.two, "{\"command\":\"save-not\"}\n", 1), "\\\"save\\\" is under way");
    says(ask(&world, world.two, "{\"command\":\"touch\"}\n", 1), "\\\"save\\\" is under way");
    CU_ASSERT_EQUAL(world.runs, 1);
    says(ask(&world, world.two, "{\"command\":\"look\"}\n", 1), "well");
    vmm_api_progress(world.api, json_pack("{s:i}", "pages", 7));
    says(hear(&world, world.one, 1), "{\"pages\":7,\"command\":\"save\",\"event\":\"progress\"}");
    says(hear(&world, world.two, 1), "progress");
    vmm_api_done(world.api, json_pack("{s:i}", "ms", 9), NULL);
    says(hear(&world, world.one, 2), "{\"ms\":9,\"ok\":true,\"id\":1}\n"
                                     "{\"command\":\"save\",\"event\":\"done\"}\n");
    says(hear(&world, world.two, 1), "{\"command\":\"save\",\"event\":\"done\"}");
    CU_ASSERT_PTR_NULL(vmm_api_under_way(world.api));
    vmm_api_done(world.api, json_object(), NULL); /* of nothing */
    vmm_api_progress(world.api, json_object());
    says(ask(&world, world.one, "{\"command\":\"touch\"}\n", 1), "{\"is\":\"well\"");
    end(&world);
}

static void it_fails_or_is_short(void)
{
    const struct hw_error error = {
        .kind = HW_ERROR_TIMED_OUT, .object = "rings", .reason = "do not stop", .remedy = "again"
    };
    struct world world;

    begin(&world);
    says(ask(&world, world.one, "{\"command\":\"save-not\",\"id\":1}\n", 3),
         "\"event\":\"begun\"}\n{\"ok\":false");
    says(text, "{\"reason\":\"does not want to\",\"command\":\"save-not\",\"event\":\"failed\"}");
    CU_ASSERT_PTR_NULL(vmm_api_under_way(world.api));
    says(ask(&world, world.one, "{\"command\":\"save-fast\",\"id\":1}\n", 3),
         "{\"pages\":3,\"ok\":true,\"id\":1}\n{\"command\":\"save-fast\",\"event\":\"done\"}");
    CU_ASSERT_PTR_NULL(vmm_api_under_way(world.api));
    says(ask(&world, world.one, "{\"command\":\"save\",\"id\":1}\n", 1), "begun");
    vmm_api_done(world.api, json_object(), &error);
    says(hear(&world, world.one, 2), "\"kind\":\"timed-out\",\"object\":\"rings\"");
    end(&world);
}

/* Its asker is gone: it goes on, and the others hear of it. The API ends: so does it. */
static void nobody_waits_for_it(void)
{
    struct world world;

    begin(&world);
    says(ask(&world, world.one, "{\"command\":\"save\"}\n", 1), "begun");
    close(world.one);
    says(hear(&world, world.two, 1), "begun");
    says(ask(&world, world.two, "{\"command\":\"look\"}\n", 1), "well");
    CU_ASSERT_STRING_EQUAL(vmm_api_under_way(world.api), "save");
    world.one = unix_path_connect(world.path, SOCK_STREAM); /* perhaps in its place */
    says(ask(&world, world.one, "{\"command\":\"look\"}\n", 1), "well");
    vmm_api_done(world.api, NULL, NULL);
    CU_ASSERT_PTR_NULL(strstr(hear(&world, world.one, 1), "ok"));
    says(hear(&world, world.two, 1), "done");
    says(ask(&world, world.two, "{\"command\":\"save\",\"id\":4}\n", 1), "begun");
    vmm_api_free(world.api);
    world.api = NULL;
    CU_ASSERT_TRUE(recv(world.two, text, sizeof(text), MSG_DONTWAIT) > 0);
    says(text, "has ended before it was done");
    end(&world);
}

/* One sends without end, one reads nothing: the third is answered. */
static void others_are_hostile(void)
{
    struct world world;
    char *flood = malloc(HW_ORDER_BYTES * 4);
    int third;

    begin(&world);
    third = unix_path_connect(world.path, SOCK_STREAM);
    memset(flood, 'x', HW_ORDER_BYTES * 4);
    for (unsigned i = 0; i < 2000; i++) {
        (void)send(world.one, flood, HW_ORDER_BYTES * 4, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)send(world.two, "{\"command\":\"look\"}\n", 19, MSG_DONTWAIT | MSG_NOSIGNAL);
        vmm_api_event(world.api, "paused", NULL);
        if (i % 100 == 0)
            ask_until(&world, third, "{\"command\":\"look\",\"at\":1}\n", "\"at\":1");
    }
    CU_ASSERT_EQUAL(recv(world.two, text, 1, MSG_DONTWAIT), 1); /* what it was told once */
    ask_until(&world, third, "{\"command\":\"look\",\"at\":2}\n", "\"at\":2");
    close(third);
    free(flood);
    end(&world);
}

static void without_memory(void)
{
    struct world world;
    const struct vmm_api_owner owner = { .commands = commands, .context = &world };
    struct vmm_api *api = NULL;

    begin(&world);
    for (unsigned n = 0;; n++) {
        int listener, rc;

        unlink(world.path);
        CU_ASSERT_EQUAL_FATAL(hw_socket_listen(world.path, SOCK_STREAM, geteuid(), &listener, NULL),
                              0);
        fail_alloc_arm(n);
        rc = vmm_api_new(world.loop, listener, &owner, &api);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        CU_ASSERT_TRUE(fcntl(listener, F_GETFD) < 0); /* closed */
    }
    vmm_api_free(api);
    end(&world);
}

/* A VM without a control socket. */
static void there_is_none(void)
{
    vmm_api_event(NULL, "paused", json_object());
    vmm_api_progress(NULL, json_object());
    vmm_api_done(NULL, json_object(), NULL);
    CU_ASSERT_PTR_NULL(vmm_api_under_way(NULL));
    vmm_api_free(NULL);
}

const struct unit_case unit_cases[] = {
    { "an order finds its row", rows_are_found },
    { "one takes its time, and only one", one_takes_its_time },
    { "it fails, or takes no time after all", it_fails_or_is_short },
    { "nobody waits for it any more", nobody_waits_for_it },
    { "others are hostile", others_are_hostile },
    { "without memory", without_memory },
    { "there is no socket", there_is_none },
    { 0 },
};
