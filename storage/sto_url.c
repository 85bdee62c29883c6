/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading of LUN URLs. A URL may come from a command line, a configuration file or
 * another node: every byte is judged, and no message repeats a part that may be a secret (all
 * before the last '@', all values of options). Nothing is opened or looked up here.
 * over 400: one grammar, of which each part knows the others' separators.
 */
#include "storage/sto_url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LUN_MAX = 16383, WINDOW_ALIGN_BYTES = 512, OBJECT_BYTES = 200 };

struct span {
    const char *at;
    size_t size;
};

/* What a parse carries along. */
struct parse {
    struct sto_url *url;
    struct hw_error *error;
    char object[OBJECT_BYTES]; /* the URL without what may be a secret */
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static struct span span_of(const char *text, size_t size)
{
    return (struct span) { .at = text, .size = size };
}

/* Split off what stands before the first `mark`; the rest starts behind it, or is empty (with
 * at == NULL where there was no mark). */
static struct span split(struct span whole, char mark, struct span *ret_rest)
{
    const char *found = whole.size > 0 ? memchr(whole.at, mark, whole.size) : NULL;
    size_t before;

    if (found == NULL) {
        *ret_rest = span_of(NULL, 0);
        return whole;
    }
    before = (size_t)(found - whole.at);
    *ret_rest = span_of(found + 1, whole.size - before - 1);
    return span_of(whole.at, before);
}

static bool span_is(struct span span, const char *text)
{
    return span.size == strlen(text) && memcmp(span.at, text, span.size) == 0;
}

static int wrong(struct parse *parse, const char *reason, const char *remedy)
{
    return hw_error_set(parse->error, HW_ERROR_USAGE, EINVAL, parse->object, reason, remedy);
}

/* The URL as messages name it. */
static void name_object(struct parse *parse, struct span text, struct span scheme)
{
    struct span rest;
    struct span shown = text;
    bool hidden = false;

    if (span_is(scheme, "iscsi")) {
        for (size_t i = text.size; i > 0; i--)
            if (text.at[i - 1] == '@') {
                shown = span_of(text.at + i, text.size - i);
                hidden = true;
                break;
            }
    }
    shown = split(shown, '?', &rest);
    snprintf(parse->object, sizeof(parse->object), "LUN URL %s%.*s%s", hidden ? "iscsi://...@" : "",
             (int)(shown.size > 150 ? 150 : shown.size), shown.size > 0 ? shown.at : "",
             rest.at != NULL ? "?..." : "");
}

/* Decimal number without sign or blanks, at most `maximum`. */
static bool parse_number(struct span text, uint64_t maximum, uint64_t *ret_value)
{
    uint64_t value = 0;

    if (text.size == 0 || text.size > 20)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.at[i];

        if (c < '0' || c > '9' || __builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(c - '0'), &value))
            return false;
    }
    if (value > maximum)
        return false;
    *ret_value = value;
    return true;
}

/* A number of bytes with an optional suffix K, M, G or T (powers of 1024). */
static bool parse_bytes(struct span text, uint64_t *ret_bytes)
{
    static const char suffixes[] = "KMGT";
    const char *found = NULL;
    unsigned shift = 0;
    uint64_t value;

    if (text.size > 1 && text.at[text.size - 1] != '\0')
        found = strchr(suffixes, text.at[text.size - 1]);
    if (found != NULL) {
        shift = 10 * ((unsigned)(found - suffixes) + 1);
        text.size--;
    }
    if (!parse_number(text, INT64_MAX >> shift, &value))
        return false;
    *ret_bytes = value << shift;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Copy with %XX decoded. Control characters are refused, spelled out or not. */
static bool decode_percent(struct span text, char *ret_text, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < text.size; i++) {
        int c = (unsigned char)text.at[i];

        if (c == '%') {
            bool whole = i + 2 < text.size;
            int high = whole ? hex_digit(text.at[i + 1]) : -1;
            int low = whole ? hex_digit(text.at[i + 2]) : -1;

            if (high < 0 || low < 0)
                return false;
            c = high << 4 | low;
            i += 2;
        }
        if (c < ' ' || c == 0x7f || at + 1 >= size)
            return false;
        ret_text[at++] = (char)c;
    }
    ret_text[at] = '\0';
    return true;
}

/* --- the parts of an iSCSI URL --- */

static bool copy_token(struct span text, const char *extra, char *ret_text, size_t size)
{
    if (text.size == 0 || text.size >= size)
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (text.at[i] == '\0' || (!is_alnum(text.at[i]) && strchr(extra, text.at[i]) == NULL))
            return false;
    memcpy(ret_text, text.at, text.size);
    ret_text[text.size] = '\0';
    return true;
}

/* What may be an IPv6 address, with or without a zone ("fe80::1%eth0"); whether it is one shows
 * when it is used. */
static bool is_ipv6(const char *host)
{
    size_t size = strcspn(host, "%");
    unsigned colons = 0;

    if (host[size] == '%' && host[size + 1] == '\0')
        return false;
    for (size_t i = 0; i < size; i++) {
        if (host[i] == ':')
            colons++;
        else if (hex_digit(host[i]) < 0 && host[i] != '.')
            return false;
    }
    return colons >= 2;
}

static int parse_portal(struct parse *parse, struct span text, struct sto_portal *portal)
{
    struct span port = { NULL, 0 };
    struct span host;
    uint64_t number = STO_URL_ISCSI_PORT;

    if (text.size > 0 && text.at[0] == '[') {
        struct span after;

        host = split(span_of(text.at + 1, text.size - 1), ']', &after);
        if (after.at == NULL || !copy_token(host, ":.%-_", portal->host, sizeof(portal->host)) ||
            !is_ipv6(portal->host))
            return wrong(parse, "the address in brackets is not an IPv6 address",
                         "write for example [2001:db8::1]:3260");
        if (after.size > 0 && after.at[0] != ':')
            return wrong(parse, "something other than a port follows the bracket",
                         "write for example [2001:db8::1]:3260");
        if (after.size > 0)
            port = span_of(after.at + 1, after.size - 1);
    } else {
        host = split(text, ':', &port);
        if (port.at != NULL && memchr(port.at, ':', port.size) != NULL)
            return wrong(parse, "more than one ':' in a portal",
                         "put an IPv6 address in brackets; separate portals with ';'");
        if (!copy_token(host, ".-_", portal->host, sizeof(portal->host)))
            return wrong(parse, "a portal's host is missing or has impossible characters",
                         "write for example iscsi://192.0.2.1/iqn.2026-11.lab:san/1");
    }
    if (port.at != NULL && (!parse_number(port, UINT16_MAX, &number) || number == 0))
        return wrong(parse, "the port is not a number from 1 to 65535", "leave it out for 3260");
    portal->port = (uint16_t)number;
    return 0;
}

static int parse_portals(struct parse *parse, struct span text)
{
    struct sto_url *url = parse->url;

    do {
        struct span rest;
        struct span one = split(text, ';', &rest);
        int rc;

        if (url->portal_count == STO_URL_PORTALS)
            return wrong(parse, "more than 4 portals", "name the ones that are tried first");
        rc = parse_portal(parse, one, &url->portals[url->portal_count]);
        if (rc < 0)
            return rc;
        url->portal_count++;
        text = rest;
    } while (text.at != NULL);
    return 0;
}

static bool is_iscsi_name(const char *name)
{
    return (strncmp(name, "iqn.", 4) == 0 || strncmp(name, "eui.", 4) == 0 ||
            strncmp(name, "naa.", 4) == 0) &&
           name[4] != '\0';
}

static int parse_iscsi(struct parse *parse, struct span text)
{
    struct sto_url *url = parse->url;
    struct span rest;
    struct span authority;
    struct span target;
    uint64_t lun;
    int rc;

    if (text.size < 2 || memcmp(text.at, "//", 2) != 0)
        return wrong(parse, "'//' is missing after 'iscsi:'", "write iscsi://host[:port]/iqn/lun");
    text = span_of(text.at + 2, text.size - 2);
    for (size_t i = text.size; i > 0; i--) {
        if (text.at[i - 1] != '@')
            continue;
        if (!copy_token(span_of(text.at, i - 1), "._-+", url->user, sizeof(url->user)))
            return wrong(parse,
                         "a URL may hold a user of letters, digits and . _ - + only, and never a "
                         "password",
                         "put user and password into a file and name it with ?secret-file=PATH");
        text = span_of(text.at + i, text.size - i);
        break;
    }
    authority = split(text, '/', &rest);
    rc = parse_portals(parse, authority);
    if (rc < 0)
        return rc;
    target = split(rest, '/', &rest);
    if (!copy_token(target, ".-:_", url->target, sizeof(url->target)) ||
        !is_iscsi_name(url->target))
        return wrong(parse, "the target is not an iSCSI name (iqn., eui. or naa.)",
                     "write iscsi://host[:port]/iqn/lun");
    if (!parse_number(rest, LUN_MAX, &lun))
        return wrong(parse, "the LUN is not a number from 0 to 16383",
                     "write iscsi://host[:port]/iqn/lun");
    url->lun = (uint16_t)lun;
    return 0;
}

static int parse_path(struct parse *parse, struct span text)
{
    if (!decode_percent(text, parse->url->path, sizeof(parse->url->path)))
        return wrong(parse, "the path is too long or holds control characters or a bare '%'",
                     "spell '%' as %25, '?' as %3F, '#' as %23, ',' as %2C");
    if (parse->url->path[0] != '/')
        return wrong(parse, "the path is not absolute", "write file:/PATH or block:/dev/PATH");
    return 0;
}

/* --- options and area --- */

/* An absolute path, percent-encoded; false if it is none, or too long. */
static bool take_secret_file(struct span text, struct sto_url *url)
{
    return text.at != NULL && text.size > 0 && text.at[0] == '/' &&
           decode_percent(text, url->secret_file, sizeof(url->secret_file));
}

static int parse_word(struct parse *parse, struct span word, bool *window)
{
    struct sto_url *url = parse->url;
    struct span value;
    struct span key = split(word, '=', &value);

    if (span_is(key, "offset") || span_is(key, "size")) {
        uint64_t *place = key.at[0] == 'o' ? &url->offset_bytes : &url->size_bytes;

        if (value.at == NULL || !parse_bytes(value, place) || *place % WINDOW_ALIGN_BYTES != 0)
            return wrong(parse, "offset and size are bytes, multiples of 512, at most 2^63 - 1",
                         "write for example ?offset=1M&size=10G");
        *window = true;
        return 0;
    }
    if (span_is(key, "header-digest")) {
        url->header_digest = value.at != NULL && span_is(value, "crc32c");
        if (!url->header_digest && (value.at == NULL || !span_is(value, "none")))
            return wrong(parse, "header-digest is crc32c or none", "leave it out for none");
        return 0;
    }
    if (span_is(key, "fault")) {
        if (value.at == NULL || value.size == 0 ||
            !copy_token(value, ":+*.-", url->fault, sizeof(url->fault)))
            return wrong(parse, "fault rules are words of letters, digits, ':', '*', '-' and '+'",
                         "write for example ?fault=fail:write:3");
        return 0;
    }
    if (span_is(key, "secret-file")) {
        if (!take_secret_file(value, url))
            return wrong(parse, "secret-file is not an absolute path",
                         "write for example ?secret-file=/etc/hawser/NAME");
        return 0;
    }
    return wrong(parse, "an option is not known",
                 "known are offset, size, header-digest, secret-file and fault");
}

static int parse_words(struct parse *parse, struct span text)
{
    bool window = false;

    while (text.at != NULL) {
        struct span rest;
        struct span word = split(text, '&', &rest);
        int rc = parse_word(parse, word, &window);

        if (rc < 0)
            return rc;
        text = rest;
    }
    if (window)
        parse->url->area = STO_AREA_WINDOW;
    return 0;
}

static int parse_area(struct parse *parse, struct span text)
{
    struct sto_url *url = parse->url;
    uint64_t end;

    if (text.at != NULL && url->area == STO_AREA_WINDOW)
        return wrong(parse, "both a window (offset, size) and an area are given", "use one");
    if (url->area == STO_AREA_WINDOW &&
        (__builtin_add_overflow(url->offset_bytes, url->size_bytes, &end) || end > INT64_MAX))
        return wrong(parse, "offset plus size is too large", NULL);
    if (text.at == NULL)
        return 0;
    if (span_is(text, "disk"))
        url->area = STO_AREA_DISK;
    else if (span_is(text, "state"))
        url->area = STO_AREA_STATE;
    else if (span_is(text, "meta"))
        url->area = STO_AREA_META;
    else
        return wrong(parse, "the area after '#' is not disk, state or meta",
                     "leave it out for the whole LUN");
    return 0;
}

static int parse_span(struct span text, struct sto_url *url, struct hw_error *error)
{
    struct parse parse = { .url = url, .error = error };
    struct span area;
    struct span words;
    struct span rest;
    struct span scheme = split(text, ':', &rest);
    int rc;

    name_object(&parse, text, scheme);
    if (text.size == 0 || text.size >= STO_URL_BYTES)
        return wrong(&parse, text.size == 0 ? "is empty" : "is too long",
                     "write iscsi://host/iqn/lun, block:/dev/... or file:/path");
    rest = split(rest, '#', &area);
    rest = split(rest, '?', &words);
    if (span_is(scheme, "iscsi")) {
        url->scheme = STO_SCHEME_ISCSI;
        rc = parse_iscsi(&parse, rest);
    } else if (span_is(scheme, "block") || span_is(scheme, "file")) {
        url->scheme = scheme.at[0] == 'b' ? STO_SCHEME_BLOCK : STO_SCHEME_FILE;
        rc = parse_path(&parse, rest);
    } else {
        rc = wrong(&parse, "does not start with iscsi:, block: or file:",
                   "write iscsi://host/iqn/lun, block:/dev/... or file:/path");
    }
    if (rc == 0)
        rc = parse_words(&parse, words);
    if (rc == 0)
        rc = parse_area(&parse, area);
    return rc;
}

int sto_url_parse(const char *text, struct sto_url *ret_url, struct hw_error *error)
{
    struct sto_url url = { 0 };
    int rc = parse_span(span_of(text, strlen(text)), &url, error);

    if (rc == 0)
        *ret_url = url;
    return rc;
}

int sto_url_parse_option(const char *text, struct sto_url *ret_url, const char **ret_rest,
                         struct hw_error *error)
{
    static const char key[] = "secret-file=";
    struct sto_url url = { 0 };
    size_t size = strcspn(text, ",");
    const char *rest = text + size;
    int rc = parse_span(span_of(text, size), &url, error);

    if (rc < 0)
        return rc;
    if (*rest == ',')
        rest++;
    while (strncmp(rest, key, sizeof(key) - 1) == 0) {
        const char *path = rest + sizeof(key) - 1;

        size = strcspn(path, ",");
        if (!take_secret_file(span_of(path, size), &url))
            return hw_error_set(error, HW_ERROR_USAGE, EINVAL, "secret-file",
                                "is not an absolute path", "write secret-file=/etc/hawser/NAME");
        rest = path + size;
        if (*rest == ',')
            rest++;
    }
    *ret_url = url;
    *ret_rest = rest;
    return 0;
}
