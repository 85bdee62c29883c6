/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the block backend reads from sysfs, in a sysfs of the test's own. */
#include <config.h>

#include "storage/sto_block_sysfs.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "tests/unit/fake_sysfs.h"
#include "tests/unit/unit.h"

static const struct sto_block_name name = { .portal = { "10.0.0.1", 3260 },
                                            .target = "iqn.2026-11.lab:san",
                                            .lun = 3 };

static enum sto_block_kind kind_of(const struct fake_sysfs *fake, unsigned minor_number)
{
    enum sto_block_kind kind = STO_BLOCK_OTHER;
    char disk[STO_BLOCK_DISK_BYTES];

    CU_ASSERT_EQUAL(sto_block_sysfs_classify(fake->sysfs, makedev(8, minor_number), &kind, disk),
                    0);
    return kind;
}

static void classifies(void)
{
    char disk[STO_BLOCK_DISK_BYTES];
    enum sto_block_kind kind;
    struct fake_sysfs fake;

    CU_ASSERT_FATAL(fake_sysfs_begin(&fake));
    fake_sysfs_disk(&fake, "8:0", "sda", true);
    fake_sysfs_disk(&fake, "8:1", "sda1", true);
    fake_sysfs_put(&fake, "devices/sda1/partition", "1\n");
    fake_sysfs_disk(&fake, "8:2", "nvme0n1", false);
    fake_sysfs_disk(&fake, "8:3", "dm-0", false);
    fake_sysfs_put(&fake, "devices/dm-0/dm/uuid", "mpath-36001405abc\n");
    fake_sysfs_disk(&fake, "8:4", "dm-1", false);
    fake_sysfs_put(&fake, "devices/dm-1/dm/uuid", "LVM-abc\n");
    fake_sysfs_disk(&fake, "8:5", "sdb", true);
    fake_sysfs_put(&fake, "devices/sdb/holders/dm-0/dm/uuid", "mpath-36001405abc\n");
    fake_sysfs_disk(&fake, "8:6", "sdc", true);
    fake_sysfs_put(&fake, "devices/sdc/holders/dm-1/dm/uuid", "LVM-abc\n");
    fake_sysfs_disk(&fake, "8:7", "loop0", false);
    CU_ASSERT_EQUAL(kind_of(&fake, 0), STO_BLOCK_SCSI);
    CU_ASSERT_EQUAL(kind_of(&fake, 1), STO_BLOCK_PARTITION);
    CU_ASSERT_EQUAL(kind_of(&fake, 2), STO_BLOCK_NVME);
    CU_ASSERT_EQUAL(kind_of(&fake, 3), STO_BLOCK_MULTIPATH);
    CU_ASSERT_EQUAL(kind_of(&fake, 4), STO_BLOCK_MAPPED);
    CU_ASSERT_EQUAL(kind_of(&fake, 5), STO_BLOCK_MULTIPATH_PATH);
    CU_ASSERT_EQUAL(kind_of(&fake, 6), STO_BLOCK_SCSI);
    CU_ASSERT_EQUAL(kind_of(&fake, 7), STO_BLOCK_OTHER);
    CU_ASSERT_EQUAL(sto_block_sysfs_classify(fake.sysfs, makedev(9, 0), &kind, disk), -ENODEV);
    fake_sysfs_end(&fake);
}

static void reasons(void)
{
    CU_ASSERT_PTR_NULL(sto_block_kind_reason(STO_BLOCK_SCSI));
    for (enum sto_block_kind kind = STO_BLOCK_NVME; kind <= STO_BLOCK_OTHER; kind++)
        CU_ASSERT_PTR_NOT_NULL(sto_block_kind_reason(kind));
}

static void finds_session(void)
{
    struct sto_block_name named = name;
    struct fake_sysfs fake;
    unsigned session;

    CU_ASSERT_FATAL(fake_sysfs_begin(&fake));
    CU_ASSERT_EQUAL(sto_block_sysfs_session(fake.sysfs, &name, &session), -ENOENT);
    fake_sysfs_session(&fake, 1, "iqn.2026-11.lab:other\n", "10.0.0.1\n", "3260\n");
    fake_sysfs_session(&fake, 2, "iqn.2026-11.lab:san\n", "10.0.0.2\n", "3260\n");
    fake_sysfs_session(&fake, 3, "iqn.2026-11.lab:san\n", "10.0.0.1\n", "3261\n");
    CU_ASSERT_EQUAL(sto_block_sysfs_session(fake.sysfs, &name, &session), -ENOENT);
    fake_sysfs_session(&fake, 4, "iqn.2026-11.lab:san\n", "10.0.0.1\n", "3260\n");
    CU_ASSERT_EQUAL_FATAL(sto_block_sysfs_session(fake.sysfs, &name, &session), 0);
    CU_ASSERT_EQUAL(session, 4);
    fake_sysfs_put(&fake, "class/iscsi_session/session4/state", "FAILED\n");
    CU_ASSERT_EQUAL(sto_block_sysfs_session(fake.sysfs, &name, &session), -ENOENT);
    strcpy(named.portal.host, "san.example");
    CU_ASSERT_EQUAL_FATAL(sto_block_sysfs_session(fake.sysfs, &named, &session), 0);
    CU_ASSERT_EQUAL(session, 2);
    fake_sysfs_end(&fake);
}

static void finds_disk(void)
{
    char disk[STO_BLOCK_DISK_BYTES];
    struct fake_sysfs fake;

    CU_ASSERT_FATAL(fake_sysfs_begin(&fake));
    fake_sysfs_session(&fake, 1, "iqn.2026-11.lab:san\n", "10.0.0.1\n", "3260\n");
    fake_sysfs_attach(&fake, 1, 0, "sda");
    fake_sysfs_attach(&fake, 1, 13, "sdb");
    CU_ASSERT_EQUAL(sto_block_sysfs_disk(fake.sysfs, 1, 3, disk), -ENOENT);
    CU_ASSERT_EQUAL_FATAL(sto_block_sysfs_disk(fake.sysfs, 1, 13, disk), 0);
    CU_ASSERT_STRING_EQUAL(disk, "sdb");
    CU_ASSERT_EQUAL(sto_block_sysfs_disk_count(fake.sysfs, 1), 2);
    CU_ASSERT_EQUAL(sto_block_sysfs_disk_count(fake.sysfs, 2), 0);
    fake_sysfs_end(&fake);
}

static void bounds_recovery(void)
{
    static const struct {
        const char *before, *after;
    } cases[] = { { "120\n", "5" }, { "-1\n", "5" }, { "3\n", "3\n" }, { "5\n", "5\n" } };
    struct fake_sysfs fake;
    char text[64];

    CU_ASSERT_FATAL(fake_sysfs_begin(&fake));
    CU_ASSERT_EQUAL(sto_block_sysfs_bound_recovery(fake.sysfs, 1, 5), -ENOENT);
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        const char *path = "class/iscsi_session/session1/recovery_tmo";

        fake_sysfs_put(&fake, path, cases[at].before);
        CU_ASSERT_EQUAL(sto_block_sysfs_bound_recovery(fake.sysfs, 1, 5), 0);
        fake_sysfs_get(&fake, path, text);
        CU_ASSERT_EQUAL(strncmp(text, cases[at].after, strlen(cases[at].after)), 0);
    }
    fake_sysfs_end(&fake);
}

static void rescans(void)
{
    struct fake_sysfs fake;
    char text[64];

    CU_ASSERT_FATAL(fake_sysfs_begin(&fake));
    fake_sysfs_disk(&fake, "8:0", "sda", true);
    CU_ASSERT_EQUAL(sto_block_sysfs_rescan(fake.sysfs, "sda"), 0);
    CU_ASSERT_STRING_EQUAL(fake_sysfs_get(&fake, "devices/sda/device/rescan", text), "1");
    CU_ASSERT_EQUAL(sto_block_sysfs_rescan(fake.sysfs, "sdb"), -ENOENT);
    fake_sysfs_end(&fake);
}

const struct unit_case unit_cases[] = { { "each kind of device is known", classifies },
                                        { "a refused kind has its reason", reasons },
                                        { "the session of target and portal", finds_session },
                                        { "the disk of a LUN", finds_disk },
                                        { "the kernel's queueing is bounded", bounds_recovery },
                                        { "a disk is read again", rescans },
                                        { 0 } };
