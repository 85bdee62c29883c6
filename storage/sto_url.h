/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a LUN is spelled:
 *   iscsi://[user@]host[:port][;host[:port]...]/iqn/lun    several portals, tried in turn
 *   block:/dev/...      file:/path
 * each with ?offset=N&size=N (bytes, K M G T suffixes) or #disk, #state, #meta, and for tests
 * ?fault=... Secrets never stand in a URL: `user@` goes with a secret file, and a URL with a
 * password is refused. Pure: nothing is opened or looked up.
 */
#ifndef STO_URL_H
#define STO_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hw_error.h"

enum sto_scheme { STO_SCHEME_ISCSI, STO_SCHEME_BLOCK, STO_SCHEME_FILE };
enum sto_area { STO_AREA_WHOLE, STO_AREA_WINDOW, STO_AREA_META, STO_AREA_DISK, STO_AREA_STATE };

enum {
    STO_URL_PORTALS = 4,
    STO_URL_HOST_BYTES = 256,
    STO_URL_TARGET_BYTES = 224, /* an iSCSI name is at most 223 bytes (RFC 7143 4.2.7.1) */
    STO_URL_USER_BYTES = 256,
    STO_URL_PATH_BYTES = 4096,
    STO_URL_FAULT_BYTES = 256,
    STO_URL_BYTES = 4608,
    STO_URL_ISCSI_PORT = 3260,
};

struct sto_portal {
    char host[STO_URL_HOST_BYTES]; /* name, IPv4, or IPv6 without brackets */
    uint16_t port;
};

struct sto_url {
    enum sto_scheme scheme;
    unsigned portal_count;
    struct sto_portal portals[STO_URL_PORTALS];
    char target[STO_URL_TARGET_BYTES];
    uint16_t lun; /* 0 to 16383 */
    char user[STO_URL_USER_BYTES];
    char path[STO_URL_PATH_BYTES];        /* block:, file: */
    char secret_file[STO_URL_PATH_BYTES]; /* ?secret-file=/PATH, or given beside the URL */
    bool header_digest;                   /* ?header-digest=crc32c */
    enum sto_area area;
    uint64_t offset_bytes, size_bytes; /* STO_AREA_WINDOW; size 0 = to the end */
    char fault[STO_URL_FAULT_BYTES];   /* rules for the fault backend, "" = none */
};

/*
 * Read a URL. `text` is at most STO_URL_BYTES - 1 bytes. 0, or -EINVAL with the object, reason
 * and remedy in `error` (may be NULL); the message never repeats a secret.
 */
int sto_url_parse(const char *text, struct sto_url *ret_url, struct hw_error *error);

/*
 * As sto_url_parse() for an option's value, where commas end the URL and further key=value words
 * follow: "URL#disk,secret-file=/etc/hawser/l1,ro". Known keys: secret-file; they stand before any
 * other word. The place after the URL's own words is returned in `ret_rest` (points into `text`, or
 * is "" at its end).
 */
int sto_url_parse_option(const char *text, struct sto_url *ret_url, const char **ret_rest,
                         struct hw_error *error);

/* The canonical spelling, without secrets, into `text` of `size` bytes; -ENOSPC if it does not
 * fit. Parsing it again gives the same struct but for secret_file. */
int sto_url_print(const struct sto_url *url, char *text, unsigned long size);

#endif
