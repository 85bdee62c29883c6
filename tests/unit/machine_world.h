/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole machine of 16 MiB for tests, with a kernel of some instructions, and what it says.
 */
#ifndef MACHINE_WORLD_H
#define MACHINE_WORLD_H

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/elf_image.h"
#include "tests/unit/unit.h"
#include "vmm-core/kvm/vmm_kvm.h"
#include "vmm-core/run/vmm_machine.h"

enum { BYTES = 16 << 20, OUT_BYTES = 256 };

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

static inline bool world_console(void *context, uint8_t byte)
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

static inline void world_console_read(void *context)
{
    struct world *world = context;

    (void)pthread_mutex_lock(&world->mutex);
    world->reads++;
    (void)pthread_cond_broadcast(&world->changed);
    (void)pthread_mutex_unlock(&world->mutex);
}

static inline void world_ended(void *context, enum vmm_machine_end end, const char *text)
{
    struct world *world = context;

    (void)pthread_mutex_lock(&world->mutex);
    world->ends++;
    world->end = end;
    (void)snprintf(world->text, sizeof(world->text), "%s", text);
    (void)pthread_cond_broadcast(&world->changed);
    (void)pthread_mutex_unlock(&world->mutex);
}

static inline void world_panicked(void *context)
{
    struct world *world = context;

    (void)pthread_mutex_lock(&world->mutex);
    world->panics++;
    (void)pthread_cond_broadcast(&world->changed);
    (void)pthread_mutex_unlock(&world->mutex);
}

static inline bool world_possible(void)
{
    if (access("/dev/kvm", R_OK | W_OK) == 0)
        return true;
    unit_skip("no /dev/kvm that may be opened");
    return false;
}

static inline int world_make(struct world *world, unsigned cpus, struct hw_error *error)
{
    const struct vmm_machine_config config = { .memory_bytes = BYTES, .cpus = cpus };
    const struct vmm_machine_callbacks callbacks = { world_console, world_console_read, world_ended,
                                                     world_panicked, world };

    return vmm_machine_new(world->kvm_fd, &config, &callbacks, &world->machine, error);
}

static inline void world_begin(struct world *world, unsigned cpus)
{
    memset(world, 0, sizeof(*world));
    world->room = UINT32_MAX;
    (void)pthread_mutex_init(&world->mutex, NULL);
    (void)pthread_cond_init(&world->changed, NULL);
    world->kvm_fd = vmm_kvm_open(NULL);
    CU_ASSERT_EQUAL_FATAL(world_make(world, cpus, NULL), 0);
}

static inline void world_end(struct world *world)
{
    vmm_machine_free(world->machine);
    close(world->kvm_fd);
    (void)pthread_cond_destroy(&world->changed);
    (void)pthread_mutex_destroy(&world->mutex);
}

static inline int world_boot_code(struct world *world, const uint8_t *code, size_t bytes,
                                  struct hw_error *error)
{
    uint8_t image[ELF_IMAGE_BYTES];
    const struct vmm_pvh_boot boot = {
        .name = "echo", .kernel = image, .kernel_bytes = sizeof(image), .command = ""
    };

    elf_image(image, true, code, bytes);
    return vmm_machine_boot_pvh(world->machine, &boot, error);
}

static inline int world_boot(struct world *world, struct hw_error *error)
{
    return world_boot_code(world, echo, sizeof(echo), error);
}

static inline void world_wait(struct world *world, unsigned count)
{
    (void)pthread_mutex_lock(&world->mutex);
    while (world->out_count < count && world->ends == 0)
        (void)pthread_cond_wait(&world->changed, &world->mutex);
    (void)pthread_mutex_unlock(&world->mutex);
}

static inline void world_say(struct world *world, const char *text)
{
    CU_ASSERT_EQUAL(vmm_machine_console_write(world->machine, (const uint8_t *)text, 1), 1);
}

#endif
