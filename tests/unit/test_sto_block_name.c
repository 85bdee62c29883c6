/* SPDX-License-Identifier: GPL-2.0-or-later */
/* by-path names of iSCSI disks. */
#include <config.h>

#include "storage/sto_block_name.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

#define BY_PATH "/dev/disk/by-path/"

static void takes_apart(void)
{
    struct sto_block_name name;

    CU_ASSERT_EQUAL_FATAL(
        sto_block_name_parse(BY_PATH "ip-10.0.0.1:3260-iscsi-iqn.2026-11.lab:san-lun-7", &name), 0);
    CU_ASSERT_STRING_EQUAL(name.portal.host, "10.0.0.1");
    CU_ASSERT_EQUAL(name.portal.port, 3260);
    CU_ASSERT_STRING_EQUAL(name.target, "iqn.2026-11.lab:san");
    CU_ASSERT_EQUAL(name.lun, 7);
}

static void last_mark_counts(void)
{
    struct sto_block_name name;

    CU_ASSERT_EQUAL_FATAL(
        sto_block_name_parse("ip-h:1-iscsi-iqn.2026-11.lab:a-lun-1-iscsi-b-lun-16383", &name), 0);
    CU_ASSERT_STRING_EQUAL(name.target, "iqn.2026-11.lab:a-lun-1-iscsi-b");
    CU_ASSERT_EQUAL(name.lun, 16383);
}

static void ipv6(void)
{
    char text[STO_BLOCK_PORTAL_BYTES];
    struct sto_block_name name;

    CU_ASSERT_EQUAL_FATAL(sto_block_name_parse("ip-fd00::1:3260-iscsi-iqn.a:b-lun-0", &name), 0);
    CU_ASSERT_STRING_EQUAL(name.portal.host, "fd00::1");
    CU_ASSERT_STRING_EQUAL(sto_block_portal_text(&name.portal, text), "[fd00::1]:3260");
    CU_ASSERT_EQUAL_FATAL(sto_block_name_parse("ip-[fd00::1]:3260-iscsi-iqn.a:b-lun-0", &name), 0);
    CU_ASSERT_STRING_EQUAL(name.portal.host, "fd00::1");
    CU_ASSERT_EQUAL_FATAL(sto_block_name_parse("ip-10.0.0.1:3260-iscsi-iqn.a:b-lun-0", &name), 0);
    CU_ASSERT_STRING_EQUAL(sto_block_portal_text(&name.portal, text), "10.0.0.1:3260");
}

static void other_names(void)
{
    static const char *const others[] = {
        "/dev/sda", "", "ip-10.0.0.1", "pci-0000:00:1f.2-ata-1", "/dev/disk/by-id/wwn-0x5000c500",
        "sda/",     "/"
    };
    struct sto_block_name name;

    for (size_t at = 0; at < sizeof(others) / sizeof(others[0]); at++)
        CU_ASSERT_EQUAL(sto_block_name_parse(others[at], &name), -ENOENT);
}

static void malformed(void)
{
    static const char *const wrong[] = {
        "ip--iscsi-iqn.a:b-lun-0",           "ip-10.0.0.1-iscsi-iqn.a:b-lun-0",
        "ip-10.0.0.1:-iscsi-iqn.a:b-lun-0",  "ip-10.0.0.1:0-iscsi-iqn.a:b-lun-0",
        "ip-h:65536-iscsi-iqn.a:b-lun-0",    "ip-h:3260-iscsi--lun-0",
        "ip-h:3260-iscsi-iqn.a:b",           "ip-h:3260-iscsi-iqn.a:b-lun-",
        "ip-h:3260-iscsi-iqn.a:b-lun-16384", "ip-h:3260-iscsi-iqn.a:b-lun-1-part1",
        "ip-h:3260-iscsi-iqn.a:b-lun-0x1",   "ip-:3260-iscsi-iqn.a:b-lun-0",
    };
    struct sto_block_name name;

    for (size_t at = 0; at < sizeof(wrong) / sizeof(wrong[0]); at++)
        CU_ASSERT_EQUAL(sto_block_name_parse(wrong[at], &name), -EINVAL);
}

static void too_long(void)
{
    char text[STO_URL_TARGET_BYTES + 64];
    struct sto_block_name name;

    memset(text, 'x', sizeof(text));
    memcpy(text, "ip-h:1-iscsi-", 13);
    strcpy(text + 13 + STO_URL_TARGET_BYTES, "-lun-0");
    CU_ASSERT_EQUAL(sto_block_name_parse(text, &name), -EINVAL);
    strcpy(text + 13 + STO_URL_TARGET_BYTES - 1, "-lun-0");
    CU_ASSERT_EQUAL(sto_block_name_parse(text, &name), 0);
}

const struct unit_case unit_cases[] = { { "portal, target and LUN are read", takes_apart },
                                        { "marks inside a target's name", last_mark_counts },
                                        { "IPv6 portals", ipv6 },
                                        { "other names are not by-path names", other_names },
                                        { "malformed by-path names are refused", malformed },
                                        { "a target's name at its longest", too_long },
                                        { 0 } };
