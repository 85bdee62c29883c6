/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hawser lun scan: the targets behind a portal, their LUNs and what those hold. Reads only. A
 * target or LUN that cannot be read has its line with the reason; the others are still shown.
 */
#include <config.h>

#include "cli/cmd_lun.h"

#include "cli/lun_view.h"
#include "common/hw_values.h"
#include "storage/sto_discover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { INITIATOR_BYTES = 224, TIMEOUT_MS = 5000, TIMEOUT_MOST_MS = 3600 * 1000 };

struct scan {
    struct hw_call *call;
    struct sto_url portal; /* with any target */
    struct sto_targets targets;
    struct cli_view view;
    json_t *json; /* list of LUNs and failures, with --json */
    unsigned found, failed;
};

/* A portal is "HOST[:PORT]" or "iscsi://HOST[:PORT]"; read it as the URL of some LUN there. */
static int parse_portal(struct scan *scan, struct hw_error *error)
{
    const char *text = hw_argument(scan->call, 0);
    const char *prefix = "iscsi://";
    const char *host = strncmp(text, prefix, strlen(prefix)) == 0 ? text + strlen(prefix) : text;
    size_t size = strcspn(host, "/");
    char url[STO_URL_BYTES];

    if (size == 0 || size > sizeof(url) - 64 || (host[size] == '/' && host[size + 1] != '\0'))
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, text, "is not a portal",
                            "give it as 10.77.0.100 or iscsi://10.77.0.100:3260");
    (void)snprintf(url, sizeof(url), "iscsi://%.*s/iqn.2026-11.hawser:discovery/0", (int)size,
                   host);
    if (sto_url_parse(url, &scan->portal, NULL) < 0)
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, text, "is not a portal",
                            "give it as 10.77.0.100 or iscsi://10.77.0.100:3260");
    if (hw_option_given(scan->call, "secret-file"))
        (void)snprintf(scan->portal.secret_file, sizeof(scan->portal.secret_file), "%s",
                       hw_option_value(scan->call, "secret-file", 0));
    return 0;
}

static void lun_url(const struct scan *scan, const char *target, uint16_t lun,
                    char text[STO_URL_BYTES])
{
    struct sto_url url = scan->portal;

    (void)snprintf(url.target, sizeof(url.target), "%s", target);
    url.lun = lun;
    if (sto_url_print(&url, text, STO_URL_BYTES) < 0)
        text[0] = '\0';
}

static void print_failure(struct scan *scan, const char *url, const struct hw_error *error)
{
    scan->failed++;
    if (scan->json != NULL)
        (void)json_array_append_new(
            scan->json, json_pack("{s:s, s:{s:s, s:s, s:s}}", "url", url, "error", "object",
                                  error->object, "reason", error->reason, "remedy", error->remedy));
    else
        (void)fprintf(scan->call->out, "%s  -  %s\n", url, error->reason);
}

static void print_lun(struct scan *scan, const char *url)
{
    const struct cli_view *view = &scan->view;
    char size[STO_SIZE_TEXT_BYTES], owner[CLI_OWNER_TEXT_BYTES], holds[200];

    scan->found++;
    if (scan->json != NULL) {
        (void)json_array_append_new(scan->json, cli_view_json(view));
        return;
    }
    sto_findings_line(&view->findings, holds, sizeof(holds));
    if (view->layout_rc == 0)
        (void)snprintf(holds, sizeof(holds), "hawser, owner %s", cli_view_owner_text(view, owner));
    else if (holds[0] == '\0')
        (void)snprintf(holds, sizeof(holds), "empty");
    (void)fprintf(scan->call->out, "%s  %s  %s %s  %s\n", url,
                  sto_size_text(view->facts.capacity_bytes, size), view->facts.vendor,
                  view->facts.product, holds);
}

/* A LUN that is no disk (a target's own controller) is left out without a word. */
static void scan_lun(struct scan *scan, const char *url)
{
    struct hw_error error = { 0 };
    struct cli_lun lun = { 0 };
    int rc = cli_lun_open(scan->call, url, CLI_LUN_READ_ONLY, &lun, &error);

    if (rc == -ENXIO)
        return;
    if (rc == 0)
        rc = cli_view_gather(&lun, url, true, &scan->view, &error);
    cli_lun_close(&lun);
    if (rc < 0)
        print_failure(scan, url, &error);
    else
        print_lun(scan, url);
}

static void scan_target(struct scan *scan, const char *target)
{
    uint16_t luns[STO_DISCOVER_LUNS];
    struct hw_error error = { 0 };
    struct cli_lun lun = { 0 };
    char url[STO_URL_BYTES];
    unsigned count = 0;
    int rc;

    lun_url(scan, target, 0, url);
    rc = cli_lun_open(scan->call, url, CLI_LUN_READ_ONLY | CLI_LUN_UNKNOWN, &lun, &error);
    if (rc == 0)
        rc = sto_tool_login(lun.lun, STO_SESSION_DATA, &error);
    if (rc == 0)
        rc = sto_discover_luns(lun.lun, luns, &count, &error);
    cli_lun_close(&lun);
    if (rc < 0) {
        print_failure(scan, target, &error);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        lun_url(scan, target, luns[i], url);
        scan_lun(scan, url);
    }
}

static int scan_portal(struct scan *scan, struct hw_error *error)
{
    const char *initiator = hw_option_value(scan->call, "initiator", 0);
    uint64_t timeout_ms = TIMEOUT_MS;
    int rc = hw_option_duration(scan->call, "timeout", 1, TIMEOUT_MOST_MS, &timeout_ms, error);

    if (rc == 0)
        rc = parse_portal(scan, error);
    if (rc == 0)
        rc = sto_discover_targets(&scan->portal,
                                  initiator != NULL ? initiator : "iqn.2026-11.hawser:scan",
                                  (uint32_t)timeout_ms, &scan->targets, error);
    if (rc < 0)
        return rc;
    for (unsigned i = 0; i < scan->targets.count; i++)
        scan_target(scan, scan->targets.items[i].name);
    if (scan->targets.left_off > 0)
        (void)fprintf(scan->call->err, "hawser: %u targets more were left off\n",
                      scan->targets.left_off);
    return 0;
}

int cmd_lun_scan(struct hw_call *call)
{
    struct hw_error error = { 0 };
    struct scan *scan = calloc(1, sizeof(*scan));
    int status;

    if (scan == NULL) {
        (void)hw_error_set(&error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
        return hw_fail(call, &error);
    }
    scan->call = call;
    if (hw_option_given(call, "json"))
        scan->json = json_array();
    if (scan_portal(scan, &error) < 0) {
        json_decref(scan->json);
        status = hw_fail(call, &error);
    } else {
        status = scan->json != NULL ? cli_print_json(call, scan->json) : 0;
        if (scan->json == NULL && scan->found + scan->failed == 0)
            (void)fputs("no LUNs\n", call->out);
        if (status == 0 && scan->found == 0 && scan->failed > 0)
            status = HW_ERROR_FAILED;
    }
    free(scan);
    return status;
}
