/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_presence: one process of a node acts on a LUN, whatever way leads to it; the name
 * goes with its holder.
 */
#include <config.h>

#include "storage/sto_presence.h"

#include "storage/sto_gpt.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint8_t cluster[16] = { 1, 2, 3 };

static struct sto_url url_of(const char *text)
{
    struct sto_url url;

    CU_ASSERT_EQUAL_FATAL(sto_url_parse(text, &url, NULL), 0);
    return url;
}

/* A target name that no other run of this test uses. */
static struct sto_url own_url(const char *portal, unsigned lun)
{
    char text[128];

    (void)snprintf(text, sizeof(text), "iscsi://%s/iqn.2026-11.test:p%d/%u", portal, (int)getpid(),
                   lun);
    return url_of(text);
}

static int take(const struct sto_url *url, const uint8_t cluster_uuid[16], uint16_t node)
{
    int fd = -1, rc = sto_presence_take(url, cluster_uuid, node, &fd, NULL);

    CU_ASSERT_EQUAL(fd >= 0, rc == 0);
    return rc < 0 ? rc : fd;
}

static void one_holds_it(void)
{
    const uint8_t other_cluster[16] = { 9 };
    struct sto_url url = own_url("10.0.0.1", 1), other_way = own_url("10.0.0.2:99", 1);
    struct sto_url other = own_url("10.0.0.1", 2);
    struct hw_error error = { 0 };
    char wanted[64];
    int fds[4], unused = -1;

    fds[0] = take(&url, cluster, 1);
    CU_ASSERT_FATAL(fds[0] >= 0);
    CU_ASSERT_EQUAL(sto_presence_take(&other_way, cluster, 1, &unused, &error), -EBUSY);
    CU_ASSERT_EQUAL(unused, -1);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
    (void)snprintf(wanted, sizeof(wanted), "process %d (", (int)getpid());
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, wanted));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.object, "10.0.0.2:99"));
    fds[1] = take(&other, cluster, 1); /* another LUN, node, cluster */
    fds[2] = take(&url, cluster, 2);
    fds[3] = take(&url, other_cluster, 1);
    for (unsigned i = 0; i < 4; i++) {
        CU_ASSERT(fds[i] >= 0);
        close(fds[i]);
    }
    fds[0] = take(&other_way, cluster, 1);
    CU_ASSERT(fds[0] >= 0);
    close(fds[0]);
}

/* However often it is asked, it says who. */
static void says_who_holds_it(void)
{
    struct sto_url url = own_url("10.0.0.1", 4);
    int fd = take(&url, cluster, 1), unused = -1;
    char wanted[64];

    CU_ASSERT_FATAL(fd >= 0);
    (void)snprintf(wanted, sizeof(wanted), "process %d (", (int)getpid());
    for (unsigned i = 0; i < 300; i++) {
        struct hw_error error = { 0 };

        CU_ASSERT_EQUAL(sto_presence_take(&url, cluster, 1, &unused, &error), -EBUSY);
        CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, wanted));
    }
    close(fd);
}

/* One LUN under two names: two targets, or the kernel's device. */
static void knows_a_lun_by_its_wwid(void)
{
    struct sto_url url = own_url("10.0.0.1", 5), device = url_of("block:/dev/null");
    struct hw_error error = { 0 };
    char wwid[64], other[64];
    int fds[4] = { -1, -1, -1, -1 };

    (void)snprintf(wwid, sizeof(wwid), "naa.6%015d", (int)getpid());
    (void)snprintf(other, sizeof(other), "naa.7%015d", (int)getpid());
    for (unsigned i = 0; i < 4; i++)
        CU_ASSERT_TRUE_FATAL((fds[i] = sto_presence_socket(NULL)) >= 0);
    CU_ASSERT_EQUAL(sto_presence_take_wwid(&url, wwid, cluster, 1, fds[0], NULL), 0);
    CU_ASSERT_EQUAL(sto_presence_take_wwid(&device, wwid, cluster, 1, fds[1], &error), -EBUSY);
    CU_ASSERT_EQUAL(error.kind, HW_ERROR_REFUSED);
    CU_ASSERT_STRING_EQUAL(error.object, "block:/dev/null");
    CU_ASSERT_EQUAL(sto_presence_take_wwid(&device, other, cluster, 1, fds[1], NULL), 0);
    CU_ASSERT_EQUAL(sto_presence_take_wwid(&device, wwid, cluster, 2, fds[2], NULL), 0);
    /* a LUN without a WWID is told by its URL alone */
    CU_ASSERT_EQUAL(sto_presence_take_wwid(&url, "", cluster, 1, fds[3], NULL), 0);
    for (unsigned i = 0; i < 4; i++)
        close(fds[i]);
}

static void goes_with_its_holder(void)
{
    struct sto_url url = own_url("10.0.0.1", 3);
    int pipe_fds[2], status, fd;
    char byte;
    pid_t child;

    CU_ASSERT_EQUAL_FATAL(pipe(pipe_fds), 0);
    child = fork();
    if (child == 0) {
        if (take(&url, cluster, 1) < 0)
            _exit(1);
        (void)!write(pipe_fds[1], "x", 1);
        (void)pause();
        _exit(0);
    }
    CU_ASSERT_EQUAL(read(pipe_fds[0], &byte, 1), 1);
    CU_ASSERT_EQUAL(take(&url, cluster, 1), -EBUSY);
    CU_ASSERT_EQUAL(kill(child, SIGKILL), 0);
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    fd = take(&url, cluster, 1);
    CU_ASSERT(fd >= 0);
    close(fd);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void names_devices_and_files(void)
{
    struct sto_url file = url_of("file:/nowhere/disk"), device = url_of("block:/dev/null");
    int first = take(&file, cluster, 1), second = take(&device, cluster, 1);

    CU_ASSERT(first >= 0 && second >= 0);
    CU_ASSERT_EQUAL(take(&file, cluster, 1), -EBUSY);
    CU_ASSERT_EQUAL(take(&device, cluster, 1), -EBUSY);
    close(first);
    close(second);
}

/* The kernel's text, as the record holds it. */
static void knows_the_boot(void)
{
    uint8_t boot_id[16] = { 0 }, wanted[16];
    char text[37] = "";
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fread(text, 1, 36, file), 36);
    (void)fclose(file);
    CU_ASSERT_TRUE_FATAL(sto_guid_parse(text, wanted));
    sto_presence_boot_id(boot_id);
    CU_ASSERT_EQUAL(memcmp(boot_id, wanted, sizeof(wanted)), 0);
}

const struct unit_case unit_cases[] = {
    { "one process of a node acts on a LUN", one_holds_it },
    { "says who holds it, however often", says_who_holds_it },
    { "one LUN under two URLs", knows_a_lun_by_its_wwid },
    { "the name goes with its holder", goes_with_its_holder },
    { "devices and files", names_devices_and_files },
    { "the host's boot id", knows_the_boot },
    { 0 },
};
