/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tap interfaces. One that is not there is not made: a misspelt name would be an interface that
 * nobody has connected to anything.
 */
#include "config.h"

#include "vmm-core/run/vmm_tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/hw_values.h"

#define TUN_PATH "/dev/net/tun"

enum { FLAGS = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

/* --- words --- */

static int usage(struct hw_error *error, const char *reason)
{
    return hw_error_set(error, HW_ERROR_USAGE, EINVAL, "--net", reason,
                        "give tap=NAME,mac=52:54:00:XX:XX:XX");
}

static int hex(char digit)
{
    const char *digits = "0123456789abcdef", *at = digit == '\0' ? NULL : strchr(digits, digit);

    return at == NULL ? -1 : (int)(at - digits);
}

/* A unicast address that is not all zero. */
static bool read_mac(const char *text, uint8_t mac[VMM_VIRTIO_NET_MAC_BYTES])
{
    unsigned any = 0;

    for (unsigned i = 0; i < VMM_VIRTIO_NET_MAC_BYTES; i++, text += 3) {
        const int high = hex((char)(text[0] | 0x20)),
                  low = high < 0 ? -1 : hex((char)(text[1] | 0x20));
        const char end = i + 1 < VMM_VIRTIO_NET_MAC_BYTES ? ':' : '\0';

        if (low < 0 || text[2] != end)
            return false;
        mac[i] = (uint8_t)(high << 4 | low);
        any |= mac[i];
    }
    return any != 0 && (mac[0] & 1) == 0;
}

static int read_tap(const char *text, struct vmm_tap_words *words, struct hw_error *error)
{
    uint64_t fd;

    if (strncmp(text, "fd:", 3) == 0) {
        if (hw_parse_number(text + 3, &fd) < 0 || fd > INT32_MAX)
            return usage(error, "has a wrong number of a descriptor");
        words->fd = (int)fd;
        return 0;
    }
    if (text[0] == '\0' || strlen(text) >= sizeof(words->name))
        return usage(error, "has no name of 1 to 15 characters");
    (void)snprintf(words->name, sizeof(words->name), "%s", text);
    return 0;
}

static int read_part(char *part, struct vmm_tap_words *words, unsigned *seen,
                     struct hw_error *error)
{
    char *value = strchr(part, '=');
    const unsigned which = strncmp(part, "tap=", 4) == 0   ? 1
                           : strncmp(part, "mac=", 4) == 0 ? 2
                                                           : 0;

    if (which == 0 || value == NULL)
        return usage(error, "has another part than tap= and mac=");
    if ((*seen & which) != 0)
        return usage(error, "has a part twice");
    *seen |= which;
    if (which == 1)
        return read_tap(value + 1, words, error);
    return read_mac(value + 1, words->mac) ? 0 : usage(error, "has no MAC address of one device");
}

int vmm_tap_read_words(const char *text, struct vmm_tap_words *ret_words, struct hw_error *error)
{
    struct vmm_tap_words words = { .fd = -1 };
    char copy[128], *rest = copy, *part;
    unsigned seen = 0;
    int rc = 0;

    if (strlen(text) >= sizeof(copy))
        return usage(error, "is too long");
    (void)snprintf(copy, sizeof(copy), "%s", text);
    while (rc == 0 && (part = strsep(&rest, ",")) != NULL)
        rc = read_part(part, &words, &seen, error);
    if (rc == 0 && seen != 3)
        rc = usage(error, "needs both tap= and mac=");
    if (rc == 0)
        *ret_words = words;
    return rc;
}

/* --- the interface --- */

static int refuse(struct hw_error *error, int code, const char *object, const char *remedy)
{
    const char *reason = code == ENODEV                    ? "does not exist"
                         : code == EBUSY                   ? "is in use by another process"
                         : code == EPERM || code == EACCES ? "may not be used by this user"
                         : code == EINVAL                  ? "is no tap interface for one queue"
                                                           : strerror(code);

    return hw_error_set(error, HW_ERROR_FAILED, code, object, reason, remedy);
}

static int open_named(const char *name, int *ret_fd, struct hw_error *error)
{
    struct ifreq request = { .ifr_flags = FLAGS };
    int fd = open(TUN_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return refuse(error, errno == ENOENT ? ENXIO : errno, TUN_PATH,
                      "load the module tun, and let this user open it");
    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (if_nametoindex(name) == 0 || ioctl(fd, TUNSETIFF, &request) < 0) {
        const int code = errno;

        (void)close(fd);
        return refuse(error, code, name, "make it with: ip tuntap add NAME mode tap user USER");
    }
    *ret_fd = fd;
    return 0;
}

static int take_inherited(int fd, struct hw_error *error)
{
    char object[32];
    struct ifreq request = { 0 };
    const int flags = fcntl(fd, F_GETFL);

    (void)snprintf(object, sizeof(object), "descriptor %d", fd);
    if (flags < 0)
        return hw_error_set(error, HW_ERROR_FAILED, EBADF, object, "is not open",
                            "hand over an open tap interface");
    if (ioctl(fd, TUNGETIFF, &request) < 0 || (request.ifr_flags & FLAGS) != FLAGS)
        return hw_error_set(error, HW_ERROR_FAILED, EINVAL, object,
                            "is no tap interface with IFF_NO_PI and IFF_VNET_HDR",
                            "hand over one that was made so");
    (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
    return 0;
}

int vmm_tap_open(const struct vmm_tap_words *words, char ret_name[IFNAMSIZ], int *ret_fd,
                 struct hw_error *error)
{
    int header_bytes = VMM_VIRTIO_NET_HEADER_BYTES, fd = words->fd;
    struct ifreq request = { 0 };
    int rc =
        words->name[0] != '\0' ? open_named(words->name, &fd, error) : take_inherited(fd, error);

    if (rc < 0)
        return rc;
    if (ioctl(fd, TUNSETVNETHDRSZ, &header_bytes) < 0 || ioctl(fd, TUNGETIFF, &request) < 0) {
        rc = refuse(error, errno, words->name, "update the host's kernel");
        (void)close(fd);
        return rc;
    }
    vmm_tap_set_offloads(fd, 0);
    memcpy(ret_name, request.ifr_name, IFNAMSIZ);
    ret_name[IFNAMSIZ - 1] = '\0';
    *ret_fd = fd;
    return 0;
}

void vmm_tap_set_offloads(int fd, unsigned offloads)
{
    unsigned long flags = 0;

    if ((offloads & VMM_VIRTIO_NET_CSUM) != 0) {
        flags = TUN_F_CSUM;
        if ((offloads & VMM_VIRTIO_NET_TSO4) != 0)
            flags |= TUN_F_TSO4;
        if ((offloads & VMM_VIRTIO_NET_TSO6) != 0)
            flags |= TUN_F_TSO6;
        if ((offloads & VMM_VIRTIO_NET_ECN) != 0 && flags != TUN_F_CSUM)
            flags |= TUN_F_TSO_ECN;
    }
    (void)ioctl(fd, TUNSETOFFLOAD, flags); /* one that is not known stays off for all */
}
