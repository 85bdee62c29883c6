/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The canonical spelling of a LUN URL: the only one that is stored and shown. Secrets are never
 * part of it.
 */
#include "storage/sto_url.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct printer {
    char *text;
    size_t size;
    size_t at;
    bool full;
};

static void put_char(struct printer *printer, char c)
{
    if (printer->at + 1 >= printer->size)
        printer->full = true;
    else
        printer->text[printer->at++] = c;
}

static void put(struct printer *printer, const char *text)
{
    for (; *text != '\0'; text++)
        put_char(printer, *text);
}

static void put_number(struct printer *printer, const char *before, uint64_t value)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%" PRIu64, value);
    put(printer, before);
    put(printer, digits);
}

static void put_path(struct printer *printer, const char *path)
{
    static const char hex[] = "0123456789ABCDEF";

    for (; *path != '\0'; path++) {
        unsigned char c = (unsigned char)*path;

        if (c != ' ' && strchr("%?#,", c) == NULL) {
            put_char(printer, *path);
            continue;
        }
        put_char(printer, '%');
        put_char(printer, hex[c >> 4]);
        put_char(printer, hex[c & 15]);
    }
}

static void put_iscsi(struct printer *printer, const struct sto_url *url)
{
    put(printer, "iscsi://");
    if (url->user[0] != '\0') {
        put(printer, url->user);
        put_char(printer, '@');
    }
    for (unsigned i = 0; i < url->portal_count; i++) {
        const struct sto_portal *portal = &url->portals[i];
        bool v6 = strchr(portal->host, ':') != NULL;

        put(printer, i > 0 ? ";" : "");
        put(printer, v6 ? "[" : "");
        put(printer, portal->host);
        put(printer, v6 ? "]" : "");
        if (portal->port != STO_URL_ISCSI_PORT)
            put_number(printer, ":", portal->port);
    }
    put_char(printer, '/');
    put(printer, url->target);
    put_number(printer, "/", url->lun);
}

static void put_words(struct printer *printer, const struct sto_url *url)
{
    char mark = '?';

    if (url->header_digest) {
        put_char(printer, mark);
        put(printer, "header-digest=crc32c");
        mark = '&';
    }
    if (url->area == STO_AREA_WINDOW) {
        put_char(printer, mark);
        put_number(printer, "offset=", url->offset_bytes);
        put_number(printer, "&size=", url->size_bytes);
        mark = '&';
    }
    if (url->fault[0] != '\0') {
        put_char(printer, mark);
        put(printer, "fault=");
        put(printer, url->fault);
    }
}

int sto_url_print(const struct sto_url *url, char *text, unsigned long size)
{
    struct printer printer = { .text = text, .size = size };

    if (url->scheme == STO_SCHEME_ISCSI) {
        put_iscsi(&printer, url);
    } else {
        put(&printer, url->scheme == STO_SCHEME_BLOCK ? "block:" : "file:");
        put_path(&printer, url->path);
    }
    put_words(&printer, url);
    if (url->area == STO_AREA_DISK)
        put(&printer, "#disk");
    else if (url->area == STO_AREA_STATE)
        put(&printer, "#state");
    else if (url->area == STO_AREA_META)
        put(&printer, "#meta");
    if (size > 0)
        text[printer.at] = '\0';
    return printer.full || size == 0 ? -ENOSPC : 0;
}
