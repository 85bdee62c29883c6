/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_console: bytes of a guest on their way out, over a pipe. The way in, and a
 * machine behind it, are in test_vmm_run.sh.
 */
#include <config.h>

#include "vmm-core/run/vmm_console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

enum { KEPT = 4096 };

struct world {
    qb_loop_t *loop;
    struct vmm_console *console;
    int in[2], out[2];
    unsigned wrote;
};

static void quit(void *context)
{
    qb_loop_stop(((struct world *)context)->loop);
}

static const struct vmm_console_device device = { vmm_machine_console_write, vmm_machine_has_room };

static int make(struct world *world)
{
    return vmm_console_new(world->loop, &device, world->in[0], world->out[1], quit, world,
                           &world->console);
}

static void begin(struct world *world)
{
    memset(world, 0, sizeof(*world));
    world->loop = qb_loop_create();
    CU_ASSERT_EQUAL_FATAL(pipe2(world->in, O_CLOEXEC), 0);
    CU_ASSERT_EQUAL_FATAL(pipe2(world->out, O_CLOEXEC), 0);
}

static void end(struct world *world)
{
    vmm_console_free(world->console);
    qb_loop_destroy(world->loop);
    close(world->in[0]);
    close(world->in[1]);
    close(world->out[0]);
    if (world->out[1] >= 0)
        close(world->out[1]);
}

static int32_t arrived(int32_t fd, int32_t revents, void *data)
{
    (void)fd;
    (void)revents;
    quit(data);
    return 0;
}

/* Let the loop turn until this descriptor can be read. */
static void turn(struct world *world, int fd)
{
    CU_ASSERT_EQUAL(qb_loop_poll_add(world->loop, QB_LOOP_LOW, fd, POLLIN, world, arrived), 0);
    qb_loop_run(world->loop);
    CU_ASSERT_EQUAL(qb_loop_poll_del(world->loop, fd), 0);
}

static void bytes_go_out(void)
{
    struct world world;
    char text[16] = "";

    begin(&world);
    CU_ASSERT_EQUAL_FATAL(make(&world), 0);
    for (const char *at = "hello"; *at != '\0'; at++)
        CU_ASSERT_TRUE(vmm_console_put(world.console, (uint8_t)*at));
    turn(&world, world.out[0]);
    CU_ASSERT_EQUAL(read(world.out[0], text, sizeof(text)), 5);
    CU_ASSERT_STRING_EQUAL(text, "hello");
    CU_ASSERT_TRUE(vmm_console_put(world.console, 'x'));
    vmm_console_flush(world.console); /* without the loop */
    CU_ASSERT_EQUAL(read(world.out[0], text, sizeof(text)), 1);
    CU_ASSERT_EQUAL(vmm_console_count(world.console).out_bytes, 6);
    CU_ASSERT_EQUAL(vmm_console_count(world.console).in_bytes, 0);
    end(&world);
}

static void no_more_than_it_keeps(void)
{
    struct world world;
    static char text[KEPT];
    size_t have = 0;

    begin(&world);
    CU_ASSERT_EQUAL_FATAL(make(&world), 0);
    for (unsigned i = 0; i < KEPT; i++)
        CU_ASSERT_TRUE(vmm_console_put(world.console, (uint8_t)(i % 251)));
    CU_ASSERT_FALSE(vmm_console_put(world.console, 'x'));
    while (have < KEPT) {
        ssize_t got;

        turn(&world, world.out[0]);
        got = read(world.out[0], text + have, KEPT - have);
        CU_ASSERT_TRUE_FATAL(got > 0);
        have += (size_t)got;
    }
    for (unsigned i = 0; i < KEPT; i++)
        CU_ASSERT_EQUAL((uint8_t)text[i], i % 251);
    CU_ASSERT_TRUE(vmm_console_put(world.console, 'y'));
    end(&world);
}

/* Nobody reads any more, or nothing is there at all: the guest goes on. */
static void nobody_listens(void)
{
    struct world world;

    begin(&world);
    close(world.out[1]);
    world.out[1] = -1;
    CU_ASSERT_EQUAL_FATAL(make(&world), 0);
    for (unsigned i = 0; i < 3 * KEPT; i++)
        CU_ASSERT_TRUE(vmm_console_put(world.console, 'x'));
    vmm_console_flush(world.console);
    vmm_console_read(world.console);
    vmm_console_set_machine(world.console, NULL);
    vmm_console_free(NULL);
    end(&world);
}

static void wrote(void *context)
{
    struct world *world = context;

    world->wrote++;
    quit(world);
}

static size_t look(struct world *world, uint64_t *at, char *bytes, size_t size)
{
    const size_t got = vmm_console_look(world->console, at, bytes, size);

    bytes[got] = '\0';
    return got;
}

/* Whether it goes somewhere or not: the last bytes are kept, and who wants to hears of them. */
static void the_last_are_kept(void)
{
    struct world world;
    uint64_t at = 0;
    char text[16];

    begin(&world);
    close(world.out[1]);
    world.out[1] = -1;
    CU_ASSERT_EQUAL_FATAL(make(&world), 0);
    CU_ASSERT_EQUAL(look(&world, &at, text, 10), 0);
    CU_ASSERT_TRUE(vmm_console_put(world.console, 'a'));
    vmm_console_listen(world.console, wrote, &world);
    CU_ASSERT_TRUE(vmm_console_put(world.console, 'b'));
    qb_loop_run(world.loop);
    CU_ASSERT_EQUAL(world.wrote, 1);
    CU_ASSERT_EQUAL(look(&world, &at, text, 10), 2);
    CU_ASSERT_STRING_EQUAL(text, "ab");
    CU_ASSERT_EQUAL(at, 0);
    at = 2;
    CU_ASSERT_EQUAL(look(&world, &at, text, 10), 0);
    vmm_console_listen(world.console, NULL, NULL);
    for (unsigned i = 0; i < VMM_CONSOLE_KEEPS; i++)
        CU_ASSERT_TRUE(vmm_console_put(world.console, (uint8_t)('a' + i % 26)));
    CU_ASSERT_EQUAL(look(&world, &at, text, 3), 3); /* just so */
    CU_ASSERT_STRING_EQUAL(text, "abc");
    CU_ASSERT_TRUE(vmm_console_put(world.console, '.'));
    CU_ASSERT_EQUAL(look(&world, &at, text, 3), 3); /* and one is lost */
    CU_ASSERT_STRING_EQUAL(text, "bcd");
    CU_ASSERT_EQUAL(at, 3);
    at = 3 + VMM_CONSOLE_KEEPS - 2;
    CU_ASSERT_EQUAL(look(&world, &at, text, 10), 2);
    CU_ASSERT_EQUAL(text[1], '.');
    at = UINT64_MAX; /* nonsense */
    CU_ASSERT_EQUAL(look(&world, &at, text, 1), 1);
    CU_ASSERT_EQUAL(world.wrote, 1);
    end(&world);
}

/* With no guest there to read, it is full some time. */
static void bytes_are_typed(void)
{
    struct world world;
    char text[1000];
    size_t taken;

    begin(&world);
    memset(text, 'x', sizeof(text));
    CU_ASSERT_EQUAL_FATAL(make(&world), 0);
    taken = vmm_console_type(world.console, text, sizeof(text));
    CU_ASSERT_TRUE(taken > 0 && taken < sizeof(text));
    CU_ASSERT_EQUAL(vmm_console_type(world.console, text, sizeof(text)), 0);
    CU_ASSERT_EQUAL(write(world.in[1], "y", 1), 1); /* is not looked at */
    CU_ASSERT_TRUE(vmm_console_put(world.console, 'z'));
    turn(&world, world.out[0]);
    CU_ASSERT_EQUAL(read(world.in[0], text, 1), 1);
    CU_ASSERT_EQUAL(vmm_console_count(world.console).in_bytes, 0);
    end(&world);
}

static void without_memory(void)
{
    struct world world;

    begin(&world);
    for (unsigned n = 0;; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = make(&world);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            break;
        }
        CU_ASSERT_TRUE(rc < 0);
    }
    end(&world);
}

const struct unit_case unit_cases[] = {
    { "bytes go out", bytes_go_out },
    { "no more than it keeps", no_more_than_it_keeps },
    { "nobody listens", nobody_listens },
    { "the last ones are kept", the_last_are_kept },
    { "bytes are typed", bytes_are_typed },
    { "without memory", without_memory },
    { 0 },
};
