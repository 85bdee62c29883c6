/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_machine_boot, vmm-core/run/vmm_machine_firmware, vmm-core/kvm/vmm_vcpu_begin: a
 * bzImage of some instructions is entered in 64 bits, and finds what it is told; firmware of some
 * more sees ROM and memory as it switches them, and moves. Skipped where there is no /dev/kvm.
 */
#include <config.h>

#include "vmm-core/run/vmm_machine.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/bzimage_image.h"
#include "tests/unit/fail_alloc.h"
#include "tests/unit/machine_move.h"
#include "tests/unit/unit.h"
#include "vmm-core/kvm/vmm_kvm.h"

enum { BYTES = 16 << 20, OUT_BYTES = 16, IMAGE_BYTES = 128 << 10, STATE_BYTES = 512 << 10 };

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

/* At F0000h. Shows the byte at E0000h as it is in the ROM; after it wrote there; after it wrote
 * there with PAM5 set to write; with it set to read; after it wrote there; with both; after it
 * wrote there. Shows the byte at C0000h, and 'E'. When it is sent a byte it shows the one at
 * E0000h, and once more as it is in the ROM. */
static const uint8_t switches[] = {
    0xb8, 0x00, 0xe0, 0x8e, 0xc0,                   /* mov ax,0e000h; mov es,ax */
    0xb8, 0x00, 0xc0, 0x8e, 0xd8,                   /* mov ax,0c000h; mov ds,ax */
    0xbb, 0xf8, 0x03, 0xb0, 0x41, 0xe8, 0x64, 0x00, /* mov bx,3f8h; mov al,'A'; call put */
    0xe8, 0x5d, 0x00,                               /* call show */
    0x26, 0xc6, 0x06, 0x00, 0x00, 0x78,             /* mov byte es:[0],'x' */
    0xe8, 0x54, 0x00, 0xb0, 0x02, 0xe8, 0x57, 0x00, /* call show; mov al,2; call pam */
    0x26, 0xc6, 0x06, 0x00, 0x00, 0x77,             /* mov byte es:[0],'w' */
    0xe8, 0x46, 0x00, 0xb0, 0x01, 0xe8, 0x49, 0x00, /* call show; mov al,1; call pam */
    0xe8, 0x3e, 0x00,                               /* call show */
    0x26, 0xc6, 0x06, 0x00, 0x00, 0x79,             /* mov byte es:[0],'y' */
    0xe8, 0x35, 0x00, 0xb0, 0x03, 0xe8, 0x38, 0x00, /* call show; mov al,3; call pam */
    0xe8, 0x2d, 0x00,                               /* call show */
    0x26, 0xc6, 0x06, 0x00, 0x00, 0x7a,             /* mov byte es:[0],'z' */
    0xe8, 0x24, 0x00,                               /* call show */
    0xa0, 0x00, 0x00, 0xe8, 0x22, 0x00,             /* mov al,[0]; call put */
    0xb0, 0x45, 0xe8, 0x1d, 0x00,                   /* mov al,'E'; call put */
    0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xf8, /* l: mov dx,3fdh; in; test al,1; jz l */
    0x89, 0xda, 0xec,                               /* mov dx,bx; in al,dx */
    0xe8, 0x0b, 0x00, 0xb0, 0x00, 0xe8, 0x0e, 0x00, /* call show; mov al,0; call pam */
    0xe8, 0x03, 0x00, 0xf4, 0xeb, 0xfd,             /* call show; h: hlt; jmp h */
    0x26, 0xa0, 0x00, 0x00,                         /* show: mov al,es:[0] */
    0x89, 0xda, 0xee, 0xc3,                         /* put: mov dx,bx; out dx,al; ret */
    0x88, 0xc1, 0x66, 0xb8, 0x5c, 0x00, 0x00, 0x80, /* pam: mov cl,al; mov eax,8000005ch */
    0xba, 0xf8, 0x0c, 0x66, 0xef,                   /* mov dx,0cf8h; out dx,eax */
    0xba, 0xfe, 0x0c, 0x88, 0xc8, 0xee, 0xc3,       /* mov dx,0cfeh; mov al,cl; out dx,al; ret */
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

static int make(struct world *world, const struct vmm_machine_firmware *firmware)
{
    const struct vmm_machine_config config = { .memory_bytes = BYTES,
                                               .cpus = 1,
                                               .firmware = firmware };
    const struct vmm_machine_callbacks callbacks = { console, console_read, ended, panicked,
                                                     world };

    return vmm_machine_new(world->kvm_fd, &config, &callbacks, &world->machine, NULL);
}

static void begin(struct world *world, const struct vmm_machine_firmware *firmware)
{
    memset(world, 0, sizeof(*world));
    (void)pthread_mutex_init(&world->mutex, NULL);
    (void)pthread_cond_init(&world->changed, NULL);
    world->kvm_fd = vmm_kvm_open(NULL);
    CU_ASSERT_EQUAL_FATAL(make(world, firmware), 0);
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

static bool have_kvm(void)
{
    if (access("/dev/kvm", R_OK | W_OK) == 0)
        return true;
    unit_skip("no /dev/kvm that may be opened");
    return false;
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

    if (!have_kvm())
        return;
    bzimage_image(image, says, sizeof(says));
    begin(&world, NULL);
    CU_ASSERT_EQUAL(vmm_machine_boot_pvh(world.machine, &boot, NULL), 0);
    vmm_machine_run(world.machine);
    wait_out(&world, 5);
    CU_ASSERT_EQUAL(memcmp(world.out, "crR\x10\x03", 5), 0);
    CU_ASSERT_EQUAL(world.ends, 0);
    end(&world);
}

/* Firmware of 128 KiB, of which `first` is seen at E0000h. */
static uint8_t *image_of(char first)
{
    static const uint8_t jump[] = { 0xea, 0x00, 0x00, 0x00, 0xf0 };
    uint8_t *image = calloc(1, IMAGE_BYTES);

    image[0] = (uint8_t)first;
    memcpy(image + IMAGE_BYTES / 2, switches, sizeof(switches));
    memcpy(image + IMAGE_BYTES - 16, jump, sizeof(jump));
    return image;
}

/* The other machine has firmware of its own, which the guest never sees. */
static void firmware_sees_what_it_switches(void)
{
    struct vmm_machine_firmware firmware = { .image = image_of('r'), .bytes = IMAGE_BYTES };
    struct vmm_machine_firmware other = { .image = image_of('o'), .bytes = IMAGE_BYTES };
    struct world from, to;

    if (have_kvm()) {
        begin(&from, &firmware);
        begin(&to, &other);
        vmm_machine_run(from.machine);
        wait_out(&from, 10);
        CU_ASSERT_EQUAL(memcmp(from.out,
                               "Arrrwwwz\xff"
                               "E",
                               10),
                        0);
        CU_ASSERT_EQUAL(vmm_machine_memory(from.machine)->ranges[0].address[0xe0000], 'z');
        machine_move(from.machine, to.machine, STATE_BYTES);
        CU_ASSERT_EQUAL(vmm_machine_console_write(to.machine, (const uint8_t *)"!", 1), 1);
        vmm_machine_run(to.machine);
        wait_out(&to, 2);
        CU_ASSERT_EQUAL(memcmp(to.out, "zr", 2), 0);
        CU_ASSERT_EQUAL(from.ends + to.ends, 0);
        end(&to);
        end(&from);
    }
    free((void *)(uintptr_t)firmware.image);
    free((void *)(uintptr_t)other.image);
}

/* Nor does a guest of firmware's go on in a machine without. */
static void what_has_firmware_wants_it(void)
{
    struct vmm_machine_firmware firmware = { .image = image_of('r'), .bytes = IMAGE_BYTES };
    uint8_t *state = calloc(1, STATE_BYTES);
    struct hw_error error = { 0 };
    struct world from, to;
    size_t bytes = 0;

    if (have_kvm()) {
        begin(&from, &firmware);
        begin(&to, NULL);
        CU_ASSERT_EQUAL(vmm_machine_save(from.machine, state, STATE_BYTES, &bytes, NULL), 0);
        CU_ASSERT_TRUE(vmm_machine_load(to.machine, state, bytes, &error) < 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.remedy, "the machine that it was saved from"));
        end(&to);
        end(&from);
    }
    free(state);
    free((void *)(uintptr_t)firmware.image);
}

/* Nor is it half made, when memory runs out or the image is none. */
static void firmware_without_memory(void)
{
    struct vmm_machine_firmware firmware = { .image = image_of('r'), .bytes = IMAGE_BYTES };
    struct world world = { .kvm_fd = have_kvm() ? vmm_kvm_open(NULL) : -1 };
    bool failed = true;

    for (unsigned n = 0; world.kvm_fd >= 0 && failed; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = make(&world, &firmware);
        failed = fail_alloc_disarm();
        CU_ASSERT_EQUAL(rc, failed ? -ENOMEM : 0);
    }
    if (world.kvm_fd >= 0) {
        vmm_machine_free(world.machine);
        firmware.bytes--;
        CU_ASSERT_EQUAL(make(&world, &firmware), -EINVAL);
        close(world.kvm_fd);
    }
    free((void *)(uintptr_t)firmware.image);
}

const struct unit_case unit_cases[] = {
    { "firmware sees what it switches, and moves", firmware_sees_what_it_switches },
    { "what has firmware wants it", what_has_firmware_wants_it },
    { "firmware without memory", firmware_without_memory },
    { "a bzImage boots in 64 bits", a_bzimage_boots },
    { 0 },
};
