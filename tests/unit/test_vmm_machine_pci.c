/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_machine_pci, vmm-core/run/vmm_machine_virtio: a guest of some instructions waits
 * for the power button, is moved meanwhile, and switches itself off; one finds the entropy device.
 * Skipped where there is no /dev/kvm.
 */
#include <config.h>

#include "vmm-core/run/vmm_machine.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/elf_image.h"
#include "tests/unit/machine_move.h"
#include "tests/unit/unit.h"
#include "vmm-core/kvm/vmm_kvm.h"

enum { BYTES = 16 << 20, STATE_BYTES = 65536 };

/* At its entry: lets power button and timer interrupt it, writes 'A', and switches itself off when
 * the button is pressed; what the timer tells is taken note of. */
static const uint8_t waits[] = {
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x66, 0xba, 0x02, 0x06, /* mov dx,602h */
    0x66, 0xb8, 0x01, 0x01, 0x66, 0xef,                         /* mov ax,101h; out dx,ax */
    0x66, 0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee,                   /* mov dx,3f8h; mov al,'A'; out */
    0x66, 0xba, 0x00, 0x06, 0x66, 0xed,                         /* mov dx,600h; l: in ax,dx */
    0xf6, 0xc4, 0x01, 0x75, 0x04,                               /* test ah,1; jnz e */
    0x66, 0xef, 0xeb, 0xf5,                                     /* out dx,ax; jmp l */
    0x66, 0xba, 0x04, 0x06, 0x66, 0xb8, 0x00, 0x20,             /* e: mov dx,604h; mov ax,2000h */
    0x66, 0xef, 0xf4,                                           /* out dx,ax; hlt */
};

/* At its entry: writes 'A' if the entropy device is there, and switches itself off. */
static const uint8_t finds[] = {
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xba, 0xf8, 0x0c, 0x00, /* mov edx,0cf8h */
    0x00, 0xb8, 0x00, 0xf0, 0x00, 0x80, 0xef,                   /* mov eax,8000f000h; out */
    0xba, 0xfc, 0x0c, 0x00, 0x00, 0xed,                         /* mov edx,0cfch; in eax,dx */
    0x3d, 0xf4, 0x1a, 0x44, 0x10, 0x75, 0x08,                   /* cmp eax,10441af4h; jne e */
    0xba, 0xf8, 0x03, 0x00, 0x00, 0xb0, 0x41, 0xee,             /* mov edx,3f8h; mov al,'A'; out */
    0xba, 0x04, 0x06, 0x00, 0x00, 0x66, 0xb8, 0x00, 0x20,       /* e: mov edx,604h; mov ax,2000h */
    0x66, 0xef, 0xf4,                                           /* out dx,ax; hlt */
};

struct world {
    struct vmm_machine *machine;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned bytes, ends;
    enum vmm_machine_end end;
    const char *text;
};

static bool console(void *context, uint8_t byte)
{
    struct world *world = context;

    (void)pthread_mutex_lock(&world->mutex);
    world->bytes += byte == 'A';
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

    (void)pthread_mutex_lock(&world->mutex);
    world->ends++;
    world->end = end;
    world->text = text; /* a constant, when the guest did it */
    (void)pthread_cond_broadcast(&world->changed);
    (void)pthread_mutex_unlock(&world->mutex);
}

static void panicked(void *context)
{
    (void)context;
}

static void begin(struct world *world, int kvm_fd)
{
    const struct vmm_machine_config config = { .memory_bytes = BYTES, .cpus = 1 };
    const struct vmm_machine_callbacks callbacks = { console, console_read, ended, panicked,
                                                     world };

    memset(world, 0, sizeof(*world));
    (void)pthread_mutex_init(&world->mutex, NULL);
    (void)pthread_cond_init(&world->changed, NULL);
    CU_ASSERT_EQUAL_FATAL(vmm_machine_new(kvm_fd, &config, &callbacks, &world->machine, NULL), 0);
}

static void end(struct world *world)
{
    vmm_machine_free(world->machine);
    (void)pthread_cond_destroy(&world->changed);
    (void)pthread_mutex_destroy(&world->mutex);
}

static void boot(struct world *world, const uint8_t *code, size_t bytes)
{
    uint8_t image[ELF_IMAGE_BYTES];
    const struct vmm_pvh_boot boot = {
        .name = "code", .kernel = image, .kernel_bytes = sizeof(image), .command = ""
    };

    elf_image(image, true, code, bytes);
    CU_ASSERT_EQUAL(vmm_machine_boot_pvh(world->machine, &boot, NULL), 0);
    vmm_machine_run(world->machine);
}

/* Until it has written so many bytes, or ended. */
static void wait_for(struct world *world, unsigned bytes)
{
    (void)pthread_mutex_lock(&world->mutex);
    while (world->bytes < bytes && world->ends == 0)
        (void)pthread_cond_wait(&world->changed, &world->mutex);
    (void)pthread_mutex_unlock(&world->mutex);
}

/* Its timer is on where it goes, too: the alarm goes off there. */
static void its_button_is_pressed(void)
{
    struct world from, to;
    struct pollfd alarm = { .events = POLLIN };
    int kvm_fd;

    if (access("/dev/kvm", R_OK | W_OK) != 0) {
        unit_skip("no /dev/kvm that may be opened");
        return;
    }
    kvm_fd = vmm_kvm_open(NULL);
    begin(&from, kvm_fd);
    begin(&to, kvm_fd);
    boot(&from, waits, sizeof(waits));
    wait_for(&from, 1);
    CU_ASSERT_EQUAL(from.ends, 0);
    machine_move(from.machine, to.machine, STATE_BYTES);
    end(&from);
    alarm.fd = vmm_machine_alarm_fd(to.machine);
    CU_ASSERT_EQUAL(poll(&alarm, 1, 60000), 1); /* 2.3 seconds after it was switched on */
    vmm_machine_alarm(to.machine);
    vmm_machine_run(to.machine);
    CU_ASSERT_EQUAL(to.ends, 0);
    vmm_machine_power_button(to.machine);
    wait_for(&to, 1);
    CU_ASSERT_EQUAL(to.ends, 1);
    CU_ASSERT_EQUAL(to.end, VMM_MACHINE_POWER_OFF);
    CU_ASSERT_STRING_EQUAL(to.text, "by ACPI");
    end(&to);
    close(kvm_fd);
}

static void it_has_entropy(void)
{
    struct world world;
    int kvm_fd;

    if (access("/dev/kvm", R_OK | W_OK) != 0) {
        unit_skip("no /dev/kvm that may be opened");
        return;
    }
    kvm_fd = vmm_kvm_open(NULL);
    begin(&world, kvm_fd);
    boot(&world, finds, sizeof(finds));
    wait_for(&world, 2);
    CU_ASSERT_EQUAL(world.bytes, 1);
    CU_ASSERT_EQUAL(world.end, VMM_MACHINE_POWER_OFF);
    end(&world);
    close(kvm_fd);
}

const struct unit_case unit_cases[] = {
    { "its power button is pressed, it switches itself off", its_button_is_pressed },
    { "it has an entropy device", it_has_entropy },
    { 0 },
};
