/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_machine, vmm-core/run/vmm_machine_platform and vmm-core/run/vmm_machine_state: a
 * kernel of some instructions boots, talks on the serial line, moves into another machine and ends.
 * Skipped where there is no /dev/kvm.
 */
#include <config.h>

#include "vmm-core/run/vmm_machine.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/elf_image.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/unit.h"
#include "vmm-core/kvm/vmm_kvm.h"

enum { BYTES = 16 << 20, STATE_BYTES = 65536, OUT_BYTES = 256 };

/* At its entry: writes 'A', then gives back each byte that it is sent; at '!' it lets the processor
 * shut down, with an empty interrupt table. */
static const uint8_t echo[] = {
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x66, 0xba, 0xf8, 0x03, /* mov dx,3f8h */
    0xb0, 0x41,                                                 /* mov al,'A' */
    0xee,                                                       /* out dx,al */
    0x66, 0xba, 0xfd, 0x03,                                     /* l: mov dx,3fdh */
    0xec,                                                       /* m: in al,dx */
    0xa8, 0x01,                                                 /* test al,1 */
    0x74, 0xfb,                                                 /* jz m */
    0x66, 0xba, 0xf8, 0x03,                                     /* mov dx,3f8h */
    0xec,                                                       /* in al,dx */
    0x3c, 0x21,                                                 /* cmp al,'!' */
    0x74, 0x03,                                                 /* jz e */
    0xee,                                                       /* out dx,al */
    0xeb, 0xeb,                                                 /* jmp l */
    0x0f, 0x01, 0x1d, 0x00, 0x20, 0x10, 0x00,                   /* e: lidt [102000h] */
    0x0f, 0x0b,                                                 /* ud2 */
};

struct world {
    int kvm_fd;
    struct vmm_machine *machine;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    char out[OUT_BYTES];
    unsigned out_count, room, reads; /* `room`: bytes that it still takes */
    unsigned ends, panics;
    enum vmm_machine_end end;
    char text[96];
};

static bool console(void *context, uint8_t byte)
{
    struct world *world = context;
    bool taken;

    (void)pthread_mutex_lock(&world->mutex);
    taken = world->room > 0;
    if (taken) {
        world->room--;
        world->out[world->out_count++ % OUT_BYTES] = (char)byte;
    }
    (void)pthread_cond_broadcast(&world->changed);
    (void)pthread_mutex_unlock(&world->mutex);
    return taken;
}

static void console_read(void *context)
{
    struct world *world = context;

    (void)pthread_mutex_lock(&world->mutex);
    world->reads++;
    (void)pthread_cond_broadcast(&world->changed);
    (void)pthread_mutex_unlock(&world->mutex);
}

static void ended(void *context, enum vmm_machine_end end, const char *text)
{
    struct world *world = context;

    (void)pthread_mutex_lock(&world->mutex);
    world->ends++;
    world->end = end;
    (void)snprintf(world->text, sizeof(world->text), "%s", text);
    (void)pthread_cond_broadcast(&world->changed);
    (void)pthread_mutex_unlock(&world->mutex);
}

static void panicked(void *context)
{
    struct world *world = context;

    (void)pthread_mutex_lock(&world->mutex);
    world->panics++;
    (void)pthread_cond_broadcast(&world->changed);
    (void)pthread_mutex_unlock(&world->mutex);
}

static bool have_kvm(void)
{
    if (access("/dev/kvm", R_OK | W_OK) == 0)
        return true;
    unit_skip("no /dev/kvm that may be opened");
    return false;
}

static int make(struct world *world, unsigned cpus, struct hw_error *error)
{
    const struct vmm_machine_config config = { .memory_bytes = BYTES, .cpus = cpus };
    const struct vmm_machine_callbacks callbacks = { console, console_read, ended, panicked,
                                                     world };

    return vmm_machine_new(world->kvm_fd, &config, &callbacks, &world->machine, error);
}

static void begin(struct world *world, unsigned cpus)
{
    memset(world, 0, sizeof(*world));
    world->room = UINT32_MAX;
    (void)pthread_mutex_init(&world->mutex, NULL);
    (void)pthread_cond_init(&world->changed, NULL);
    world->kvm_fd = vmm_kvm_open(NULL);
    CU_ASSERT_EQUAL_FATAL(make(world, cpus, NULL), 0);
}

static void end(struct world *world)
{
    vmm_machine_free(world->machine);
    close(world->kvm_fd);
    (void)pthread_cond_destroy(&world->changed);
    (void)pthread_mutex_destroy(&world->mutex);
}

static int boot(struct world *world, struct hw_error *error)
{
    uint8_t image[ELF_IMAGE_BYTES];
    const struct vmm_pvh_boot boot = {
        .name = "echo", .kernel = image, .kernel_bytes = sizeof(image), .command = ""
    };

    elf_image(image, true, echo, sizeof(echo));
    return vmm_machine_boot_pvh(world->machine, &boot, error);
}

static void wait_out(struct world *world, unsigned count)
{
    (void)pthread_mutex_lock(&world->mutex);
    while (world->out_count < count && world->ends == 0)
        (void)pthread_cond_wait(&world->changed, &world->mutex);
    (void)pthread_mutex_unlock(&world->mutex);
}

static void say(struct world *world, const char *text)
{
    CU_ASSERT_EQUAL(vmm_machine_console_write(world->machine, (const uint8_t *)text, 1), 1);
}

static void a_kernel_boots_and_talks(void)
{
    struct vmm_machine_counts counts = { 0 };
    const uint8_t *memory;
    struct world world;

    if (!have_kvm())
        return;
    begin(&world, 1);
    CU_ASSERT_EQUAL(boot(&world, NULL), 0);
    memory = vmm_machine_memory(world.machine)->ranges[0].address;
    CU_ASSERT_EQUAL(memcmp(memory + 0xf0000, "RSD PTR ", 8), 0);
    CU_ASSERT_EQUAL(memcmp(memory + 0x6000 + 32, "\0\0\x0f\0\0\0\0\0", 8), 0); /* start info */
    vmm_machine_run(world.machine);
    wait_out(&world, 1);
    say(&world, "h");
    wait_out(&world, 2);
    say(&world, "i");
    wait_out(&world, 3);
    CU_ASSERT_STRING_EQUAL(world.out, "Ahi");
    CU_ASSERT_TRUE(world.reads >= 2);
    vmm_machine_count(world.machine, &counts);
    CU_ASSERT_TRUE(counts.exits[0][VMM_EXIT_PORT] >= 5); /* three bytes out, two in */
    CU_ASSERT_EQUAL(counts.exits[0][VMM_EXIT_MMIO], 0);
    CU_ASSERT_TRUE(counts.cpu_ns[0] > 0);
    CU_ASSERT_EQUAL(counts.cpu_ns[1], 0);
    CU_ASSERT_EQUAL(world.ends, 0);
    say(&world, "!");
    wait_out(&world, 4);
    CU_ASSERT_EQUAL(world.ends, 1);
    CU_ASSERT_EQUAL(world.end, VMM_MACHINE_RESET);
    CU_ASSERT_STRING_EQUAL(world.text, "triple fault");
    vmm_machine_pause(world.machine);
    vmm_machine_run(world.machine); /* what has ended stays so */
    CU_ASSERT_EQUAL(world.ends, 1);
    end(&world);
}

/* Nobody takes its bytes: it waits, nothing is lost. */
static void its_console_is_full(void)
{
    struct world world;

    if (!have_kvm())
        return;
    begin(&world, 1);
    world.room = 0;
    CU_ASSERT_EQUAL(boot(&world, NULL), 0);
    vmm_machine_run(world.machine);
    say(&world, "x");
    vmm_machine_pause(world.machine);
    CU_ASSERT_EQUAL(world.out_count, 0);
    world.room = 100;
    vmm_machine_run(world.machine); /* looks again */
    wait_out(&world, 1);
    vmm_machine_has_room(world.machine);
    CU_ASSERT_EQUAL(world.out[0], 'A');
    end(&world);
}

static void move(struct world *from, struct world *to, uint8_t *state)
{
    struct hw_error error = { 0 };
    size_t bytes = 0;

    vmm_machine_pause(from->machine);
    CU_ASSERT_EQUAL(vmm_machine_save(from->machine, state, STATE_BYTES, &bytes, &error), 0);
    memcpy(vmm_machine_memory(to->machine)->ranges[0].address,
           vmm_machine_memory(from->machine)->ranges[0].address, BYTES);
    CU_ASSERT_EQUAL(vmm_machine_load(to->machine, state, bytes, &error), 0);
    CU_ASSERT_STRING_EQUAL(error.reason, "");
}

/* Twenty times from machine to machine, with a byte on the way in its serial port each time. */
static void it_moves(void)
{
    struct world worlds[2];
    uint8_t *state = calloc(1, STATE_BYTES);

    if (!have_kvm()) {
        free(state);
        return;
    }
    begin(&worlds[0], 1);
    CU_ASSERT_EQUAL(boot(&worlds[0], NULL), 0);
    vmm_machine_run(worlds[0].machine);
    wait_out(&worlds[0], 1);
    for (unsigned i = 0; i < 20; i++) {
        struct world *from = &worlds[i % 2], *to = &worlds[(i + 1) % 2];
        const char letter[] = { (char)('a' + i), '\0' };

        vmm_machine_pause(from->machine);
        CU_ASSERT_EQUAL(from->out_count, 1);
        say(from, letter);
        begin(to, 1);
        move(from, to, state);
        CU_ASSERT_EQUAL(from->out_count, 1); /* the old one says nothing any more */
        end(from);
        vmm_machine_run(to->machine);
        wait_out(to, 1);
        CU_ASSERT_EQUAL(to->out[0], letter[0]);
        CU_ASSERT_EQUAL(to->ends, 0);
    }
    end(&worlds[0]);
    free(state);
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

    if (!have_kvm()) {
        free(copy);
        free(state);
        return;
    }
    begin(&one, 1);
    begin(&two, 2);
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
    end(&two);
    end(&one);
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

    if (!have_kvm())
        return;
    begin(&world, 1);
    CU_ASSERT_EQUAL(vmm_machine_boot_pvh(world.machine, &boot, &error), -ENOEXEC);
    CU_ASSERT_STRING_EQUAL(error.object, "notes.txt");
    hw_error_clear(&error);
    CU_ASSERT_EQUAL(vmm_machine_new(world.kvm_fd, &config, NULL, &machine, &error), -EINVAL);
    CU_ASSERT_STRING_EQUAL(error.object, "--cpus");
    vmm_machine_free(NULL);
    end(&world);
}

static void without_memory(void)
{
    struct world world = { .room = 0 };

    if (!have_kvm())
        return;
    world.kvm_fd = vmm_kvm_open(NULL);
    for (unsigned n = 0;; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = make(&world, 2, NULL);
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
