/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_fwcfg, vmm-core/machine/vmm_fwcfg_items and
 * vmm-core/machine/vmm_fwcfg_platform: items read byte by byte and by transfers into memory, what
 * firmware is told of the machine, and the bounds.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/fwcfg_case.h"
#include "tests/unit/unit.h"

enum { ERROR = 1, READ = 2, SKIP = 4, SELECT = 8, WRITE = 16 };
#define KEY(key) ((uint32_t)(key) << 16 | SELECT)

static void it_signs(void)
{
    begin();
    CU_ASSERT_TRUE(holds(0, "QEMU", 4));
    CU_ASSERT_TRUE(holds(1, "\x03\0\0\0", 4));
    CU_ASSERT_TRUE(holds(0x19, "\0\0\0\0", 4));
    CU_ASSERT_TRUE(holds(0x1234, "", 0));
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0x514, 4), 0x554d4551);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0x518, 4), 0x47464320);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0x51b, 1), 'G');
    choose(0);
    CU_ASSERT_EQUAL(vmm_bus_read(w.bus, VMM_PORTS, 0x510, 1), 0xff);
    CU_ASSERT_EQUAL(next(), 'Q');
    vmm_bus_write(w.bus, VMM_PORTS, 0x511, 1, 'x'); /* goes nowhere */
    vmm_bus_write(w.bus, VMM_PORTS, 0x510, 1, 1);   /* is half a number */
    CU_ASSERT_EQUAL(next(), 'E');
    vmm_dev_reset(&w.dev);
    CU_ASSERT_EQUAL(next(), 'Q');
    end();
}

static void items(void)
{
    static const char lent[] = "a kernel";
    char bytes[] = "copied";

    begin();
    CU_ASSERT_EQUAL(vmm_fwcfg_add(w.fwcfg, 0x0d, bytes, 6), 0);
    memset(bytes, 'x', 6);
    CU_ASSERT_TRUE(holds(0x0d, "copied", 6));
    CU_ASSERT_EQUAL(vmm_fwcfg_lend(w.fwcfg, 0x11, lent, 8), 0);
    CU_ASSERT_TRUE(holds(0x11, lent, 8));
    CU_ASSERT_EQUAL(vmm_fwcfg_add(w.fwcfg, 0x8003, NULL, 0), 0);
    CU_ASSERT_TRUE(holds(0x8003, "", 0));
    CU_ASSERT_EQUAL(vmm_fwcfg_add(w.fwcfg, 0x11, bytes, 1), -EEXIST);
    CU_ASSERT_EQUAL(vmm_fwcfg_lend(w.fwcfg, 0, lent, 1), -EEXIST);
    CU_ASSERT_EQUAL(vmm_fwcfg_add(w.fwcfg, 0x19, bytes, 1), -EINVAL);
    CU_ASSERT_EQUAL(vmm_fwcfg_add(w.fwcfg, 0x20, bytes, 1), -EINVAL);
    CU_ASSERT_EQUAL(vmm_fwcfg_add(w.fwcfg, 0x3f, bytes, 1), -EINVAL);
    CU_ASSERT_EQUAL(vmm_fwcfg_add(w.fwcfg, 0x40, bytes, 1), 0);
    end();
}

static void files(void)
{
    char name[60];
    uint32_t bytes = 0;

    begin();
    CU_ASSERT_EQUAL(vmm_fwcfg_add_file(w.fwcfg, "etc/one", "1", 1), 0);
    CU_ASSERT_EQUAL(vmm_fwcfg_add_file(w.fwcfg, "etc/three", "333", 3), 0);
    CU_ASSERT_EQUAL(find_file("etc/one", &bytes), 0x20);
    CU_ASSERT_EQUAL(find_file("etc/three", &bytes), 0x21);
    CU_ASSERT_EQUAL(bytes, 3);
    CU_ASSERT_TRUE(holds(0x21, "333", 3));
    CU_ASSERT_EQUAL(find_file("etc/two", &bytes), 0);
    CU_ASSERT_EQUAL(vmm_fwcfg_add_file(w.fwcfg, "etc/one", "2", 1), -EEXIST);
    CU_ASSERT_EQUAL(vmm_fwcfg_add_file(w.fwcfg, "", "2", 1), -EINVAL);
    memset(name, 'n', sizeof(name));
    name[56] = '\0';
    CU_ASSERT_EQUAL(vmm_fwcfg_add_file(w.fwcfg, name, "2", 1), -EINVAL);
    name[55] = '\0';
    CU_ASSERT_EQUAL(vmm_fwcfg_add_file(w.fwcfg, name, "2", 1), 0);
    CU_ASSERT_EQUAL(find_file(name, &bytes), 0x22);
    for (unsigned i = 3; i < VMM_FWCFG_FILES; i++) {
        (void)snprintf(name, sizeof(name), "%u", i);
        CU_ASSERT_EQUAL(vmm_fwcfg_add_file(w.fwcfg, name, "x", 1), 0);
    }
    CU_ASSERT_EQUAL(find_file("31", &bytes), 0x3f);
    CU_ASSERT_EQUAL(vmm_fwcfg_add_file(w.fwcfg, "more", "x", 1), -ENOSPC);
    end();
}

static void too_much(void)
{
    static uint8_t zeroes[VMM_FWCFG_KEPT_BYTES];

    begin();
    CU_ASSERT_EQUAL(vmm_fwcfg_add(w.fwcfg, 2, zeroes, sizeof(zeroes)), -ENOSPC);
    CU_ASSERT_EQUAL(vmm_fwcfg_add(w.fwcfg, 2, zeroes, sizeof(zeroes) - 8), 0);
    CU_ASSERT_EQUAL(vmm_fwcfg_add(w.fwcfg, 3, zeroes, 1), -ENOSPC);
    CU_ASSERT_EQUAL(vmm_fwcfg_lend(w.fwcfg, 3, zeroes, sizeof(zeroes)), 0);
    CU_ASSERT_EQUAL(vmm_fwcfg_lend(w.fwcfg, 4, zeroes, (size_t)1 << 32), -ENOSPC);
    for (uint16_t i = 4; i < VMM_FWCFG_ITEMS; i++)
        CU_ASSERT_EQUAL(vmm_fwcfg_add(w.fwcfg, (uint16_t)(0x100 + i), NULL, 0), 0);
    CU_ASSERT_EQUAL(vmm_fwcfg_add(w.fwcfg, 0x99, NULL, 0), -ENOSPC);
    end();
}

/* As SeaBIOS does it. */
static void transfers(void)
{
    begin();
    CU_ASSERT_EQUAL(vmm_fwcfg_add_file(w.fwcfg, "f", "0123456789", 10), 0);
    memset(w.memory + 0x100, 0xee, 32);
    CU_ASSERT_EQUAL(order(KEY(0x20) | READ, 4, 0x100), 0);
    CU_ASSERT_EQUAL(memcmp(w.memory + 0xff,
                           "\0"
                           "0123\xee",
                           6),
                    0);
    CU_ASSERT_EQUAL(order(SKIP, 2, 0), 0);
    CU_ASSERT_EQUAL(order(READ, 6, 0x100), 0);
    CU_ASSERT_EQUAL(memcmp(w.memory + 0x100, "6789\0\0\xee", 7), 0);
    CU_ASSERT_EQUAL(next(), 0);
    CU_ASSERT_EQUAL(order(KEY(0x20), 0, 0), 0); /* chosen and no more */
    CU_ASSERT_EQUAL(next(), '0');
    CU_ASSERT_EQUAL(order(READ, 0, UINT64_MAX), 0); /* nothing, nowhere */
    CU_ASSERT_EQUAL(next(), '1');
    CU_ASSERT_EQUAL(order(KEY(0x77) | READ | SKIP | WRITE, 8, 0x100), 0); /* zeroes */
    CU_ASSERT_EQUAL(memcmp(w.memory + 0x100, "\0\0\0\0\0\0\0\0\xee", 9), 0);
    end();
}

static void orders_that_are_refused(void)
{
    begin();
    CU_ASSERT_EQUAL(vmm_fwcfg_add_file(w.fwcfg, "f", "0123456789", 10), 0);
    CU_ASSERT_EQUAL(order(KEY(0x20) | WRITE, 4, 0x100), ERROR);
    CU_ASSERT_EQUAL(order(KEY(0x20) | READ, 4, MEMORY_BYTES - 3), ERROR);
    CU_ASSERT_EQUAL(order(KEY(0x20) | READ, 4, UINT64_MAX - 1), ERROR);
    CU_ASSERT_EQUAL(order(KEY(0x20) | READ, 10 + (1 << 20), HIGH_AT), 0);
    CU_ASSERT_EQUAL(order(KEY(0x20) | READ, 11 + (1 << 20), HIGH_AT), ERROR);
    CU_ASSERT_EQUAL(order(KEY(0x20) | READ, UINT32_MAX, 0x100), ERROR);
    CU_ASSERT_EQUAL(next(), '0'); /* not moved by what failed */
    CU_ASSERT_EQUAL(order(SKIP, UINT32_MAX, 0), 0);
    CU_ASSERT_EQUAL(order(SKIP, UINT32_MAX, 0), 0);
    CU_ASSERT_EQUAL(next(), 0); /* not around the end */
    CU_ASSERT_EQUAL(next(), 0);
    CU_ASSERT_EQUAL(order(KEY(0x20) | READ, 4, MEMORY_BYTES - 4), 0);
    end();
}

/* The order's address comes in two halves; only whole words of it count. */
static void where_orders_are(void)
{
    static const uint8_t bytes[16] = { 0, 0, 0, READ | SELECT, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 2, 0 };

    begin();
    memcpy(w.memory + 0x1000, bytes, sizeof(bytes));
    vmm_bus_write(w.bus, VMM_PORTS, 0x514, 4, 0x01000000); /* above 4 GiB: nowhere */
    vmm_bus_write(w.bus, VMM_PORTS, 0x518, 4, 0x00100000);
    CU_ASSERT_EQUAL(memcmp(w.memory + 0x1000, bytes, sizeof(bytes)), 0);
    vmm_bus_write(w.bus, VMM_PORTS, 0x519, 1, 0x10);
    vmm_bus_write(w.bus, VMM_PORTS, 0x51a, 2, 0x0010);
    vmm_bus_write(w.bus, VMM_PORTS, 0x516, 4, 0x00100000);
    CU_ASSERT_EQUAL(memcmp(w.memory + 0x1000, bytes, sizeof(bytes)), 0);
    vmm_bus_write(w.bus, VMM_PORTS, 0x518, 4, 0x00100000); /* 1000h, the high half is used up */
    CU_ASSERT_EQUAL(memcmp(w.memory + 0x1000, "\0\0\0\0", 4), 0);
    CU_ASSERT_EQUAL(memcmp(w.memory + 0x200, "QEMU", 4), 0);
    end();
}

static void firmware_is_told_of_the_machine(void)
{
    const struct vmm_fwcfg_platform platform = {
        .low_bytes = 0xc0000000,
        .high_bytes = UINT64_C(0x140000000),
        .cpus = 4,
        .uuid = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
        .boot_menu = true,
        .boot_wait_ms = 0x12345,
        .console_port = 0x3f8,
        .panic_port = 0x505,
    };
    static const char order[] = "/pci@i0cf8/scsi@3/disk@0,0\n";
    static const char map[] = "\0\0\0\0\0\0\0\0\0\0\0\xc0\0\0\0\0\1\0\0\0"
                              "\0\0\0\0\1\0\0\0\0\0\0\x40\1\0\0\0\1\0\0\0";
    uint32_t bytes = 0;

    begin();
    CU_ASSERT_EQUAL(vmm_fwcfg_describe(w.fwcfg, &platform), 0);
    CU_ASSERT_TRUE(holds(2, platform.uuid, 16));
    CU_ASSERT_TRUE(holds(3, "\0\0\0\0\2\0\0\0", 8));
    CU_ASSERT_TRUE(holds(4, "\1\0", 2));
    CU_ASSERT_TRUE(holds(5, "\4\0", 2));
    CU_ASSERT_TRUE(holds(0x0f, "\4\0", 2));
    CU_ASSERT_TRUE(holds(0x0e, "\1\0", 2));
    CU_ASSERT_TRUE(holds(find_file("etc/e820", &bytes), map, 40));
    CU_ASSERT_EQUAL(bytes, 40);
    CU_ASSERT_TRUE(holds(find_file("etc/boot-fail-wait", &bytes), "\x45\x23\1\0", 4));
    CU_ASSERT_EQUAL(bytes, 4);
    CU_ASSERT_EQUAL(vmm_fwcfg_offer_boot_order(w.fwcfg, ""), 0);
    CU_ASSERT_EQUAL(find_file("bootorder", &bytes), 0);
    CU_ASSERT_EQUAL(vmm_fwcfg_offer_boot_order(w.fwcfg, order), 0);
    CU_ASSERT_TRUE(holds(find_file("bootorder", &bytes), order, 28));
    CU_ASSERT_EQUAL(bytes, 28);
    CU_ASSERT_TRUE(holds(find_file("etc/sercon-port", &bytes), "\xf8\x03", 2));
    CU_ASSERT_TRUE(holds(find_file("etc/pvpanic-port", &bytes), "\x05\x05", 2));
    CU_ASSERT_EQUAL(vmm_fwcfg_describe(w.fwcfg, &platform), -EEXIST);
    end();
}

static void a_small_machine(void)
{
    const struct vmm_fwcfg_platform platform = { .low_bytes = 0x1000000, .cpus = 1 };
    uint32_t bytes = 0;

    begin();
    CU_ASSERT_EQUAL(vmm_fwcfg_describe(w.fwcfg, &platform), 0);
    CU_ASSERT_TRUE(
        holds(find_file("etc/e820", &bytes), "\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\1\0\0\0", 20));
    CU_ASSERT_EQUAL(bytes, 20);
    CU_ASSERT_TRUE(holds(0x0e, "\0\0", 2));
    CU_ASSERT_EQUAL(find_file("etc/boot-fail-wait", &bytes), 0);
    CU_ASSERT_EQUAL(find_file("etc/sercon-port", &bytes), 0);
    end();
}

static void a_kernel_to_boot(void)
{
    uint8_t image[4096] = { 0 };
    struct vmm_fwcfg_boot boot = { .kernel = image,
                                   .kernel_bytes = sizeof(image),
                                   .initrd = "initrd",
                                   .initrd_bytes = 6,
                                   .command = "quiet" };

    memcpy(image + 0x202, "HdrS", 4);
    image[0x1f1] = 2;
    image[3 * 512 - 1] = 's';
    image[3 * 512] = 'k';
    begin();
    CU_ASSERT_EQUAL(vmm_fwcfg_lend_boot(w.fwcfg, &boot), 0);
    CU_ASSERT_TRUE(holds(0x17, "\0\6\0\0", 4));
    CU_ASSERT_TRUE(holds(0x18, image, 3 * 512));
    CU_ASSERT_TRUE(holds(0x08, "\0\x0a\0\0", 4));
    CU_ASSERT_TRUE(holds(0x11, image + 3 * 512, 5 * 512));
    CU_ASSERT_TRUE(holds(0x0b, "\6\0\0\0", 4));
    CU_ASSERT_TRUE(holds(0x12, "initrd", 6));
    CU_ASSERT_TRUE(holds(0x14, "\6\0\0\0", 4));
    CU_ASSERT_TRUE(holds(0x15, "quiet", 6));
    end();
    image[0x1f1] = 7; /* nothing is left behind its setup code */
    boot.initrd = NULL;
    begin();
    CU_ASSERT_EQUAL(vmm_fwcfg_lend_boot(w.fwcfg, &boot), 0);
    CU_ASSERT_TRUE(holds(0x11, image, sizeof(image)));
    CU_ASSERT_TRUE(holds(0x17, "", 0));
    CU_ASSERT_TRUE(holds(0x0b, "", 0));
    end();
    image[0x1f1] = 0; /* means four */
    begin();
    CU_ASSERT_EQUAL(vmm_fwcfg_lend_boot(w.fwcfg, &boot), 0);
    CU_ASSERT_TRUE(holds(0x18, image, 5 * 512));
    end();
    boot.kernel_bytes = 0x205; /* too short for any */
    begin();
    CU_ASSERT_EQUAL(vmm_fwcfg_lend_boot(w.fwcfg, &boot), 0);
    CU_ASSERT_TRUE(holds(0x08, "\5\2\0\0", 4));
    end();
}

/* --- without --- */

static int make_all(void)
{
    const struct vmm_fwcfg_platform platform = { .low_bytes = 1 << 24,
                                                 .cpus = 1,
                                                 .boot_wait_ms = 1,
                                                 .console_port = 0x3f8,
                                                 .panic_port = 0x505 };
    const struct vmm_fwcfg_boot boot = {
        .kernel = "k", .kernel_bytes = 1, .initrd = "i", .initrd_bytes = 1, .command = ""
    };
    int rc = make();

    if (rc < 0)
        return rc;
    rc = vmm_fwcfg_describe(w.fwcfg, &platform);
    if (rc == 0)
        rc = vmm_fwcfg_lend_boot(w.fwcfg, &boot);
    if (rc < 0)
        w.dev.ops->fini(w.dev.dev);
    return rc;
}

static void without_memory(void)
{
    const struct vmm_range_ops ops = { 0 };

    w = (struct world) { .bus = vmm_bus_new() };
    CU_ASSERT_TRUE(fail_alloc_each(make_all) > 10);
    end();
    w = (struct world) { .bus = vmm_bus_new() };
    CU_ASSERT_EQUAL(vmm_bus_add(w.bus, VMM_PORTS, 0x51b, 1, &ops, NULL), 0);
    CU_ASSERT_EQUAL(make(), -EEXIST);
    CU_ASSERT_EQUAL(next(), 0xff);
    vmm_bus_free(w.bus);
}

const struct unit_case unit_cases[] = {
    { "it signs", it_signs },
    { "items", items },
    { "files", files },
    { "too much", too_much },
    { "transfers into memory", transfers },
    { "orders that are refused", orders_that_are_refused },
    { "where orders are", where_orders_are },
    { "firmware is told of the machine", firmware_is_told_of_the_machine },
    { "a small machine", a_small_machine },
    { "a kernel to boot", a_kernel_to_boot },
    { "without memory, or ports", without_memory },
    { 0 },
};
