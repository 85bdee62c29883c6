/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SendTargets over a discovery session of libiscsi, asynchronous calls only, under one deadline of
 * our own; and the decoding of REPORT LUNS.
 */
#include "config.h"

#include "storage/sto_discover.h"

#include <errno.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hw_clock.h"
#include "common/hw_cursor.h"
#include "storage/sto_cdb.h"
#include "storage/sto_resolve.h"
#include "storage/sto_secret.h"
#include "storage/sto_tool.h"

enum { SLICE_MS = 50, PORTAL_TEXT_BYTES = 300, NS_PER_MS = 1000000 };
enum { REPORT_BYTES = 8 + 8 * STO_DISCOVER_LUNS };

struct discovery {
    struct sto_targets *targets;
    const char *name; /* of the portal in messages */
    bool ended;
    bool logged_in;
    int rc;
    int64_t deadline_ns;
    struct hw_error *error;
};

/* --- LUNs --- */

static int by_number(const void *left, const void *right)
{
    return (int)*(const uint16_t *)left - (int)*(const uint16_t *)right;
}

unsigned sto_discover_decode_luns(const void *answer, size_t bytes,
                                  uint16_t ret_luns[STO_DISCOVER_LUNS])
{
    struct hw_reader reader = hw_reader_over(answer, bytes);
    uint32_t list_bytes = hw_read_be32(&reader);
    unsigned count = 0;

    hw_read_skip(&reader, 4);
    for (uint32_t at = 0; at + 8 <= list_bytes && hw_reader_left(&reader) >= 8; at += 8) {
        uint16_t first = hw_read_be16(&reader);
        uint16_t second = hw_read_be16(&reader);
        uint32_t rest = hw_read_be32(&reader);
        unsigned method = first >> 14;

        if (second != 0 || rest != 0 || (method == 0 && first > 0xff) || method > 1)
            continue; /* a second level, a bus, or an extended number */
        if (count < STO_DISCOVER_LUNS)
            ret_luns[count++] = (uint16_t)(first & 0x3fff);
    }
    qsort(ret_luns, count, sizeof(ret_luns[0]), by_number);
    return count;
}

int sto_discover_luns(struct sto_lun *lun, uint16_t ret_luns[STO_DISCOVER_LUNS],
                      unsigned *ret_count, struct hw_error *error)
{
    uint8_t answer[REPORT_BYTES] = { 0 };
    struct iovec iov = { .iov_base = answer, .iov_len = sizeof(answer) };
    struct sto_op op = {
        .kind = STO_OP_SCSI, .direction = STO_DIRECTION_IN, .iov = &iov, .iov_count = 1
    };
    int rc;

    op.cdb_bytes = sto_cdb_report_luns(op.cdb, sizeof(answer));
    rc = sto_tool_run(lun, &op);
    if (rc < 0)
        return hw_error_set(error, HW_ERROR_FAILED, -rc, sto_lun_name(lun),
                            "cannot be asked for its LUNs", "");
    if (op.result.rc != STO_OK)
        return sto_tool_fail(lun, "list the target's LUNs", &op.result, error);
    *ret_count = sto_discover_decode_luns(answer, (size_t)op.result.transferred_bytes, ret_luns);
    return 0;
}

/* --- targets --- */

static void fail(struct discovery *discovery, enum hw_error_kind kind, int code, const char *reason,
                 const char *remedy)
{
    discovery->rc = hw_error_set(discovery->error, kind, code, discovery->name, reason, remedy);
    discovery->ended = true;
}

static void keep_target(struct sto_targets *targets, const char *name)
{
    size_t size = strnlen(name, STO_URL_TARGET_BYTES);

    for (unsigned i = 0; i < targets->count; i++) {
        if (strcmp(targets->items[i].name, name) == 0)
            return;
    }
    if (size == 0 || size == STO_URL_TARGET_BYTES || targets->count == STO_DISCOVER_TARGETS) {
        targets->left_off++;
        return;
    }
    memcpy(targets->items[targets->count++].name, name, size + 1);
}

static int by_name(const void *left, const void *right)
{
    return strcmp(((const struct sto_target *)left)->name,
                  ((const struct sto_target *)right)->name);
}

static void listed(struct iscsi_context *context, int status, void *data, void *private)
{
    struct discovery *discovery = private;

    (void)context;
    if (discovery->ended)
        return;
    if (status != SCSI_STATUS_GOOD) {
        fail(discovery, HW_ERROR_FAILED, EIO, "does not list its targets", "see the target's log");
        return;
    }
    for (const struct iscsi_discovery_address *at = data; at != NULL; at = at->next)
        keep_target(discovery->targets, at->target_name);
    discovery->ended = true;
}

static void logged_in(struct iscsi_context *context, int status, void *data, void *private)
{
    struct discovery *discovery = private;

    (void)data;
    if (discovery->ended)
        return;
    discovery->logged_in = true;
    if (status != SCSI_STATUS_GOOD)
        fail(discovery, HW_ERROR_FAILED, EACCES, "refuses the discovery login",
             "give --secret-file if it asks for a secret");
    else if (iscsi_discovery_async(context, listed, discovery) != 0)
        fail(discovery, HW_ERROR_FAILED, EIO, "cannot be asked for its targets", "");
}

static void connected(struct iscsi_context *context, int status, void *data, void *private)
{
    struct discovery *discovery = private;

    (void)data;
    if (discovery->ended)
        return;
    if (status != SCSI_STATUS_GOOD || iscsi_login_async(context, logged_in, discovery) != 0)
        fail(discovery, HW_ERROR_FAILED, EHOSTUNREACH, "cannot be reached: connection refused",
             "check the address and that the target is up");
}

static int64_t now_ns(void)
{
    return hw_clock_now_ns(hw_clock_boottime());
}

static bool too_late(struct discovery *discovery)
{
    if (now_ns() < discovery->deadline_ns)
        return false;
    fail(discovery, HW_ERROR_TIMED_OUT, ETIMEDOUT, "no answer in time",
         "check the address and that the target is up, or give a longer --timeout");
    return true;
}

/* The first address of a host, under the deadline. */
static int resolve(struct discovery *discovery, const char *host, struct sto_addresses *addresses)
{
    struct sto_resolve *lookup = NULL;
    int rc;

    if (sto_resolve_numeric(host, addresses))
        return 0;
    rc = sto_resolve_start(host, &lookup);
    while (rc == 0) {
        rc = sto_resolve_poll(lookup, addresses);
        if (rc != -EINPROGRESS)
            break;
        rc = too_late(discovery) ? -ETIMEDOUT : 0;
        if (rc == 0)
            (void)poll(NULL, 0, SLICE_MS);
    }
    sto_resolve_free(lookup);
    if (rc < 0 && !discovery->ended)
        fail(discovery, HW_ERROR_FAILED, ENOENT, "its name is not known", "check the name");
    return rc;
}

static struct iscsi_context *make_context(struct discovery *discovery, const struct sto_url *url,
                                          const char *initiator)
{
    struct iscsi_context *context = iscsi_create_context(initiator);
    struct sto_secret secret = { 0 };

    if (context == NULL) {
        fail(discovery, HW_ERROR_FAILED, ENOMEM, "out of memory", "");
        return NULL;
    }
    (void)iscsi_set_session_type(context, ISCSI_SESSION_DISCOVERY);
    iscsi_set_noautoreconnect(context, 1);
    if (url->secret_file[0] != '\0') {
        discovery->rc = sto_secret_read(url->secret_file, &secret, discovery->error);
        discovery->ended = discovery->rc < 0;
        if (discovery->rc == 0)
            (void)iscsi_set_initiator_username_pwd(
                context, url->user[0] != '\0' ? url->user : secret.user, secret.password);
        sto_secret_wipe(&secret);
    }
    return context;
}

static void converse(struct discovery *discovery, struct iscsi_context *context)
{
    while (!discovery->ended && !too_late(discovery)) {
        struct pollfd poll_fd = { .fd = iscsi_get_fd(context),
                                  .events = (short)iscsi_which_events(context) };
        int ready = poll(&poll_fd, 1, SLICE_MS);

        if (iscsi_service(context, ready > 0 ? poll_fd.revents : 0) < 0 && !discovery->ended)
            fail(discovery, HW_ERROR_FAILED, EHOSTUNREACH,
                 discovery->logged_in ? "connection lost" : "cannot be reached",
                 "check the address and that the target is up");
    }
}

int sto_discover_targets(const struct sto_url *url, const char *initiator, uint32_t timeout_ms,
                         struct sto_targets *ret_targets, struct hw_error *error)
{
    struct discovery discovery = { .targets = ret_targets,
                                   .name = url->portals[0].host,
                                   .deadline_ns = now_ns() + (int64_t)timeout_ms * NS_PER_MS,
                                   .error = error };
    struct sto_addresses addresses = { 0 };
    char portal[PORTAL_TEXT_BYTES];
    struct iscsi_context *context;
    bool v6;

    memset(ret_targets, 0, sizeof(*ret_targets));
    if (resolve(&discovery, url->portals[0].host, &addresses) < 0)
        return discovery.rc;
    context = make_context(&discovery, url, initiator);
    v6 = strchr(addresses.text[0], ':') != NULL;
    (void)snprintf(portal, sizeof(portal), "%s%s%s:%u", v6 ? "[" : "", addresses.text[0],
                   v6 ? "]" : "", url->portals[0].port);
    if (context != NULL && !discovery.ended) {
        if (iscsi_connect_async(context, portal, connected, &discovery) != 0)
            fail(&discovery, HW_ERROR_FAILED, EHOSTUNREACH, "cannot be reached",
                 "check the address and that the target is up");
        converse(&discovery, context);
    }
    discovery.ended = true; /* callbacks of what is cancelled now say nothing new */
    if (context != NULL)
        (void)iscsi_destroy_context(context);
    qsort(ret_targets->items, ret_targets->count, sizeof(ret_targets->items[0]), by_name);
    return discovery.rc;
}
