/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_machine, vmm-core/run/vmm_machine_platform and vmm-core/run/vmm_machine_state: a
 * kernel of some instructions boots, talks on the serial line, moves into another machine and ends.
 * Skipped where there is no /dev/kvm.
 */
#include <config.h>

#include "vmm-core/run/vmm_machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/machine_move.h"
#include "tests/unit/machine_world.h"
#include "tests/unit/unit.h"

enum { STATE_BYTES = 65536 };

static void a_kernel_boots_and_talks(void)
{
    struct vmm_machine_counts counts = { 0 };
    const uint8_t *memory;
    struct world world;

    if (!world_possible())
        return;
    world_begin(&world, 1);
    CU_ASSERT_EQUAL(world_boot(&world, NULL), 0);
    memory = vmm_machine_memory(world.machine)->ranges[0].address;
    CU_ASSERT_EQUAL(memcmp(memory + 0xf0000, "RSD PTR ", 8), 0);
    CU_ASSERT_EQUAL(memcmp(memory + 0x6000 + 32, "\0\0\x0f\0\0\0\0\0", 8), 0); /* start info */
    vmm_machine_run(world.machine);
    world_wait(&world, 1);
    world_say(&world, "h");
    world_wait(&world, 2);
    world_say(&world, "i");
    world_wait(&world, 3);
    CU_ASSERT_STRING_EQUAL(world.out, "Ahi");
    CU_ASSERT_TRUE(world.reads >= 2);
    vmm_machine_count(world.machine, &counts);
    CU_ASSERT_TRUE(counts.exits[0][VMM_EXIT_PORT] >= 5); /* three bytes out, two in */
    CU_ASSERT_EQUAL(counts.exits[0][VMM_EXIT_MMIO], 0);
    CU_ASSERT_TRUE(counts.cpu_ns[0] > 0);
    CU_ASSERT_EQUAL(counts.cpu_ns[1], 0);
    CU_ASSERT_EQUAL(world.ends, 0);
    world_say(&world, "!");
    world_wait(&world, 4);
    CU_ASSERT_EQUAL(world.ends, 1);
    CU_ASSERT_EQUAL(world.end, VMM_MACHINE_RESET);
    CU_ASSERT_STRING_EQUAL(world.text, "triple fault");
    vmm_machine_pause(world.machine);
    vmm_machine_run(world.machine); /* what has ended stays so */
    CU_ASSERT_EQUAL(world.ends, 1);
    world_end(&world);
}

/* Nobody takes its bytes: it waits, nothing is lost. */
static void its_console_is_full(void)
{
    struct world world;

    if (!world_possible())
        return;
    world_begin(&world, 1);
    world.room = 0;
    CU_ASSERT_EQUAL(world_boot(&world, NULL), 0);
    vmm_machine_run(world.machine);
    world_say(&world, "x");
    vmm_machine_pause(world.machine);
    CU_ASSERT_EQUAL(world.out_count, 0);
    world.room = 100;
    vmm_machine_run(world.machine); /* looks again */
    world_wait(&world, 1);
    vmm_machine_has_room(world.machine);
    CU_ASSERT_EQUAL(world.out[0], 'A');
    world_end(&world);
}

/* Twenty times from machine to machine, with a byte on the way in its serial port each time. */
static void it_moves(void)
{
    struct world worlds[2];

    if (!world_possible())
        return;
    world_begin(&worlds[0], 1);
    CU_ASSERT_EQUAL(world_boot(&worlds[0], NULL), 0);
    vmm_machine_run(worlds[0].machine);
    world_wait(&worlds[0], 1);
    for (unsigned i = 0; i < 20; i++) {
        struct world *from = &worlds[i % 2], *to = &worlds[(i + 1) % 2];
        const char letter[] = { (char)('a' + i), '\0' };

        vmm_machine_pause(from->machine);
        CU_ASSERT_EQUAL(from->out_count, 1);
        world_say(from, letter);
        world_begin(to, 1);
        machine_move(from->machine, to->machine, STATE_BYTES);
        CU_ASSERT_EQUAL(from->out_count, 1); /* the old one says nothing any more */
        world_end(from);
        vmm_machine_run(to->machine);
        world_wait(to, 1);
        CU_ASSERT_EQUAL(to->out[0], letter[0]);
        CU_ASSERT_EQUAL(to->ends, 0);
    }
    world_end(&worlds[0]);
}

static void refused(struct world *world, const uint8_t *state, size_t bytes, int code,
                    const char *reason)
{
    struct hw_error error = { 0 };

    CU_ASSERT_EQUAL(vmm_machine_load(world->machine, state, bytes, &error), code);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, reason));
    CU_ASSERT_TRUE(error.remedy[0] != '\0');
    if (strstr(error.reason, reason) == NULL)
        printf("# %s\n", error.reason);
}

static void a_wrong_state_is_refused(void)
{
    uint8_t *state = calloc(1, STATE_BYTES), *copy = calloc(1, STATE_BYTES);
    struct world one, two;
    size_t bytes = 0, bytes_of_one = 0;

    if (!world_possible()) {
        free(copy);
        free(state);
        return;
    }
    world_begin(&one, 1);
    world_begin(&two, 2);
    CU_ASSERT_EQUAL(vmm_machine_save(two.machine, state, STATE_BYTES, &bytes, NULL), 0);
    refused(&one, state, bytes, -EPROTONOSUPPORT, "33.1, at byte");
    CU_ASSERT_EQUAL(vmm_machine_save(one.machine, copy, STATE_BYTES, &bytes_of_one, NULL), 0);
    refused(&two, copy, bytes_of_one, -ENOENT, "has nothing of vCPU 1");
    for (size_t at = 0; at < bytes_of_one; at += 97) {
        memcpy(state, copy, bytes_of_one);
        state[at] ^= 4;
        refused(&one, state, bytes_of_one, -EBADMSG, "is damaged");
    }
    refused(&one, copy, bytes_of_one - 8, -EBADMSG, "is damaged");
    CU_ASSERT_EQUAL(vmm_machine_save(one.machine, state, 1000, &bytes, NULL), -ENOSPC);
    world_end(&two);
    world_end(&one);
    free(copy);
    free(state);
}

static void a_kernel_that_is_none(void)
{
    const struct vmm_pvh_boot boot = {
        .name = "notes.txt", .kernel = "hello, hello, hello", .kernel_bytes = 19, .command = ""
    };
    const struct vmm_machine_config config = { .memory_bytes = BYTES };
    struct vmm_machine *machine = NULL;
    struct hw_error error = { 0 };
    struct world world;

    if (!world_possible())
        return;
    world_begin(&world, 1);
    CU_ASSERT_EQUAL(vmm_machine_boot_pvh(world.machine, &boot, &error), -ENOEXEC);
    CU_ASSERT_STRING_EQUAL(error.object, "notes.txt");
    hw_error_clear(&error);
    CU_ASSERT_EQUAL(vmm_machine_new(world.kvm_fd, &config, NULL, &machine, &error), -EINVAL);
    CU_ASSERT_STRING_EQUAL(error.object, "--cpus");
    vmm_machine_free(NULL);
    world_end(&world);
}

static void without_memory(void)
{
    struct world world = { .room = 0 };

    if (!world_possible())
        return;
    world.kvm_fd = vmm_kvm_open(NULL);
    for (unsigned n = 0;; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = world_make(&world, 2, NULL);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            vmm_machine_free(world.machine);
            break;
        }
        CU_ASSERT_EQUAL(rc, -ENOMEM);
    }
    close(world.kvm_fd);
}

const struct unit_case unit_cases[] = {
    { "a kernel boots, talks, and shuts down", a_kernel_boots_and_talks },
    { "its console is full", its_console_is_full },
    { "it moves from machine to machine", it_moves },
    { "a wrong state", a_wrong_state_is_refused },
    { "a kernel that is none, a machine that cannot be", a_kernel_that_is_none },
    { "without memory", without_memory },
    { 0 },
};
