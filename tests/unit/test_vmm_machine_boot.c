/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_machine_boot, vmm-core/kvm/vmm_vcpu_begin: a bzImage of some instructions is
 * entered in 64 bits, and finds what it is told. Skipped where there is no /dev/kvm.
 */
#include <config.h>

#include "vmm-core/run/vmm_machine.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/bzimage_image.h"
#include "tests/unit/unit.h"
#include "vmm-core/kvm/vmm_kvm.h"

enum { BYTES = 16 << 20, OUT_BYTES = 16 };

/* Writes the first byte of its command line and of its ramdisk, its code selector, the first byte
 * of what the table of ACPI's pointers points to, and loads its data selector anew. */
static const uint8_t says[] = {
    0x66, 0xba, 0xf8, 0x03,                               /* mov dx,3f8h */
    0x8b, 0x86, 0x28, 0x02, 0x00, 0x00, 0x8a, 0x00, 0xee, /* mov eax,[rsi+228h]; al,[rax]; out */
    0x8b, 0x86, 0x18, 0x02, 0x00, 0x00, 0x8a, 0x00, 0xee, /* mov eax,[rsi+218h]; al,[rax]; out */
    0x8b, 0x46, 0x70, 0x8a, 0x00, 0xee,                   /* mov eax,[rsi+70h]; al,[rax]; out */
    0x8c, 0xc8, 0xee,                                     /* mov eax,cs; out */
    0xb8, 0x18, 0x00, 0x00, 0x00, 0x8e, 0xd8,             /* mov eax,18h; mov ds,eax */
    0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff,             /* mov rax,-1 */
    0x48, 0xc1, 0xe8, 0x3e, 0xee,                         /* shr rax,62; out: 3 */
    0xf4,                                                 /* hlt */
};

struct world {
    int kvm_fd;
    struct vmm_machine *machine;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    uint8_t out[OUT_BYTES];
    unsigned count, ends;
};

static bool console(void *context, uint8_t byte)
{
    struct world *world = context;

    (void)pthread_mutex_lock(&world->mutex);
    world->out[world->count++ % OUT_BYTES] = byte;
    (void)pthread_cond_broadcast(&world->changed);
    (void)pthread_mutex_unlock(&world->mutex);
    return true;
}

static void console_read(void *context)
{
    (void)context;
}

static void ended(void *context, enum vmm_machine_end end, const char *text)
{
    struct world *world = context;

    (void)end;
    (void)text;
    (void)pthread_mutex_lock(&world->mutex);
    world->ends++;
    (void)pthread_cond_broadcast(&world->changed);
    (void)pthread_mutex_unlock(&world->mutex);
}

static void panicked(void *context)
{
    (void)context;
}

static void begin(struct world *world)
{
    const struct vmm_machine_config config = { .memory_bytes = BYTES, .cpus = 1 };
    const struct vmm_machine_callbacks callbacks = { console, console_read, ended, panicked,
                                                     world };

    memset(world, 0, sizeof(*world));
    (void)pthread_mutex_init(&world->mutex, NULL);
    (void)pthread_cond_init(&world->changed, NULL);
    world->kvm_fd = vmm_kvm_open(NULL);
    CU_ASSERT_EQUAL_FATAL(
        vmm_machine_new(world->kvm_fd, &config, &callbacks, &world->machine, NULL), 0);
}

static void end(struct world *world)
{
    vmm_machine_free(world->machine);
    close(world->kvm_fd);
    (void)pthread_cond_destroy(&world->changed);
    (void)pthread_mutex_destroy(&world->mutex);
}

static void wait_out(struct world *world, unsigned count)
{
    (void)pthread_mutex_lock(&world->mutex);
    while (world->count < count && world->ends == 0)
        (void)pthread_cond_wait(&world->changed, &world->mutex);
    (void)pthread_mutex_unlock(&world->mutex);
}

static void a_bzimage_boots(void)
{
    uint8_t image[BZIMAGE_BYTES];
    const struct vmm_pvh_boot boot = { .name = "says",
                                       .kernel = image,
                                       .kernel_bytes = sizeof(image),
                                       .initrd = "ramdisk",
                                       .initrd_bytes = 7,
                                       .command = "console" };
    struct world world;

    if (access("/dev/kvm", R_OK | W_OK) != 0) {
        unit_skip("no /dev/kvm that may be opened");
        return;
    }
    bzimage_image(image, says, sizeof(says));
    begin(&world);
    CU_ASSERT_EQUAL(vmm_machine_boot_pvh(world.machine, &boot, NULL), 0);
    vmm_machine_run(world.machine);
    wait_out(&world, 5);
    CU_ASSERT_EQUAL(memcmp(world.out, "crR\x10\x03", 5), 0);
    CU_ASSERT_EQUAL(world.ends, 0);
    end(&world);
}

const struct unit_case unit_cases[] = {
    { "a bzImage boots in 64 bits", a_bzimage_boots },
    { 0 },
};
