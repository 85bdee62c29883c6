/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * storage/sto_url and storage/sto_url_print: what is accepted, what is refused and with which
 * words, that printing and reading are each other's reverse, and that no message repeats a secret.
 */
#include <config.h>

#include "storage/sto_url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/hw_prng.h"
#include "tests/unit/unit.h"

/* What is accepted, and its canonical spelling (NULL: the same). */
static const struct {
    const char *text, *canonical;
} good[] = {
    { "iscsi://192.0.2.1/iqn.2026-11.lab:san/1", NULL },
    { "iscsi://192.0.2.1:3260/iqn.2026-11.lab:san/1", "iscsi://192.0.2.1/iqn.2026-11.lab:san/1" },
    { "iscsi://a.b-c_d:1/eui.0123456789abcdef/16383", NULL },
    { "iscsi://a;b:99;[2001:db8::1];[fe80::1%eth0]:3261/naa.5/0", NULL },
    { "iscsi://bob@h/iqn.x/001", "iscsi://bob@h/iqn.x/1" },
    { "iscsi://h/iqn.x/1?header-digest=crc32c&offset=512&size=0&fault=fail:write:3+ua:*:1", NULL },
    { "iscsi://h/iqn.x/1?header-digest=none", "iscsi://h/iqn.x/1" },
    { "iscsi://h/iqn.x/1#disk", NULL },
    { "file:/a/b#state", NULL },
    { "block:/dev/disk/by-id/x#meta", NULL },
    { "file:/a%2Cb%25%3f%23 c", "file:/a%2Cb%25%3F%23%20c" },
    { "file:/a,b", "file:/a%2Cb" },
    { "file:/x?offset=1K&size=1M", "file:/x?offset=1024&size=1048576" },
    { "file:/x?size=2T", "file:/x?offset=0&size=2199023255552" },
};

static const char *const bad[] = {
    "",
    "x",
    "http://h/iqn.x/1",
    "iscsi:",
    "iscsi:/h/iqn.x/1",
    "iscsi://",
    "iscsi:///iqn.x/1",
    "iscsi://h",
    "iscsi://h/",
    "iscsi://h/iqn.x",
    "iscsi://h/iqn.x/",
    "iscsi://h/iqn.x/-1",
    "iscsi://h/iqn.x/1 ",
    "iscsi://h/iqn.x/16384",
    "iscsi://h/iqn.x/99999999999999999999999",
    "iscsi://h/iqn./1",
    "iscsi://h/disk/1",
    "iscsi://h/iqn.x y/1",
    "iscsi://h:0/iqn.x/1",
    "iscsi://h:65536/iqn.x/1",
    "iscsi://h:/iqn.x/1",
    "iscsi://h;/iqn.x/1",
    "iscsi://a;b;c;d;e/iqn.x/1",
    "iscsi://::1/iqn.x/1",
    "iscsi://[::1/iqn.x/1",
    "iscsi://[1.2.3.4]/iqn.x/1",
    "iscsi://[::1]x/iqn.x/1",
    "iscsi://[fe80::1%]/iqn.x/1",
    "iscsi://@h/iqn.x/1",
    "iscsi://h/iqn.x/1?",
    "iscsi://h/iqn.x/1?offset",
    "iscsi://h/iqn.x/1?offset=",
    "iscsi://h/iqn.x/1?offset=1",
    "iscsi://h/iqn.x/1?offset=K",
    "iscsi://h/iqn.x/1?size=-512",
    "iscsi://h/iqn.x/1?offset=8388608T",
    "iscsi://h/iqn.x/1?offset=9223372036854775296&size=512",
    "iscsi://h/iqn.x/1?header-digest=md5",
    "iscsi://h/iqn.x/1?fault=",
    "iscsi://h/iqn.x/1?fault=a b",
    "iscsi://h/iqn.x/1?offset=512#disk",
    "iscsi://h/iqn.x/1#",
    "iscsi://h/iqn.x/1#swap",
    "file:",
    "file:a",
    "file:/a%",
    "file:/a%4",
    "file:/a%zz",
    "file:/a%00",
    "file:/a\n",
    "block:dev/sda",
};

static void accepts_and_prints(void)
{
    for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct sto_url url = { 0 };
        struct sto_url again = { 0 };
        struct hw_error error = { 0 };
        char text[STO_URL_BYTES];
        const char *want = good[i].canonical != NULL ? good[i].canonical : good[i].text;

        CU_ASSERT_EQUAL_FATAL(sto_url_parse(good[i].text, &url, &error), 0);
        CU_ASSERT_EQUAL_FATAL(sto_url_print(&url, text, sizeof(text)), 0);
        CU_ASSERT_STRING_EQUAL(text, want);
        CU_ASSERT_EQUAL_FATAL(sto_url_parse(text, &again, &error), 0);
        CU_ASSERT_EQUAL(memcmp(&url, &again, sizeof(url)), 0);
    }
}

static void fills_the_fields(void)
{
    struct sto_url url;

    CU_ASSERT_EQUAL_FATAL(sto_url_parse("iscsi://bob@a;[2001:db8::1]:99/iqn.x:y/300?"
                                        "header-digest=crc32c&offset=1M&size=2G",
                                        &url, NULL),
                          0);
    CU_ASSERT_EQUAL(url.scheme, STO_SCHEME_ISCSI);
    CU_ASSERT_EQUAL(url.portal_count, 2);
    CU_ASSERT_STRING_EQUAL(url.portals[0].host, "a");
    CU_ASSERT_EQUAL(url.portals[0].port, 3260);
    CU_ASSERT_STRING_EQUAL(url.portals[1].host, "2001:db8::1");
    CU_ASSERT_EQUAL(url.portals[1].port, 99);
    CU_ASSERT_STRING_EQUAL(url.target, "iqn.x:y");
    CU_ASSERT_STRING_EQUAL(url.user, "bob");
    CU_ASSERT_EQUAL(url.lun, 300);
    CU_ASSERT_TRUE(url.header_digest);
    CU_ASSERT_EQUAL(url.area, STO_AREA_WINDOW);
    CU_ASSERT_EQUAL(url.offset_bytes, 1u << 20);
    CU_ASSERT_EQUAL(url.size_bytes, UINT64_C(2) << 30);
    CU_ASSERT_EQUAL_FATAL(sto_url_parse("file:/x#disk", &url, NULL), 0);
    CU_ASSERT_EQUAL(url.area, STO_AREA_DISK);
    CU_ASSERT_STRING_EQUAL(url.path, "/x");
    CU_ASSERT_EQUAL(url.portal_count, 0);
}

static void refuses_with_reason(void)
{
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sto_url url;
        struct hw_error error = { 0 };

        memset(&url, 0x5a, sizeof(url));
        CU_ASSERT_EQUAL(sto_url_parse(bad[i], &url, &error), -EINVAL);
        CU_ASSERT_EQUAL(error.kind, HW_ERROR_USAGE);
        CU_ASSERT_NOT_EQUAL(error.reason[0], '\0');
        CU_ASSERT_EQUAL(url.lun, 0x5a5a); /* untouched */
        CU_ASSERT_EQUAL(sto_url_parse(bad[i], &url, NULL), -EINVAL);
    }
}

static void too_long_is_refused(void)
{
    char text[STO_URL_BYTES + 16];
    struct sto_url url;

    memset(text, 'a', sizeof(text));
    memcpy(text, "file:/", 6);
    text[sizeof(text) - 1] = '\0';
    CU_ASSERT_EQUAL(sto_url_parse(text, &url, NULL), -EINVAL);
    text[6 + STO_URL_PATH_BYTES - 1] = '\0';
    CU_ASSERT_EQUAL(sto_url_parse(text, &url, NULL), -EINVAL);
    text[6 + STO_URL_PATH_BYTES - 2] = '\0';
    CU_ASSERT_EQUAL(sto_url_parse(text, &url, NULL), 0);
}

static void never_repeats_a_secret(void)
{
    static const char *const with_secret[] = {
        "iscsi://bob:hunter2@h/iqn.x/1",       "iscsi://bob%hunter2@h/iqn.x/1",
        "iscsi://bob:hunter2/x?y#z@h/iqn.x/1", "iscsi://hunter2@2@h/iqn.x/1",
        "iscsi://h/iqn.x/1?password=hunter2",  "iscsi://h/iqn.x/1?target_password=hunter2&x=y",
        "iscsi://bob:hunter2@h/iqn.x",
    };

    for (unsigned i = 0; i < sizeof(with_secret) / sizeof(with_secret[0]); i++) {
        struct sto_url url;
        struct hw_error error = { 0 };
        char line[HW_ERROR_LINE_BYTES];

        CU_ASSERT_EQUAL(sto_url_parse(with_secret[i], &url, &error), -EINVAL);
        hw_error_line(&error, line, sizeof(line));
        CU_ASSERT_PTR_NULL(strstr(line, "hunter2"));
    }
}

static void names_a_secret_file(void)
{
    static const char *const wrong[] = { "iscsi://h/iqn.x/1?secret-file=",
                                         "iscsi://h/iqn.x/1?secret-file",
                                         "iscsi://h/iqn.x/1?secret-file=hunter2" };
    struct sto_url url;
    char printed[STO_URL_BYTES];

    CU_ASSERT_EQUAL(
        sto_url_parse("iscsi://u@h/iqn.x/1?secret-file=/etc/a%26b&header-digest=crc32c#disk", &url,
                      NULL),
        0);
    CU_ASSERT_STRING_EQUAL(url.secret_file, "/etc/a&b");
    CU_ASSERT_TRUE(url.header_digest);
    CU_ASSERT_EQUAL(sto_url_print(&url, printed, sizeof(printed)), 0);
    CU_ASSERT_PTR_NULL(strstr(printed, "secret"));
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct hw_error error = { 0 };
        char line[HW_ERROR_LINE_BYTES];

        CU_ASSERT_EQUAL(sto_url_parse(wrong[i], &url, &error), -EINVAL);
        hw_error_line(&error, line, sizeof(line));
        CU_ASSERT_PTR_NOT_NULL(strstr(line, "?secret-file=/"));
        CU_ASSERT_PTR_NULL(strstr(line, "hunter2"));
    }
}

static void option_ends_at_the_comma(void)
{
    struct sto_url url = { 0 };
    const char *rest = NULL;
    struct hw_error error = { 0 };

    CU_ASSERT_EQUAL(
        sto_url_parse_option("file:/a%2Cb#disk,secret-file=/s%2Ct,ro,x=y", &url, &rest, &error), 0);
    CU_ASSERT_STRING_EQUAL(url.path, "/a,b");
    CU_ASSERT_EQUAL(url.area, STO_AREA_DISK);
    CU_ASSERT_STRING_EQUAL(url.secret_file, "/s,t");
    CU_ASSERT_STRING_EQUAL(rest, "ro,x=y");
    CU_ASSERT_EQUAL(sto_url_parse_option("file:/a", &url, &rest, &error), 0);
    CU_ASSERT_STRING_EQUAL(rest, "");
    CU_ASSERT_STRING_EQUAL(url.secret_file, "");
    CU_ASSERT_EQUAL(sto_url_parse_option("file:/a,secret-file=", &url, &rest, &error), -EINVAL);
    CU_ASSERT_EQUAL(sto_url_parse_option("file:/a,secret-file=x", &url, &rest, NULL), -EINVAL);
    CU_ASSERT_EQUAL(sto_url_parse_option("file:a,ro", &url, &rest, NULL), -EINVAL);
}

static void print_needs_room(void)
{
    struct sto_url url;
    char text[64];

    CU_ASSERT_EQUAL_FATAL(sto_url_parse("iscsi://h/iqn.x/1#disk", &url, NULL), 0);
    for (unsigned size = 0; size <= strlen("iscsi://h/iqn.x/1#disk"); size++)
        CU_ASSERT_EQUAL(sto_url_print(&url, text, size), -ENOSPC);
    CU_ASSERT_EQUAL(sto_url_print(&url, text, strlen("iscsi://h/iqn.x/1#disk") + 1), 0);
    CU_ASSERT_STRING_EQUAL(text, "iscsi://h/iqn.x/1#disk");
}

/* Bytes changed at random: refused, or accepted and then a round trip. */
static void survives_random_changes(void)
{
    static const char letters[] = "a1:/;@[]?#&=%,+-. \n\x7f\xc3";
    struct hw_prng prng = hw_prng_seeded(7);

    for (unsigned round = 0; round < 20000; round++) {
        char text[128];
        char printed[STO_URL_BYTES];
        struct sto_url url = { 0 };
        struct sto_url again = { 0 };
        unsigned from = (unsigned)hw_prng_below(&prng, sizeof(good) / sizeof(good[0]));

        snprintf(text, sizeof(text), "%s", good[from].text);
        for (uint64_t i = hw_prng_below(&prng, 4); i > 0; i--)
            text[hw_prng_below(&prng, strlen(text))] =
                letters[hw_prng_below(&prng, sizeof(letters) - 1)];
        if (sto_url_parse(text, &url, NULL) != 0)
            continue;
        CU_ASSERT_EQUAL_FATAL(sto_url_print(&url, printed, sizeof(printed)), 0);
        CU_ASSERT_EQUAL_FATAL(sto_url_parse(printed, &again, NULL), 0);
        CU_ASSERT_EQUAL_FATAL(memcmp(&url, &again, sizeof(url)), 0);
    }
}

const struct unit_case unit_cases[] = {
    { "good URLs are read, and printed in the canonical spelling", accepts_and_prints },
    { "the fields are filled", fills_the_fields },
    { "bad URLs are refused with a reason", refuses_with_reason },
    { "long URLs are refused", too_long_is_refused },
    { "no message repeats a secret", never_repeats_a_secret },
    { "a URL may name the secret's file", names_a_secret_file },
    { "an option's value ends at the comma", option_ends_at_the_comma },
    { "printing needs room", print_needs_room },
    { "random changes are refused or survive a round trip", survives_random_changes },
    { 0 },
};
