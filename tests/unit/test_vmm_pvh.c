/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/boot/vmm_pvh: what the kernel finds, and what does not fit.
 */
#include <config.h>

#include "vmm-core/boot/vmm_pvh.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/unit/elf_image.h"
#include "tests/unit/unit.h"

enum { LOW = 16 << 20 };

static const uint8_t code[] = { 0xf4, 0xeb, 0xfd, 0x90 };
static uint8_t *low;

static void *at(void *context, uint64_t guest_at, uint64_t bytes)
{
    (void)context;
    return guest_at <= LOW && bytes <= LOW - guest_at ? low + guest_at : NULL;
}

static int place(const struct vmm_pvh_boot *boot, uint64_t high_bytes, struct vmm_pvh_entry *entry,
                 struct hw_error *error)
{
    const struct vmm_pvh_memory memory = { LOW, high_bytes, at, NULL };

    return vmm_pvh_place(boot, &memory, entry, error);
}

static uint64_t le(uint64_t guest_at, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, low + guest_at, bytes);
    return value;
}

static void the_kernel_finds_everything(void)
{
    uint8_t image[ELF_IMAGE_BYTES];
    const struct vmm_pvh_boot boot = { .name = "k",
                                       .kernel = image,
                                       .kernel_bytes = sizeof(image),
                                       .initrd = "ramdisk",
                                       .initrd_bytes = 7,
                                       .command = "console=ttyS0",
                                       .rsdp_at = 0xe0000 };
    struct vmm_pvh_entry entry = { 0 };
    uint64_t module, map, info;

    low = calloc(1, LOW);
    memset(low + ELF_IMAGE_GUEST_AT, 0xee, 64);
    elf_image(image, true, code, sizeof(code));
    CU_ASSERT_EQUAL_FATAL(place(&boot, 1 << 20, &entry, NULL), 0);
    CU_ASSERT_EQUAL(entry.ip, ELF_IMAGE_ENTRY);
    CU_ASSERT_EQUAL(memcmp(low + ELF_IMAGE_GUEST_AT, code, sizeof(code)), 0);
    CU_ASSERT_EQUAL(le(ELF_IMAGE_GUEST_AT + sizeof(code), 4), 0); /* the rest of its memory */
    info = entry.start_info;
    CU_ASSERT_EQUAL(le(info, 4), 0x336ec578);
    CU_ASSERT_EQUAL(le(info + 4, 4), 1);
    CU_ASSERT_EQUAL(le(info + 12, 4), 1);
    module = le(info + 16, 8);
    CU_ASSERT_STRING_EQUAL((char *)low + le(info + 24, 8), "console=ttyS0");
    CU_ASSERT_EQUAL(le(info + 32, 8), 0xe0000);
    CU_ASSERT_EQUAL(memcmp(low + le(module, 8), "ramdisk", 7), 0);
    CU_ASSERT_EQUAL(le(module + 8, 8), 7);
    map = le(info + 40, 8);
    CU_ASSERT_EQUAL(le(info + 48, 4), 5);
    CU_ASSERT_EQUAL(le(map + 3 * 24, 8), 0x100000);
    CU_ASSERT_EQUAL(le(map + 3 * 24 + 8, 8), LOW - 0x100000);
    CU_ASSERT_EQUAL(le(map + 3 * 24 + 16, 4), 1);
    CU_ASSERT_EQUAL(le(map + 4 * 24, 8), 0x100000000);
    CU_ASSERT_EQUAL(le(map + 4 * 24 + 8, 8), 1 << 20);
    free(low);
}

static void without_ramdisk_and_high_memory(void)
{
    uint8_t image[ELF_IMAGE_BYTES];
    const struct vmm_pvh_boot boot = {
        .name = "k", .kernel = image, .kernel_bytes = sizeof(image), .command = ""
    };
    struct vmm_pvh_entry entry = { 0 };

    low = calloc(1, LOW);
    elf_image(image, false, code, sizeof(code));
    CU_ASSERT_EQUAL_FATAL(place(&boot, 0, &entry, NULL), 0);
    CU_ASSERT_EQUAL(le(entry.start_info + 12, 4), 0);
    CU_ASSERT_EQUAL(le(entry.start_info + 16, 8), 0);
    CU_ASSERT_EQUAL(le(entry.start_info + 48, 4), 4);
    free(low);
}

static void refused(const struct vmm_pvh_boot *boot, int code_wanted, const char *reason)
{
    struct vmm_pvh_entry entry = { 0 };
    struct hw_error error = { 0 };

    CU_ASSERT_EQUAL(place(boot, 0, &entry, &error), -code_wanted);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, reason));
    CU_ASSERT_TRUE(error.remedy[0] != '\0');
    CU_ASSERT_EQUAL(entry.ip, 0);
}

static void says_what_does_not_fit(void)
{
    uint8_t image[ELF_IMAGE_BYTES];
    char *command = calloc(1, VMM_PVH_COMMAND_BYTES + 1);
    uint8_t *initrd = calloc(1, LOW);
    struct vmm_pvh_boot boot = {
        .name = "k", .kernel = image, .kernel_bytes = sizeof(image), .command = ""
    };

    low = calloc(1, LOW);
    elf_image(image, true, code, sizeof(code));
    boot.initrd = initrd;
    boot.initrd_bytes = LOW - 4096;
    refused(&boot, ENOMEM, "beside the kernel");
    boot.initrd_bytes = LOW;
    refused(&boot, ENOMEM, "beside the kernel");
    boot.initrd = NULL;
    memset(command, 'x', VMM_PVH_COMMAND_BYTES);
    boot.command = command;
    refused(&boot, E2BIG, "longer than 4095");
    boot.command = "";
    image[64 + 24 + 2] = 0; /* below 1 MiB */
    refused(&boot, EINVAL, "below 1 MiB");
    image[64 + 24 + 3] = 1; /* at 16 MiB, where there is no memory */
    refused(&boot, ENOMEM, "does not fit");
    image[0] = 0;
    refused(&boot, ENOEXEC, "no kernel for x86");
    elf_image(image, true, code, sizeof(code));
    image[ELF_IMAGE_NOTE_AT + 32] = 17;
    refused(&boot, EOPNOTSUPP, "no PVH note");
    boot.kernel_bytes = ELF_IMAGE_CODE_AT + 2;
    refused(&boot, EBADMSG, "cut short");
    boot.kernel_bytes = sizeof(image);
    elf_image(image, true, code, sizeof(code));
    image[54] = 0;
    image[56] = 255;
    refused(&boot, E2BIG, "too many segments");
    free(low);
    free(initrd);
    free(command);
}

const struct unit_case unit_cases[] = {
    { "the kernel finds everything", the_kernel_finds_everything },
    { "without ramdisk and high memory", without_ramdisk_and_high_memory },
    { "what does not fit is told", says_what_does_not_fit },
    { 0 },
};
