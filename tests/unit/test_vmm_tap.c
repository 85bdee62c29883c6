/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-core/run/vmm_tap: what the words mean, and which interfaces are taken. What needs an
 * interface is skipped where none may be made.
 */
#include <config.h>

#include "vmm-core/run/vmm_tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define MAC ",mac=52:54:00:aB:cD:0f"

static struct hw_error error;

static int words(const char *text, struct vmm_tap_words *ret_words)
{
    hw_error_clear(&error);
    return vmm_tap_read_words(text, ret_words, &error);
}

static void words_are_read(void)
{
    struct vmm_tap_words got;

    CU_ASSERT_EQUAL(words("tap=tap0" MAC, &got), 0);
    CU_ASSERT_STRING_EQUAL(got.name, "tap0");
    CU_ASSERT_EQUAL(got.fd, -1);
    CU_ASSERT_EQUAL(memcmp(got.mac, "\x52\x54\x00\xab\xcd\x0f", 6), 0);
    CU_ASSERT_EQUAL(words("mac=02:00:00:00:00:01,tap=fd:17", &got), 0);
    CU_ASSERT_STRING_EQUAL(got.name, "");
    CU_ASSERT_EQUAL(got.fd, 17);
    CU_ASSERT_EQUAL(words("tap=fifteen-letters" MAC, &got), 0);
}

static void words_that_mean_nothing(void)
{
    static const char *const wrong[] = {
        "",
        "tap=tap0",
        "mac=52:54:00:00:00:01",
        "tap=" MAC,
        "tap=sixteen-letters-" MAC,
        "tap=fd:" MAC,
        "tap=fd:x" MAC,
        "tap=fd:2147483648" MAC,
        "tap=tap0,tap=tap1" MAC,
        "tap=tap0" MAC MAC,
        "tap=tap0" MAC ",vlan=3",
        "tap=tap0" MAC ",",
        "tap=tap0,mac=",
        "tap=tap0,mac=52:54:00:00:00",
        "tap=tap0,mac=52:54:00:00:00:0g",
        "tap=tap0,mac=52-54-00-00-00-01",
        "tap=tap0,mac=52:54:00:00:00:011",
        "tap=tap0,mac=53:54:00:00:00:01", /* a group */
        "tap=tap0,mac=00:00:00:00:00:00",
    };
    char long_one[300] = "tap=";
    struct vmm_tap_words got;

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        CU_ASSERT_EQUAL(words(wrong[i], &got), -EINVAL);
        CU_ASSERT_EQUAL(error.kind, HW_ERROR_USAGE);
        CU_ASSERT_STRING_EQUAL(error.object, "--net");
        if (error.kind != HW_ERROR_USAGE)
            printf("# %s\n", wrong[i]);
    }
    memset(long_one + 4, 'x', sizeof(long_one) - 5);
    CU_ASSERT_EQUAL(words(long_one, &got), -EINVAL);
}

static int open_tap(const char *name, int fd, int *ret_fd)
{
    struct vmm_tap_words of = { .fd = fd };
    char got[IFNAMSIZ];

    (void)snprintf(of.name, sizeof(of.name), "%s", name);
    hw_error_clear(&error);
    return vmm_tap_open(&of, got, ret_fd, &error);
}

static void descriptors_that_are_none(void)
{
    int fd = -1, null = open("/dev/null", O_RDWR | O_CLOEXEC);

    CU_ASSERT_EQUAL(open_tap("", 999, &fd), -EBADF);
    CU_ASSERT_STRING_EQUAL(error.object, "descriptor 999");
    CU_ASSERT_EQUAL(open_tap("", null, &fd), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "is no tap interface"));
    CU_ASSERT_EQUAL(fd, -1);
    CU_ASSERT_TRUE(fcntl(null, F_GETFD) >= 0); /* it stays the caller's */
    close(null);
}

/* One that lasts, with these flags; its name into `name`. */
static int make_tap(char name[IFNAMSIZ], int flags)
{
    struct ifreq request = { .ifr_flags = (short)flags };
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    (void)snprintf(request.ifr_name, IFNAMSIZ, "hwtest%%d");
    if (fd >= 0 && ioctl(fd, TUNSETIFF, &request) < 0) {
        close(fd);
        fd = -1;
    }
    if (fd < 0)
        unit_skip("no tap interface may be made");
    memcpy(name, request.ifr_name, IFNAMSIZ);
    return fd;
}

static void interfaces(void)
{
    char name[IFNAMSIZ];
    int header_bytes = 0, got = -1, again = -1, fd = make_tap(name, IFF_TAP | IFF_NO_PI);

    if (fd < 0)
        return;
    CU_ASSERT_EQUAL(open_tap("hwtest-none", -1, &got), -ENODEV);
    CU_ASSERT_STRING_EQUAL(error.object, "hwtest-none");
    CU_ASSERT_STRING_EQUAL(error.reason, "does not exist");
    CU_ASSERT_EQUAL(if_nametoindex("hwtest-none"), 0); /* nor was it made */
    CU_ASSERT_EQUAL(open_tap("lo", -1, &got), -EINVAL);
    CU_ASSERT_EQUAL(open_tap(name, -1, &got), -EBUSY);
    CU_ASSERT_STRING_EQUAL(error.reason, "is in use by another process");
    CU_ASSERT_EQUAL(open_tap("", fd, &got), -EINVAL); /* no headers */
    CU_ASSERT_EQUAL(ioctl(fd, TUNSETPERSIST, 1), 0);
    close(fd);
    CU_ASSERT_EQUAL_FATAL(open_tap(name, -1, &got), 0);
    CU_ASSERT_EQUAL(ioctl(got, TUNGETVNETHDRSZ, &header_bytes), 0);
    CU_ASSERT_EQUAL(header_bytes, VMM_VIRTIO_NET_HEADER_BYTES);
    CU_ASSERT_NOT_EQUAL(fcntl(got, F_GETFL) & O_NONBLOCK, 0);
    vmm_tap_set_offloads(got, VMM_VIRTIO_NET_CSUM | VMM_VIRTIO_NET_TSO4 | VMM_VIRTIO_NET_ECN);
    CU_ASSERT_EQUAL(open_tap("", got, &again), 0); /* as if handed over */
    CU_ASSERT_EQUAL(again, got);
    CU_ASSERT_EQUAL(ioctl(got, TUNSETPERSIST, 0), 0);
    close(got);
}

const struct unit_case unit_cases[] = {
    { "words are read", words_are_read },
    { "words that mean nothing", words_that_mean_nothing },
    { "descriptors that are none", descriptors_that_are_none },
    { "interfaces", interfaces },
    { 0 },
};
