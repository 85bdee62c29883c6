/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A LUN of the server: opened before lock-in, driven by the server's loop. Which of the two kinds
 * it is, is nobody else's business.
 */
#include "config.h"

#include "storage/serve/sv_lun_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "storage/serve/sv_resolve.h"
#include "storage/sto_presence.h"

enum { FILE_IO_MS = 24 * 3600 * 1000 /* a file's request ends when the kernel says so */ };

void lun_tell(struct sv_lun *lun, enum sv_lun_event event, const struct sto_owner_notice *notice,
              const struct hw_error *error)
{
    lun->callbacks.event(lun->callbacks.context, lun, event, notice, error);
}

static void noticed(void *context, const struct sto_owner_notice *notice)
{
    struct sv_lun *lun = context;

    if (notice->notice == STO_OWN_NOTICE_OWNED) {
        lun_tell(lun, SV_LUN_OWNED, notice, NULL);
        lun_read_layout(lun);
    } else {
        lun_tell(lun, SV_LUN_OTHER, notice, NULL);
    }
}

static int make_owner(struct sv_lun *lun)
{
    const struct sv_config *config = lun->config;
    const struct sto_owner_callbacks callbacks = { .notice = noticed, .context = lun };
    struct sto_owner_config owner = { 0 };

    memcpy(owner.own.cluster_uuid, config->cluster_uuid, sizeof(owner.own.cluster_uuid));
    sto_presence_boot_id(owner.own.boot_id);
    owner.own.node = config->node;
    owner.own.use_record = true;
    owner.own.steady_check = true;
    owner.own.deadman_ms = config->deadman_ms;
    owner.own.store_ms = config->store_ms;
    owner.own.seed = (uint64_t)hw_clock_now_ns(hw_clock_boottime());
    if (config->lease == SV_LEASE_STORAGE)
        owner.lease_ms = config->store_ms;
    return sto_owner_new(lun->lun, &owner, &callbacks, &lun->owner);
}

/* A file's requests end with the kernel's answer; nothing else can happen to them. */
static void plain_event(void *context, enum sto_gate_event event, uint16_t asc_ascq)
{
    struct sv_lun *lun = context;
    struct hw_error error = { 0 };

    (void)asc_ascq;
    if (event == STO_GATE_DRAINED || event == STO_GATE_EXPIRED)
        return;
    (void)hw_error_set(&error, HW_ERROR_FAILED, EIO, sto_lun_name(lun->lun),
                       "a request's outcome is unknown", "see the kernel's log");
    lun_tell(lun, SV_LUN_FAILED, NULL, &error);
}

/* Wait a step for a predecessor that is being ended; false: it had its time. */
static bool wait_for_predecessor(int64_t end_ms)
{
    const struct timespec step = { .tv_nsec = LUN_PRESENCE_STEP_MS * 1000000L };

    if (hw_clock_now_ms(hw_clock_boottime()) >= end_ms)
        return false;
    (void)nanosleep(&step, NULL);
    return true;
}

static int take_presence(struct sv_lun *lun, struct hw_error *error)
{
    const int64_t end_ms = hw_clock_now_ms(hw_clock_boottime()) + LUN_PRESENCE_MS;
    int rc;

    for (;;) {
        hw_error_clear(error);
        rc = sto_presence_take(&lun->url, lun->config->cluster_uuid, lun->config->node,
                               &lun->presence_fd, error);
        if (rc != -EBUSY || !wait_for_predecessor(end_ms))
            return rc;
    }
}

/*
 * A process that was killed is gone before its requests are: the kernel keeps the file's lock until
 * the last of them is over. So nothing of a predecessor's lands behind what this process writes.
 */
static int log_in_now(struct sv_lun *lun, struct hw_error *error)
{
    const int64_t end_ms = hw_clock_now_ms(hw_clock_boottime()) + LUN_PRESENCE_MS;

    for (enum sto_session session = 0; session < STO_SESSIONS; session++) {
        struct sto_op op;
        int rc;

        do {
            op = (struct sto_op) { .kind = STO_OP_LOGIN, .session = session };
            rc = sto_run_op(lun->lun, &op);
        } while (rc == 0 && op.result.rc == STO_BUSY && wait_for_predecessor(end_ms));
        if (rc == 0 && op.result.rc == STO_BUSY)
            return hw_error_set(error, HW_ERROR_REFUSED, EBUSY, sto_lun_name(lun->lun),
                                op.result.detail, "stop that process, or choose another file");
        if (rc < 0 || op.result.rc != STO_OK)
            return hw_error_setf(error, HW_ERROR_FAILED, EIO, sto_lun_name(lun->lun),
                                 "check that it is there and may be opened", "%s",
                                 op.result.detail[0] != '\0' ? op.result.detail
                                                             : sto_rc_name(op.result.rc));
    }
    return sto_run_identify(lun->lun, LUN_LOOK_MS, NULL, error);
}

static int open_access(struct sv_lun *lun, bool read_only, struct hw_error *error)
{
    struct sto_lun_options options = { .initiator = lun->config->initiator,
                                       .node = lun->config->node,
                                       .read_only = read_only };
    int rc = sv_resolve_portals(&lun->url, error);

    if (!sv_config_reserves(&lun->url))
        options.io_timeout_ms = FILE_IO_MS;
    if (rc == 0)
        rc = take_presence(lun, error);
    if (rc == 0)
        rc = lun->wwid_fd = sto_presence_socket(error);
    if (rc > 0)
        rc = 0;
    if (rc == 0)
        rc = sto_lun_open(&lun->url, &options, &lun->lun, error);
    if (rc == 0 && lun->url.scheme == STO_SCHEME_FILE)
        rc = log_in_now(lun, error);
    return rc;
}

static int make_gate(struct sv_lun *lun, struct hw_error *error)
{
    int rc = 0;

    if (sv_config_reserves(&lun->url))
        rc = make_owner(lun);
    else if ((lun->gate = sto_gate_new(lun->lun, plain_event, lun)) == NULL)
        rc = -ENOMEM;
    if (rc < 0)
        (void)hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    return rc;
}

/* Is every disk on it read-only? Then it is opened so. */
static bool only_read(const struct sv_config *config, const struct sto_url *url)
{
    for (unsigned i = 0; i < config->disk_count; i++)
        if (sv_config_same_lun(&config->disks[i].url, url) && !config->disks[i].read_only)
            return false;
    return true;
}

int sv_lun_new(const struct sto_url *url, const struct sv_config *config, bool layout,
               const struct sv_lun_callbacks *callbacks, struct sv_lun **ret_lun,
               struct hw_error *error)
{
    struct sv_lun *lun = calloc(1, sizeof(*lun));
    int rc;

    if (lun == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    lun->config = config;
    lun->callbacks = *callbacks;
    lun->url = *url;
    lun->url.area = STO_AREA_WHOLE;
    lun->url.offset_bytes = lun->url.size_bytes = 0;
    lun->want_layout = layout;
    lun->presence_fd = lun->wwid_fd = -1;
    lun->name_again_ns = INT64_MAX;
    lun->edges = aligned_alloc(LUN_PAGE_BYTES, 2 * STO_LAYOUT_EDGE_BYTES + 2 * LUN_PAGE_BYTES);
    if (lun->edges != NULL)
        lun->description = lun->edges + 2 * STO_LAYOUT_EDGE_BYTES;
    if (lun->edges == NULL)
        rc = hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "memory", "ran out", "");
    else
        rc = open_access(lun, !sv_config_reserves(url) && only_read(config, url), error);
    if (rc == 0)
        rc = make_gate(lun, error);
    if (rc < 0) {
        sv_lun_free(lun);
        return rc;
    }
    *ret_lun = lun;
    return 0;
}

static void ignore(void *context, struct sv_lun *lun, enum sv_lun_event event,
                   const struct sto_owner_notice *notice, const struct hw_error *error)
{
    (void)context, (void)lun, (void)event, (void)notice, (void)error;
}

void sv_lun_free(struct sv_lun *lun)
{
    if (lun == NULL)
        return;
    lun->callbacks.event = ignore;
    if (lun->owner != NULL) {
        sto_owner_free(lun->owner); /* and the LUN with it */
    } else {
        if (lun->gate != NULL)
            sto_gate_kill(lun->gate);
        sto_lun_close(lun->lun);
        sto_gate_free(lun->gate);
    }
    if (lun->presence_fd >= 0)
        (void)close(lun->presence_fd);
    if (lun->wwid_fd >= 0)
        (void)close(lun->wwid_fd);
    free(lun->edges);
    free(lun);
}

bool sv_lun_reserves(const struct sv_lun *lun)
{
    return lun->owner != NULL;
}

void sv_lun_open_plain(struct sv_lun *lun)
{
    if (lun->gate == NULL)
        return;
    sto_gate_open(lun->gate);
    lun_tell(lun, SV_LUN_OWNED, NULL, NULL);
    lun_read_layout(lun);
}

struct sto_owner *sv_lun_owner(const struct sv_lun *lun)
{
    return lun->owner;
}

int sv_lun_submit(struct sv_lun *lun, struct sto_request *request)
{
    return lun->owner != NULL ? sto_owner_submit(lun->owner, request)
                              : sto_gate_submit(lun->gate, request);
}

int sv_lun_submit_to(void *to, struct sto_request *request)
{
    return sv_lun_submit(to, request);
}

void sv_lun_gather(struct sv_lun *lun)
{
    sto_lun_gather(lun->lun);
}

void sv_lun_hand_over(struct sv_lun *lun)
{
    sto_lun_hand_over(lun->lun);
}

void sv_lun_abandon(struct sv_lun *lun, struct sto_request *request)
{
    if (lun->owner != NULL)
        sto_owner_abandon(lun->owner, request);
    else
        sto_gate_abandon(lun->gate, request);
}

void sv_lun_set_deadline(struct sv_lun *lun, const _Atomic int64_t *until_ns)
{
    if (lun->owner != NULL)
        sto_owner_set_deadline(lun->owner, until_ns);
    else
        sto_gate_set_deadline(lun->gate, until_ns);
}

struct sto_lun *sv_lun_access(const struct sv_lun *lun)
{
    return lun->lun;
}

const char *sv_lun_name(const struct sv_lun *lun)
{
    return sto_lun_name(lun->lun);
}

const struct sto_facts *sv_lun_facts(const struct sv_lun *lun)
{
    return sto_lun_facts(lun->lun);
}

struct sto_gate_stats sv_lun_gate_stats(const struct sv_lun *lun)
{
    return lun->owner != NULL ? sto_owner_gate_stats(lun->owner) : sto_gate_stats(lun->gate);
}

int sv_lun_fd(const struct sv_lun *lun)
{
    return sto_lun_fd(lun->lun);
}

short sv_lun_events(const struct sv_lun *lun)
{
    return sto_lun_events(lun->lun);
}

int64_t sv_lun_next_ns(const struct sv_lun *lun)
{
    const int64_t next_ns =
        lun->owner != NULL ? sto_owner_next_ns(lun->owner) : sto_gate_next_ns(lun->gate);

    return lun->name_again_ns < next_ns ? lun->name_again_ns : next_ns;
}

void sv_lun_service(struct sv_lun *lun, short revents)
{
    if (lun->owner != NULL) {
        sto_owner_service(lun->owner, revents);
    } else {
        sto_lun_service(lun->lun, revents);
        sto_gate_service(lun->gate);
    }
    if (lun->name_again_ns <= hw_clock_now_ns(hw_clock_boottime()))
        lun_take_name(lun);
}

unsigned sv_lun_ports(const struct sv_lun *lun, uint16_t ret_ports[STO_URL_PORTALS])
{
    if (lun->url.scheme != STO_SCHEME_ISCSI)
        return 0;
    for (unsigned i = 0; i < lun->url.portal_count; i++)
        ret_ports[i] = lun->url.portals[i].port;
    return lun->url.portal_count;
}

bool sv_lun_may_discard(const struct sv_lun *lun)
{
    return lun->may_discard;
}

bool sv_lun_needs_host(const struct sv_lun *lun)
{
    return lun->url.scheme == STO_SCHEME_BLOCK;
}
