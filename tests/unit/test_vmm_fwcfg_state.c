/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/machine/vmm_fwcfg and vmm-core/machine/vmm_fwcfg_items: its state goes to another device
 * with all that is kept, and with what is lent where it is the same; a wrong one is refused.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "tests/unit/fail_alloc.h"
#include "tests/unit/fwcfg_case.h"
#include "tests/unit/unit.h"
#include "vmm-core/machine/vmm_dev_ids.h"

/* Where things lie in the state that fill() makes: the head, and the items of the device's own. */
enum {
    HEAD = 2 + 4 + 4 + 2,
    ITEM = 2 + 56 + 1 + 4,
    FIRST = HEAD,
    SECOND = FIRST + ITEM + 4,
    FILE_ITEM = SECOND + ITEM + 4,
    LENT = FILE_ITEM + ITEM + 7,
    ALL = LENT + ITEM + 8
};

static void fill(const char *kernel)
{
    CU_ASSERT_EQUAL(vmm_fwcfg_add_file(w.fwcfg, "etc/file", "content", 7), 0);
    CU_ASSERT_EQUAL(vmm_fwcfg_lend(w.fwcfg, 0x11, kernel, strlen(kernel)), 0);
}

static void it_comes_back(void)
{
    uint8_t bytes[STATE_BYTES], again[STATE_BYTES];
    uint32_t count = 0;

    begin();
    CU_ASSERT_EQUAL(w.dev.ops->id, VMM_DEV_FWCFG);
    fill("a kernel");
    choose(0x20);
    (void)next();
    vmm_bus_write(w.bus, VMM_PORTS, 0x514, 4, 0x05000000);
    CU_ASSERT_EQUAL(save(bytes), ALL);
    end();

    begin(); /* a newer version, started with other things */
    CU_ASSERT_EQUAL(vmm_fwcfg_add_file(w.fwcfg, "etc/new", "new", 3), 0);
    CU_ASSERT_EQUAL(vmm_fwcfg_add_file(w.fwcfg, "etc/file", "CONTENT", 7), 0);
    CU_ASSERT_EQUAL(vmm_fwcfg_lend(w.fwcfg, 0x11, "a kernel", 8), 0);
    CU_ASSERT_EQUAL(load(bytes, ALL), 0);
    vmm_dev_resume(&w.dev);
    CU_ASSERT_EQUAL(save(again), ALL);
    CU_ASSERT_EQUAL(memcmp(bytes, again, ALL), 0);
    for (const char *rest = "ontent"; *rest != '\0'; rest++)
        CU_ASSERT_EQUAL(next(), *rest);
    CU_ASSERT_EQUAL(find_file("etc/new", &count), 0);
    CU_ASSERT_EQUAL(find_file("etc/file", &count), 0x20);
    CU_ASSERT_TRUE(holds(0x11, "a kernel", 8));
    vmm_bus_write(w.bus, VMM_PORTS, 0x518, 4, 0); /* the high half came along: it is nowhere */
    CU_ASSERT_EQUAL(order(8, 0, 0), 0);
    end();
}

/* Another kernel, or none: zeroes, but the next host may have it again. */
static void what_is_lent_is_not_there(void)
{
    static const char *const kernels[] = { "A kernel", "a kerne", NULL };
    uint8_t bytes[STATE_BYTES], again[STATE_BYTES];

    begin();
    fill("a kernel");
    CU_ASSERT_EQUAL(save(bytes), ALL);
    end();
    for (unsigned i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
        begin();
        if (kernels[i] != NULL)
            fill(kernels[i]);
        CU_ASSERT_EQUAL(load(bytes, ALL), 0);
        CU_ASSERT_TRUE(holds(0x11, "\0\0\0\0\0\0\0\0", 8));
        CU_ASSERT_EQUAL(order(0x0011000a, 8, 0x100), 0);
        vmm_dev_reset(&w.dev);
        CU_ASSERT_EQUAL(save(again), ALL);
        CU_ASSERT_EQUAL(memcmp(bytes, again, ALL), 0);
        end();
    }
    begin();
    fill("a kernel");
    CU_ASSERT_EQUAL(load(again, ALL), 0);
    CU_ASSERT_TRUE(holds(0x11, "a kernel", 8));
    end();
}

/* Whatever is refused, the device is whole and can be ended. */
static void a_wrong_state_is_refused(void)
{
    static const struct {
        unsigned at;
        uint8_t value;
    } wrong[] = {
        { HEAD - 2, 65 },      /* more than there can be */
        { HEAD - 2, 3 },       /* fewer than there are */
        { FIRST, 0x19 },       /* a directory */
        { FIRST, 0x20 },       /* a file's number without a name */
        { FIRST + 2, 'x' },    /* a name without a file's number */
        { FIRST + 58, 2 },     /* lent or not */
        { FIRST + 61, 0x20 },  /* more bytes than follow */
        { SECOND, 0 },         /* twice */
        { FILE_ITEM + 58, 1 }, /* lent: eight bytes, not seven, follow */
    };
    uint8_t bytes[STATE_BYTES], copy[STATE_BYTES];
    uint32_t count = 0;

    begin();
    fill("a kernel");
    CU_ASSERT_EQUAL(save(bytes), ALL);
    for (size_t size = 0; size < ALL; size++)
        CU_ASSERT_EQUAL(load(bytes, size), -EBADMSG);
    CU_ASSERT_EQUAL(load(bytes, ALL + 1), -EBADMSG);
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        memcpy(copy, bytes, ALL);
        copy[wrong[i].at] = wrong[i].value;
        CU_ASSERT_EQUAL(load(copy, ALL), -EBADMSG);
    }
    memcpy(copy, bytes, ALL);
    memset(copy + FILE_ITEM + 2, 'n', 56); /* a name without an end */
    CU_ASSERT_EQUAL(load(copy, ALL), -EBADMSG);
    CU_ASSERT_EQUAL(find_file("etc/file", &count), 0x20);
    end();
}

static void without_memory(void)
{
    uint8_t bytes[STATE_BYTES];

    begin();
    fill("a kernel");
    CU_ASSERT_EQUAL(save(bytes), ALL);
    for (unsigned n = 0;; n++) {
        int rc;

        fail_alloc_arm(n);
        rc = load(bytes, ALL);
        if (!fail_alloc_disarm()) {
            CU_ASSERT_EQUAL(rc, 0);
            CU_ASSERT_EQUAL(n, 3);
            break;
        }
        CU_ASSERT_EQUAL(rc, -EBADMSG);
        CU_ASSERT_TRUE(holds(0x20, "content", 7));
    }
    end();
}

const struct unit_case unit_cases[] = {
    { "it comes back", it_comes_back },
    { "what is lent is not there", what_is_lent_is_not_there },
    { "a wrong state", a_wrong_state_is_refused },
    { "without memory", without_memory },
    { 0 },
};
