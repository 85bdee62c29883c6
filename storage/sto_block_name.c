/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Takes udev's by-path names of iSCSI disks apart. The target's name may hold "-lun-" and
 * "-iscsi-" itself, so the first and the last mark count. Never judges whether the disk exists.
 */
#include <config.h>

#include "storage/sto_block_name.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { ISCSI_LUN_MAX = 16383 }; /* flat addressing (SAM-5 4.7.7.3), as in sto_url.h */

/* A number of digits only, at most `most`. */
static bool parse_number(const char *text, size_t length, unsigned most, unsigned *ret_number)
{
    unsigned number = 0;

    if (length == 0 || length > 5)
        return false;
    for (size_t at = 0; at < length; at++) {
        if (text[at] < '0' || text[at] > '9')
            return false;
        number = number * 10 + (unsigned)(text[at] - '0');
    }
    if (number > most)
        return false;
    *ret_number = number;
    return true;
}

static bool copy_part(const char *from, size_t length, char *to, size_t to_bytes)
{
    if (length == 0 || length >= to_bytes)
        return false;
    memcpy(to, from, length);
    to[length] = '\0';
    return true;
}

/* "HOST:PORT", the host an IPv6 address with or without brackets; the last colon is the port's. */
static bool parse_portal(const char *text, size_t length, struct sto_portal *portal)
{
    size_t host_length = length;
    unsigned port;

    while (host_length > 0 && text[host_length - 1] != ':')
        host_length--;
    if (host_length-- == 0)
        return false;
    if (!parse_number(text + host_length + 1, length - host_length - 1, UINT16_MAX, &port) ||
        port == 0)
        return false;
    if (host_length >= 2 && text[0] == '[' && text[host_length - 1] == ']') {
        text++;
        host_length -= 2;
    }
    portal->port = (uint16_t)port;
    return copy_part(text, host_length, portal->host, sizeof(portal->host));
}

/* The last "-lun-" in `text`, or NULL. */
static const char *last_lun_mark(const char *text)
{
    const char *found = NULL;

    for (const char *at = strstr(text, "-lun-"); at; at = strstr(at + 1, "-lun-"))
        found = at;
    return found;
}

int sto_block_name_parse(const char *path, struct sto_block_name *ret_name)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    struct sto_block_name parsed = { 0 };
    const char *iscsi, *lun;
    unsigned number;

    if (strncmp(name, "ip-", 3) != 0)
        return -ENOENT;
    name += 3;
    iscsi = strstr(name, "-iscsi-");
    if (!iscsi)
        return -ENOENT;
    if (!parse_portal(name, (size_t)(iscsi - name), &parsed.portal))
        return -EINVAL;
    iscsi += strlen("-iscsi-");
    lun = last_lun_mark(iscsi);
    if (!lun || !copy_part(iscsi, (size_t)(lun - iscsi), parsed.target, sizeof(parsed.target)))
        return -EINVAL;
    lun += strlen("-lun-");
    if (!parse_number(lun, strlen(lun), ISCSI_LUN_MAX, &number))
        return -EINVAL;
    parsed.lun = (uint16_t)number;
    *ret_name = parsed;
    return 0;
}

const char *sto_block_portal_text(const struct sto_portal *portal,
                                  char text[STO_BLOCK_PORTAL_BYTES])
{
    bool ipv6 = strchr(portal->host, ':') != NULL;

    snprintf(text, STO_BLOCK_PORTAL_BYTES, "%s%s%s:%u", ipv6 ? "[" : "", portal->host,
             ipv6 ? "]" : "", portal->port);
    return text;
}
