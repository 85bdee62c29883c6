/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/boot/vmm_bzimage, vmm-core/boot/vmm_linux and vmm-core/boot/vmm_boot: what is read of a
 * bzImage, what the kernel finds, and what does not fit.
 */
#include <config.h>

#include "vmm-core/boot/vmm_linux.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/unit/bzimage_image.h"
#include "tests/unit/unit.h"
#include "vmm-core/boot/vmm_bzimage.h"

enum { LOW = 16 << 20 };

static const uint8_t code[] = { 0xf4, 0xeb, 0xfd, 0x90 };
static uint8_t *low;

static void *at(void *context, uint64_t guest_at, uint64_t bytes)
{
    (void)context;
    return guest_at <= LOW && bytes <= LOW - guest_at ? low + guest_at : NULL;
}

static int place(const struct vmm_pvh_boot *boot, uint64_t high_bytes,
                 struct vmm_linux_entry *entry, struct hw_error *error)
{
    const struct vmm_pvh_memory memory = { LOW, high_bytes, at, NULL };

    return vmm_linux_place(boot, &memory, entry, error);
}

static uint64_t le(uint64_t guest_at, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, low + guest_at, bytes);
    return value;
}

static void reads_a_bzimage(void)
{
    uint8_t bytes[BZIMAGE_BYTES + 100];
    struct vmm_bzimage image = { 0 };

    bzimage_image(bytes, code, sizeof(code));
    CU_ASSERT_TRUE(vmm_bzimage_is(bytes, BZIMAGE_BYTES));
    CU_ASSERT_EQUAL(vmm_bzimage_read(bytes, sizeof(bytes), &image), 0);
    CU_ASSERT_PTR_EQUAL(image.header, bytes + 0x1f1);
    CU_ASSERT_EQUAL(image.header_bytes, 0x202 + 0x6a - 0x1f1);
    CU_ASSERT_PTR_EQUAL(image.kernel, bytes + BZIMAGE_SETUP_BYTES);
    CU_ASSERT_EQUAL(image.kernel_bytes, BZIMAGE_KERNEL_BYTES); /* what is behind it is not its */
    CU_ASSERT_EQUAL(image.load_at, BZIMAGE_LOAD_AT);
    CU_ASSERT_EQUAL(image.memory_bytes, BZIMAGE_MEMORY_BYTES);
    CU_ASSERT_EQUAL(image.command_bytes, BZIMAGE_COMMAND_BYTES);
    CU_ASSERT_EQUAL(image.initrd_end, 0x80000000);
    bzimage_put(bytes, 0x200, 2, 0xffeb); /* more header than the boot parameters have room for */
    CU_ASSERT_EQUAL(vmm_bzimage_read(bytes, sizeof(bytes), &image), 0);
    CU_ASSERT_EQUAL(image.header_bytes, 0x290 - 0x1f1);
}

static void without_setup_sectors_there_are_four(void)
{
    uint8_t bytes[5 * 512 + BZIMAGE_KERNEL_BYTES];
    struct vmm_bzimage image = { 0 };

    memset(bytes, 0, sizeof(bytes));
    bzimage_image(bytes, code, sizeof(code));
    bzimage_put(bytes, 0x1f1, 1, 0);
    CU_ASSERT_EQUAL(vmm_bzimage_read(bytes, sizeof(bytes), &image), 0);
    CU_ASSERT_PTR_EQUAL(image.kernel, bytes + 5 * (size_t)512);
    CU_ASSERT_EQUAL(vmm_bzimage_read(bytes, sizeof(bytes) - 1, &image), -EBADMSG);
}

/* With `bytes` at `at` set to `value`. */
static void unreadable(size_t at, unsigned bytes, uint64_t value, int code_wanted)
{
    uint8_t image[BZIMAGE_BYTES];
    struct vmm_bzimage read = { 0 };

    bzimage_image(image, code, sizeof(code));
    bzimage_put(image, at, bytes, value);
    CU_ASSERT_EQUAL(vmm_bzimage_read(image, sizeof(image), &read), -code_wanted);
    CU_ASSERT_PTR_NULL(read.kernel);
}

static void a_bzimage_that_is_none(void)
{
    uint8_t image[BZIMAGE_BYTES];
    struct vmm_bzimage read = { 0 };

    unreadable(0x202, 1, 'h', ENOEXEC);
    unreadable(0x206, 2, 0x20b, EOPNOTSUPP);
    unreadable(0x211, 1, 0, EOPNOTSUPP);    /* a zImage */
    unreadable(0x236, 2, 0xfe, EOPNOTSUPP); /* of 32 bits */
    unreadable(0x201, 1, 0x61, EBADMSG);    /* the header ends before its fields do */
    unreadable(0x1f1, 1, 2, EBADMSG);       /* too much setup code */
    unreadable(0x1f1, 1, 255, EBADMSG);     /* more than there is */
    unreadable(0x1f4, 4, 0xffffffff, EBADMSG);
    unreadable(0x1f4, 4, 0x20, EBADMSG); /* no byte at its entry */
    unreadable(0x258, 8, 0xfffff, EBADMSG);
    unreadable(0x258, 8, UINT64_MAX - 0x1000, EBADMSG);
    unreadable(0x260, 4, BZIMAGE_KERNEL_BYTES - 1, EBADMSG);
    bzimage_image(image, code, sizeof(code));
    for (size_t bytes = 0; bytes < BZIMAGE_BYTES; bytes++)
        CU_ASSERT_EQUAL(vmm_bzimage_read(image, bytes, &read), bytes < 0x206 ? -ENOEXEC : -EBADMSG);
    CU_ASSERT_FALSE(vmm_bzimage_is(image, 0x205));
}

static void finds_its_parameters(const struct vmm_linux_entry *entry)
{
    const uint64_t parameters = entry->parameters;

    CU_ASSERT_EQUAL(entry->ip, BZIMAGE_LOAD_AT + 0x200);
    CU_ASSERT_EQUAL(memcmp(low + entry->ip, code, sizeof(code)), 0);
    CU_ASSERT_EQUAL(memcmp(low + parameters + 0x202, "HdrS", 4), 0);
    CU_ASSERT_EQUAL(le(parameters + 0x1e9, 8), 0); /* before the header: nothing of the file */
    CU_ASSERT_EQUAL(le(parameters + 0x210, 1), 0xff);
    CU_ASSERT_EQUAL(memcmp(low + le(parameters + 0x218, 4), "ramdisk", 7), 0);
    CU_ASSERT_EQUAL(le(parameters + 0x21c, 4), 7);
    CU_ASSERT_STRING_EQUAL((char *)low + le(parameters + 0x228, 4), "console=ttyS0");
    CU_ASSERT_EQUAL(le(parameters + 0x070, 8), 0xe0000);
    CU_ASSERT_EQUAL(le(parameters + 0x1e8, 1), 5);
    CU_ASSERT_EQUAL(le(parameters + 0x2d0 + 3 * 20, 8), 0x100000);
    CU_ASSERT_EQUAL(le(parameters + 0x2d0 + 3 * 20 + 8, 8), LOW - 0x100000);
    CU_ASSERT_EQUAL(le(parameters + 0x2d0 + 3 * 20 + 16, 4), 1);
    CU_ASSERT_EQUAL(le(parameters + 0x2d0 + 4 * 20, 8), 0x100000000);
    CU_ASSERT_EQUAL(le(parameters + 0x2d0 + 4 * 20 + 8, 8), 1 << 20);
}

/* The page that maps `address`, as the processor walks (Intel SDM 3A 4.5). */
static uint64_t walk(const struct vmm_linux_entry *entry, uint64_t address)
{
    uint64_t table = le(entry->page_tables + (address >> 39 & 511) * 8, 8);

    CU_ASSERT_EQUAL(table & 3, 3);
    table = le((table & ~UINT64_C(4095)) + (address >> 30 & 511) * 8, 8);
    CU_ASSERT_EQUAL(table & 3, 3);
    table = le((table & ~UINT64_C(4095)) + (address >> 21 & 511) * 8, 8);
    CU_ASSERT_EQUAL(table & 0x83, 0x83);
    return table & ~UINT64_C(0x1fffff);
}

static void the_kernel_finds_everything(void)
{
    uint8_t image[BZIMAGE_BYTES];
    const struct vmm_pvh_boot boot = { .name = "k",
                                       .kernel = image,
                                       .kernel_bytes = sizeof(image),
                                       .initrd = "ramdisk",
                                       .initrd_bytes = 7,
                                       .command = "console=ttyS0",
                                       .rsdp_at = 0xe0000 };
    struct vmm_linux_entry entry = { 0 };

    low = calloc(1, LOW);
    bzimage_image(image, code, sizeof(code));
    memset(image, 0xee, 0x1f1); /* of the boot sector */
    CU_ASSERT_EQUAL_FATAL(place(&boot, 1 << 20, &entry, NULL), 0);
    finds_its_parameters(&entry);
    CU_ASSERT_EQUAL(walk(&entry, 0), 0);
    CU_ASSERT_EQUAL(walk(&entry, BZIMAGE_LOAD_AT), BZIMAGE_LOAD_AT);
    CU_ASSERT_EQUAL(walk(&entry, 0xffffffff), 0xffe00000);
    CU_ASSERT_EQUAL(le(entry.page_tables + 8, 8), 0);
    CU_ASSERT_EQUAL(le(entry.gdt + 0x10, 8), 0x00af9b000000ffff);
    CU_ASSERT_EQUAL(le(entry.gdt + 0x18, 8), 0x00cf93000000ffff);
    CU_ASSERT_EQUAL(entry.gdt_bytes, 0x20);
    free(low);
}

static void the_ramdisk_lies_where_the_kernel_reaches_it(void)
{
    uint8_t image[BZIMAGE_BYTES];
    struct vmm_pvh_boot boot = { .name = "k",
                                 .kernel = image,
                                 .kernel_bytes = sizeof(image),
                                 .initrd = "ramdisk",
                                 .initrd_bytes = 7,
                                 .command = "" };
    struct vmm_linux_entry entry = { 0 };

    low = calloc(1, LOW);
    bzimage_image(image, code, sizeof(code));
    bzimage_put(image, 0x22c, 4, 0x7fffff);
    CU_ASSERT_EQUAL(place(&boot, 0, &entry, NULL), 0);
    CU_ASSERT_EQUAL(le(entry.parameters + 0x218, 4), 0x7ff000);
    CU_ASSERT_EQUAL(le(entry.parameters + 0x1e8, 1), 4);
    bzimage_put(image, 0x22c, 4, BZIMAGE_LOAD_AT + BZIMAGE_MEMORY_BYTES);
    CU_ASSERT_EQUAL(place(&boot, 0, &entry, NULL),
                    -ENOMEM); /* it would be in the kernel's memory */
    boot.initrd = NULL;
    CU_ASSERT_EQUAL(place(&boot, 0, &entry, NULL), 0);
    CU_ASSERT_EQUAL(le(entry.parameters + 0x218, 8), 0);
    free(low);
}

static void refused(const struct vmm_pvh_boot *boot, int code_wanted, const char *reason)
{
    struct vmm_linux_entry entry = { 0 };
    struct hw_error error = { 0 };

    CU_ASSERT_EQUAL(place(boot, 0, &entry, &error), -code_wanted);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, reason));
    CU_ASSERT_TRUE(error.remedy[0] != '\0');
    CU_ASSERT_EQUAL(entry.ip, 0);
}

static void says_what_does_not_fit(void)
{
    uint8_t image[BZIMAGE_BYTES];
    char command[BZIMAGE_COMMAND_BYTES + 2];
    struct vmm_pvh_boot boot = {
        .name = "k", .kernel = image, .kernel_bytes = sizeof(image), .command = command
    };

    low = calloc(1, LOW);
    bzimage_image(image, code, sizeof(code));
    memset(command, 'x', sizeof(command));
    command[BZIMAGE_COMMAND_BYTES + 1] = '\0';
    refused(&boot, E2BIG, "longer than 255");
    command[BZIMAGE_COMMAND_BYTES] = '\0';
    bzimage_put(image, 0x260, 4, LOW - BZIMAGE_LOAD_AT + 1);
    refused(&boot, ENOMEM, "does not fit");
    bzimage_put(image, 0x236, 2, 0);
    refused(&boot, EOPNOTSUPP, "no entry in 64 bits");
    boot.kernel_bytes = BZIMAGE_SETUP_BYTES;
    bzimage_put(image, 0x236, 2, 1);
    refused(&boot, EBADMSG, "cut short");
    free(low);
}

const struct unit_case unit_cases[] = {
    { "a bzImage is read", reads_a_bzimage },
    { "without a number of setup sectors there are four", without_setup_sectors_there_are_four },
    { "a bzImage that is none", a_bzimage_that_is_none },
    { "the kernel finds everything", the_kernel_finds_everything },
    { "the ramdisk lies where the kernel reaches it",
      the_ramdisk_lies_where_the_kernel_reaches_it },
    { "what does not fit is told", says_what_does_not_fit },
    { 0 },
};
