/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * landlock(7) without a single path rule. Spelled with numbers of our own: the build machine's
 * headers may be older than the kernel that this runs on.
 */
#include <config.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/hw_cleanup.h"
#include "common/hw_sandbox.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

enum { CREATE_RULESET_VERSION = 1, RULE_NET_PORT = 2 };
enum { ACCESS_NET_BIND_TCP = 1, ACCESS_NET_CONNECT_TCP = 2 };
enum { SCOPE_ABSTRACT_UNIX_SOCKET = 1, SCOPE_SIGNAL = 2 };

struct ruleset {
    uint64_t handled_access_fs, handled_access_net, scoped;
};

struct net_port {
    uint64_t allowed_access, port;
} __attribute__((packed));

/* Bits of file access that an ABI knows: 13 at first, then REFER, TRUNCATE, IOCTL_DEV. */
static uint64_t file_access(int abi)
{
    unsigned bits = 13;

    bits += abi >= 2 ? 1 : 0;
    bits += abi >= 3 ? 1 : 0;
    bits += abi >= 5 ? 1 : 0;
    return (UINT64_C(1) << bits) - 1;
}

/* How much of the struct this ABI takes. */
static size_t ruleset_bytes(int abi)
{
    return abi >= 6 ? sizeof(struct ruleset) : abi >= 4 ? 16 : 8;
}

static int restrict_self(int abi, const uint16_t *ports, size_t count)
{
    const struct ruleset ruleset = {
        .handled_access_fs = file_access(abi),
        .handled_access_net = abi >= 4 ? ACCESS_NET_BIND_TCP | ACCESS_NET_CONNECT_TCP : 0,
        .scoped = abi >= 6 ? SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL : 0,
    };
    hw_auto_close int fd =
        (int)syscall(SYS_landlock_create_ruleset, &ruleset, ruleset_bytes(abi), 0);

    if (fd < 0)
        return -errno;
    for (size_t i = 0; i < count && abi >= 4; i++) {
        const struct net_port rule = { ACCESS_NET_CONNECT_TCP, ports[i] };

        if (syscall(SYS_landlock_add_rule, fd, RULE_NET_PORT, &rule, 0) < 0)
            return -errno;
    }
    return syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}

int hw_sandbox_paths(const uint16_t *ports, size_t count, struct hw_sandbox_reach *ret_reach,
                     struct hw_error *error)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
    int rc;

    *ret_reach = (struct hw_sandbox_reach) { 0 };
    if (abi <= 0) /* not built in, or switched off */
        return 0;
    rc = restrict_self(abi, ports, count);
    if (rc < 0)
        return hw_error_setf(error, HW_ERROR_FAILED, -rc, "sandbox",
                             "see the kernel's log; it must not run without",
                             "paths cannot be closed off: %s", strerror(-rc));
    *ret_reach = (struct hw_sandbox_reach) {
        .landlock_abi = abi, .files = true, .tcp = abi >= 4, .scope = abi >= 6
    };
    return 0;
}
