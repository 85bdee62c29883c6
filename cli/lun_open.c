/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening a LUN for a verb, and the options that the verbs share. Must not write to a LUN.
 */
#include <config.h>

#include "cli/lun_open.h"

#include "cli/lun_wait.h"

#include "common/hw_values.h"
#include "storage/sto_layout.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { TIMEOUT_MS = 5000, TIMEOUT_MOST_MS = 3600 * 1000, SLOW_MS = 30000 };
enum { TELL_MS = 2000 };

int cli_lun_url(const struct hw_call *call, const char *text, struct sto_url *ret_url,
                struct hw_error *error)
{
    const char *secret_file = hw_option_value(call, "secret-file", 0);
    int rc = sto_url_parse(text, ret_url, error);

    if (rc < 0)
        return rc;
    if (ret_url->area != STO_AREA_WHOLE)
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, text, "names a part of a LUN",
                            "name the whole LUN, without # and offset");
    if (secret_file == NULL)
        return 0;
    if (strlen(secret_file) >= sizeof(ret_url->secret_file))
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, "--secret-file", "too long", "");
    memcpy(ret_url->secret_file, secret_file, strlen(secret_file) + 1);
    return 0;
}

int cli_lun_open(const struct hw_call *call, const char *text, unsigned flags,
                 struct cli_lun *ret_lun, struct hw_error *error)
{
    struct cli_lun lun = { .timeout_ms = TIMEOUT_MS,
                           .err = hw_option_given(call, "json") ? NULL : call->err };
    uint64_t timeout_ms = TIMEOUT_MS, node = 0;
    int rc = hw_option_duration(call, "timeout", 1, TIMEOUT_MOST_MS, &timeout_ms, error);

    if (rc == 0)
        rc = hw_option_number(call, "node", 1, UINT16_MAX, &node, error);
    if (rc == 0)
        rc = cli_lun_url(call, text, &lun.url, error);
    if (rc < 0)
        return rc;
    lun.timeout_ms = (uint32_t)timeout_ms;
    lun.options.initiator = hw_option_value(call, "initiator", 0);
    lun.options.node = (uint32_t)node;
    lun.options.isid_salt = (uint32_t)getpid();
    lun.options.connect_ms = lun.timeout_ms;
    lun.options.io_timeout_ms = lun.timeout_ms;
    if ((flags & CLI_LUN_SLOW) != 0 && lun.options.io_timeout_ms < SLOW_MS)
        lun.options.io_timeout_ms = SLOW_MS;
    lun.options.read_only = (flags & CLI_LUN_READ_ONLY) != 0;
    rc = sto_lun_open(&lun.url, &lun.options, &lun.lun, error);
    if (rc < 0)
        return rc;
    if ((flags & CLI_LUN_UNKNOWN) == 0) {
        struct cli_wait wait;

        cli_wait_begin(&wait, lun.err, sto_lun_name(lun.lun), "the answer of its target", TELL_MS,
                       (int64_t)lun.timeout_ms);
        rc = sto_tool_login(lun.lun, STO_SESSION_DATA, error);
        cli_wait_end(&wait);
        cli_wait_begin(&wait, lun.err, sto_lun_name(lun.lun), "its LUN's description", TELL_MS,
                       (int64_t)lun.timeout_ms);
        if (rc == 0)
            rc = sto_run_identify(lun.lun, lun.timeout_ms, &lun.facts, error);
        cli_wait_end(&wait);
    }
    /* opened so for the look: what counts is whether it could be written */
    if (lun.options.read_only && lun.url.scheme == STO_SCHEME_FILE)
        lun.facts.read_only = access(lun.url.path, W_OK) != 0;
    if (rc < 0)
        sto_lun_close(lun.lun);
    else
        *ret_lun = lun;
    return rc;
}

void cli_lun_close(struct cli_lun *lun)
{
    if (lun->lun != NULL) {
        struct sto_op logout = { .kind = STO_OP_LOGOUT, .session = STO_SESSION_DATA };

        logout.timeout_ms = lun->timeout_ms;
        (void)sto_run_op(lun->lun, &logout);
        sto_lun_close(lun->lun);
    }
    lun->lun = NULL;
}

bool cli_lun_can_reserve(const struct cli_lun *lun)
{
    return lun->facts.scsi && lun->facts.reservations;
}

int cli_lun_identity(const struct hw_call *call, struct cli_identity *ret_identity,
                     struct hw_error *error)
{
    const char *cluster = hw_option_value(call, "cluster", 0);
    struct cli_identity identity = { 0 };
    uint64_t node = 0, generation = 0;
    int rc;

    if (cluster != NULL && !sto_guid_parse(cluster, identity.cluster_uuid))
        return hw_error_setf(error, HW_ERROR_USAGE, EINVAL, "--cluster",
                             "give it as 6b1f0c5e-8f0a-4d1e-9d5a-0c2b7a3e4f11",
                             "\"%s\" is not a UUID", cluster);
    rc = hw_option_number(call, "node", 1, UINT16_MAX, &node, error);
    if (rc == 0)
        rc = hw_option_number(call, "generation", 1, STO_GENERATION_MAX, &generation, error);
    if (rc < 0)
        return rc;
    if (cluster == NULL || node == 0 || generation == 0)
        return hw_error_setf(error, HW_ERROR_REFUSED, EPERM, call->verb->path,
                             "give --cluster UUID --node N --generation G, and be sure that no "
                             "other node acts on this LUN",
                             "nobody says who acts (no%s%s%s): clusterd is not part of this "
                             "version yet",
                             cluster == NULL ? " --cluster" : "", node == 0 ? " --node" : "",
                             generation == 0 ? " --generation" : "");
    identity.node = (uint16_t)node;
    identity.generation = (uint32_t)generation;
    *ret_identity = identity;
    return 0;
}

void cli_progress_begin(struct cli_progress *progress, FILE *out, const char *what,
                        uint64_t total_bytes)
{
    *progress = (struct cli_progress) {
        .out = isatty(fileno(out)) ? out : NULL,
        .what = what,
        .total_bytes = total_bytes,
        .percent = -1,
    };
}

void cli_progress_show(struct cli_progress *progress, uint64_t done_bytes)
{
    int percent;

    if (progress->out == NULL || progress->total_bytes == 0)
        return;
    percent = (int)((double)done_bytes * 100 / (double)progress->total_bytes);
    if (percent == progress->percent)
        return;
    progress->percent = percent;
    (void)fprintf(progress->out, "\r%s: %d %%", progress->what, percent);
    (void)fflush(progress->out);
}

void cli_progress_end(struct cli_progress *progress)
{
    if (progress->out != NULL && progress->percent >= 0)
        (void)fputs("\r\033[K", progress->out);
}

int cli_print_json(const struct hw_call *call, json_t *value)
{
    int rc = value != NULL ? json_dumpf(value, call->out, JSON_COMPACT) : -1;

    json_decref(value);
    if (rc < 0 && !ferror(call->out)) { /* what cannot be written is told at the end */
        struct hw_error error = { 0 };

        (void)hw_error_set(&error, HW_ERROR_FAILED, ENOMEM, "output", "cannot be made as JSON",
                           "free some memory, or leave --json out");
        return hw_fail(call, &error);
    }
    (void)fputc('\n', call->out);
    return 0;
}

int cli_random_guid(uint8_t ret_guid[STO_GUID_BYTES])
{
    ssize_t got = getrandom(ret_guid, STO_GUID_BYTES, 0);

    if (got != STO_GUID_BYTES)
        return got < 0 ? -errno : -EIO;
    ret_guid[6] = (uint8_t)((ret_guid[6] & 0x0f) | 0x40); /* version 4 (RFC 4122 4.4) */
    ret_guid[8] = (uint8_t)((ret_guid[8] & 0x3f) | 0x80);
    return 0;
}
