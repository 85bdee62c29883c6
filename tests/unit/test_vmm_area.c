/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_area against a server in the same loop: what is written is there, from guest
 * memory and from the private part; the server goes and comes back; there is none.
 */
#include <config.h>

#include "vmm-core/run/vmm_area.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/area_server.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"

enum { AREA = 4 << 20, PART = 64 << 10, GUEST = 16 << 20, PAGE = 4096 };

struct world {
    qb_loop_t *loop;
    struct area_server server;
    struct vmm_memory memory;
    struct vmm_area *area;
    struct vmm_save_queue queue;
    unsigned ups, downs, done;
    int rc;
    char text[100];
};

static void changed(void *context, bool up, const char *text)
{
    struct world *world = context;

    world->ups += up;
    world->downs += !up;
    (void)snprintf(world->text, sizeof(world->text), "%s", text);
    qb_loop_stop(world->loop);
}

static void begin(struct world *world)
{
    const struct vmm_area_callbacks callbacks = { changed, world };

    memset(world, 0, sizeof(*world));
    world->loop = qb_loop_create();
    area_server_make(&world->server, world->loop, AREA);
    CU_ASSERT_EQUAL_FATAL(vmm_memory_new(GUEST, &world->memory, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(vmm_area_new(world->loop, world->server.socket, &world->memory, PART,
                                       &callbacks, &world->area, NULL),
                          0);
    vmm_area_queue(world->area, &world->queue);
}

static void end(struct world *world)
{
    vmm_area_free(world->area);
    area_server_end(&world->server);
    area_server_remove(&world->server);
    vmm_memory_free(&world->memory);
    qb_loop_destroy(world->loop);
}

static void until_up(struct world *world, unsigned ups)
{
    while (world->ups < ups)
        qb_loop_run(world->loop);
}

static void done(struct vmm_save_op *op, int rc)
{
    struct world *world = op->context;

    world->done++;
    world->rc = rc;
    qb_loop_stop(world->loop);
}

static void submit(struct world *world, struct vmm_save_op *op, enum vmm_save_io io, uint64_t at,
                   const struct iovec *iov)
{
    *op = (struct vmm_save_op) { .io = io,
                                 .offset_bytes = at,
                                 .iov = iov,
                                 .iov_count = iov != NULL ? 1 : 0,
                                 .done = done,
                                 .context = world };
    CU_ASSERT_EQUAL(world->queue.submit(world->queue.context, op), 0);
}

/* One request, to its end. */
static int carry_out(struct world *world, enum vmm_save_io io, uint64_t at, uint8_t *memory)
{
    const struct iovec iov = { memory, PAGE };
    const unsigned before = world->done;
    struct vmm_save_op op;

    submit(world, &op, io, at, io != VMM_SAVE_FLUSH ? &iov : NULL);
    CU_ASSERT_EQUAL(world->done, before); /* never from within */
    while (world->done == before)
        qb_loop_run(world->loop);
    return world->rc;
}

static void writes_and_reads(void)
{
    struct world world;
    uint8_t *part, *guest;

    begin(&world);
    CU_ASSERT_EQUAL(vmm_area_bytes(world.area), 0);
    area_server_begin(&world.server);
    until_up(&world, 1);
    CU_ASSERT_TRUE(vmm_area_is_up(world.area));
    CU_ASSERT_EQUAL(vmm_area_bytes(world.area), AREA);
    guest = world.memory.ranges[0].address;
    part = vmm_area_part(world.area);
    memset(guest + GUEST - PAGE, 'g', PAGE);
    memset(part, 'p', PAGE);
    CU_ASSERT_EQUAL(carry_out(&world, VMM_SAVE_WRITE, 0, part), 0);
    CU_ASSERT_EQUAL(carry_out(&world, VMM_SAVE_WRITE, AREA - PAGE, guest + GUEST - PAGE), 0);
    CU_ASSERT_EQUAL(carry_out(&world, VMM_SAVE_READ, 0, guest), 0);
    CU_ASSERT_EQUAL(carry_out(&world, VMM_SAVE_READ, AREA - PAGE, part + PART - PAGE), 0);
    CU_ASSERT_TRUE(guest[0] == 'p' && guest[PAGE - 1] == 'p' && guest[PAGE] == 0);
    CU_ASSERT_TRUE(part[PART - PAGE] == 'g' && part[PART - 1] == 'g');
    CU_ASSERT_EQUAL(world.server.flushes, 0);
    CU_ASSERT_EQUAL(carry_out(&world, VMM_SAVE_FLUSH, 0, NULL), 0);
    CU_ASSERT_EQUAL(world.server.flushes, 1);
    CU_ASSERT_EQUAL(carry_out(&world, VMM_SAVE_WRITE, AREA, guest), -EIO); /* behind the end */
    CU_ASSERT_EQUAL(vmm_area_part(world.area), part);
    CU_ASSERT_TRUE(part[0] == 0 && part[PART - PAGE] == 0);
    CU_ASSERT_EQUAL(world.queue.restarts(world.queue.context), 0);
    end(&world);
}

/* Memory that is neither the guest's nor the part cannot be named. */
static void other_memory_is_refused(void)
{
    static uint8_t elsewhere[PAGE];
    struct world world;
    const struct iovec iov = { elsewhere, PAGE };
    struct vmm_save_op op = { .io = VMM_SAVE_READ, .iov = &iov, .iov_count = 1, .done = done };

    begin(&world);
    CU_ASSERT_EQUAL(world.queue.submit(world.queue.context, &op), -EFAULT);
    end(&world);
}

/* More than the queue has room for at once, and then one more than there are places. */
static void many_at_once(void)
{
    enum { MANY = 32 };
    struct world world;
    struct vmm_save_op ops[MANY + 1];
    struct iovec iov;

    begin(&world);
    iov = (struct iovec) { vmm_area_part(world.area), PAGE };
    for (unsigned i = 0; i < MANY; i++)
        submit(&world, &ops[i], VMM_SAVE_WRITE, (uint64_t)i * PAGE, &iov);
    ops[MANY] = ops[0];
    CU_ASSERT_EQUAL(world.queue.submit(world.queue.context, &ops[MANY]), -EAGAIN);
    area_server_begin(&world.server);
    while (world.done < MANY)
        qb_loop_run(world.loop);
    CU_ASSERT_EQUAL(world.server.writes, MANY);
    end(&world);
}

/* What was under way goes on; and that something may be lost is known before it has ended. */
static void the_server_comes_back(void)
{
    struct world world;
    struct iovec iov;
    struct vmm_save_op op;

    begin(&world);
    area_server_begin(&world.server);
    until_up(&world, 1);
    iov = (struct iovec) { vmm_area_part(world.area), PAGE };
    area_server_hold(&world.server, true);
    submit(&world, &op, VMM_SAVE_WRITE, 0, &iov);
    area_server_end(&world.server);
    while (vmm_area_is_up(world.area))
        qb_loop_run(world.loop);
    CU_ASSERT_EQUAL(world.queue.restarts(world.queue.context), 1);
    area_server_hold(&world.server, false);
    area_server_begin(&world.server);
    while (world.done == 0)
        qb_loop_run(world.loop);
    CU_ASSERT_EQUAL(world.rc, 0);
    CU_ASSERT_EQUAL(world.server.writes, 1);
    until_up(&world, 2);
    end(&world);
}

static void there_is_none(void)
{
    const struct vmm_area_callbacks callbacks = { changed, NULL };
    struct hw_error error = { 0 };
    struct vmm_area *area;
    char path[120];
    struct world world;

    begin(&world);
    qb_loop_run(world.loop);
    CU_ASSERT_EQUAL(world.downs, 1);
    CU_ASSERT_STRING_EQUAL(world.text, "No such file or directory");
    CU_ASSERT_FALSE(vmm_area_is_up(world.area) || vmm_area_is_near(world.area));
    qb_loop_run(world.loop);
    CU_ASSERT_EQUAL(world.downs, 2);
    memset(path, 'x', sizeof(path));
    path[119] = '\0';
    CU_ASSERT_EQUAL(vmm_area_new(world.loop, path, NULL, PART, &callbacks, &area, &error),
                    -ENAMETOOLONG);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_USAGE);
    end(&world);
}

static void without_memory(void)
{
    const struct vmm_area_callbacks callbacks = { changed, NULL };
    qb_loop_t *loop = qb_loop_create();

    for (unsigned n = 0;; n++) {
        struct hw_error error = { 0 };
        struct vmm_area *area = NULL;
        int rc;

        fail_alloc_arm(n);
        rc = vmm_area_new(loop, "/nowhere/s", NULL, PART, &callbacks, &area, &error);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            vmm_area_free(area);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        CU_ASSERT_TRUE(error.reason[0] != '\0');
    }
    vmm_area_free(NULL);
    qb_loop_destroy(loop);
}

const struct unit_case unit_cases[] = {
    { "what is written is there", writes_and_reads },
    { "memory that is neither the guest's nor the part", other_memory_is_refused },
    { "many at once", many_at_once },
    { "the server goes and comes back", the_server_comes_back },
    { "there is none", there_is_none },
    { "without memory", without_memory },
    { 0 },
};
