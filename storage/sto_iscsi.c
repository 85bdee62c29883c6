/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The userspace iSCSI backend: the LUN's one descriptor (an epoll over both sessions' sockets and
 * a timer), submission, service, and what is read once when it is opened.
 */
#include "config.h"

#include "storage/sto_iscsi_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/hw_cleanup.h"

enum { EVENTS = 4, BLIND_READS = 16 };

static struct sto_iscsi *iscsi_of(struct sto_lun *lun)
{
    return (struct sto_iscsi *)lun;
}

static int64_t lun_now(const struct sto_iscsi *lun)
{
    return hw_clock_now_ns(lun->lun.clock);
}

/* --- service --- */

/* Read the busy session without asking first which descriptor is ready: it almost always is, and
 * that saves a system call for each answer. True if an answer came. */
static bool take_answers(struct sto_iscsi *lun)
{
    struct sto_iscsi_session *data = &lun->sessions[STO_SESSION_DATA];
    const struct sto_op *last = lun->pump.ended.last;

    if (data->link != STO_LINK_UP || data->active.count == 0 || data->lost ||
        ++lun->blind_reads % BLIND_READS == 0) /* the timer and the other session get their turn */
        return false;
    sto_iscsi_session_event(data, EPOLLIN);
    return lun->pump.ended.last != last;
}

static void take_events(struct sto_iscsi *lun)
{
    struct epoll_event events[EVENTS];
    int count = sto_pump_events(&lun->pump, events, EVENTS);

    for (int i = 0; i < count; i++) {
        struct sto_iscsi_session *session = &lun->sessions[events[i].data.u32];

        if (session->context != NULL)
            sto_iscsi_session_event(session, events[i].events);
    }
}

static void tick(struct sto_iscsi *lun)
{
    bool needed = sto_pump_due(&lun->pump);
    int64_t now_ns;

    for (unsigned i = 0; i < STO_SESSIONS; i++) {
        struct sto_iscsi_session *session = &lun->sessions[i];

        needed = needed || session->lost || session->logged_out || session->clear_older;
    }
    if (!needed)
        return;
    now_ns = lun_now(lun);
    for (unsigned i = 0; i < STO_SESSIONS; i++)
        sto_pump_wake_at(&lun->pump, sto_iscsi_session_tick(&lun->sessions[i], now_ns));
}

static void iscsi_service_lun(struct sto_lun *base, short revents)
{
    struct sto_iscsi *lun = iscsi_of(base);

    (void)revents;
    sto_pump_begin(&lun->pump);
    if (!take_answers(lun))
        take_events(lun);
    tick(lun);
    sto_pump_deliver(&lun->pump);
    for (unsigned i = 0; i < STO_SESSIONS; i++) {
        struct sto_iscsi_session *session = &lun->sessions[i];

        sto_iscsi_session_flush(session);
        if (session->context != NULL && !session->lost)
            sto_iscsi_task_recycle(session);
        if (session->lost || session->logged_out || sto_iscsi_can_start(session))
            sto_pump_wake(&lun->pump);
    }
    sto_pump_end_service(&lun->pump);
}

/* --- slots --- */

static int iscsi_submit(struct sto_lun *base, struct sto_op *op)
{
    struct sto_iscsi *lun = iscsi_of(base);
    struct sto_iscsi_session *session = &lun->sessions[op->session];

    if (lun->closing)
        return -ESHUTDOWN;
    if (op->kind == STO_OP_LOGIN) {
        if (session->link != STO_LINK_DOWN)
            return -EALREADY;
        sto_iscsi_login(session, op);
    } else if (op->kind == STO_OP_LOGOUT) {
        sto_iscsi_logout(session, op);
    } else if (session->link != STO_LINK_UP) {
        sto_pump_end_with(&lun->pump, op, STO_NOT_SENT, "the session is down");
        return 0;
    } else if (op->kind == STO_OP_SCSI) { /* who owns it is not asked behind a guest's data */
        sto_op_list_push(&session->waiting, op);
    } else {
        sto_op_list_add(&session->waiting, op);
    }
    sto_pump_wake_at(&lun->pump, op->deadline_ns);
    if (!lun->pump.in_service) {
        sto_iscsi_session_flush(session);
        if (session->lost)
            sto_pump_wake(&lun->pump);
    }
    return 0;
}

static void iscsi_drop(struct sto_lun *base, enum sto_session which)
{
    sto_iscsi_session_down(&iscsi_of(base)->sessions[which], "session dropped", false);
}

static int iscsi_fd(const struct sto_lun *base)
{
    return ((const struct sto_iscsi *)base)->pump.epoll_fd;
}

static short iscsi_events(const struct sto_lun *base)
{
    (void)base;
    return POLLIN;
}

static int iscsi_facts(struct sto_lun *base, struct sto_facts *ret_facts, struct hw_error *error)
{
    (void)base;
    (void)ret_facts;
    (void)error;
    return -ENOTSUP; /* asked by CDB */
}

static void free_lun(struct sto_iscsi *lun)
{
    while (lun->spare != NULL) {
        struct sto_iscsi_task *task = lun->spare;

        lun->spare = task->next;
        free(task);
    }
    sto_pump_close(&lun->pump);
    sto_secret_wipe(&lun->secret);
    free(lun);
}

static void iscsi_close(struct sto_lun *base)
{
    struct sto_iscsi *lun = iscsi_of(base);

    lun->closing = true;
    for (unsigned i = 0; i < STO_SESSIONS; i++)
        sto_iscsi_session_down(&lun->sessions[i], "closed", false);
    sto_pump_deliver_all(&lun->pump);
    free_lun(lun);
}

/* --- open --- */

/* The host's initiator name, as open-iscsi keeps it, or one made of the host's name. */
static void host_initiator(char name[STO_ISCSI_NAME_BYTES])
{
    static const char key[] = "InitiatorName=";
    hw_auto_fclose FILE *file = fopen("/etc/iscsi/initiatorname.iscsi", "re");
    char line[STO_ISCSI_NAME_BYTES + sizeof(key)];
    char host[65] = "localhost";

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, key, sizeof(key) - 1) != 0)
            continue;
        line[strcspn(line, " \t\r\n")] = '\0';
        snprintf(name, STO_ISCSI_NAME_BYTES, "%.*s", STO_ISCSI_NAME_BYTES - 1,
                 line + sizeof(key) - 1);
        if (name[0] != '\0')
            return;
    }
    (void)gethostname(host, sizeof(host) - 1);
    snprintf(name, STO_ISCSI_NAME_BYTES, "iqn.2026-11.hawser:%s", host);
}

static int set_initiator(struct sto_iscsi *lun, const char *initiator, struct hw_error *error)
{
    if (initiator == NULL) {
        host_initiator(lun->initiator);
        return 0;
    }
    if (initiator[0] == '\0' || strlen(initiator) >= sizeof(lun->initiator))
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, "iSCSI initiator name",
                            "is empty or longer than 223 bytes", NULL);
    snprintf(lun->initiator, sizeof(lun->initiator), "%s", initiator);
    return 0;
}

/* Read here and not at each login: later the process may have given up the right to. */
static int set_secret(struct sto_iscsi *lun, struct hw_error *error)
{
    const struct sto_url *url = &lun->url;
    struct sto_secret *secret = &lun->secret;
    int rc;

    if (url->secret_file[0] == '\0') {
        if (url->user[0] == '\0')
            return 0;
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, "LUN URL",
                            "names a user but no secret file is given",
                            "add ?secret-file=PATH or leave the user out");
    }
    rc = sto_secret_read(url->secret_file, secret, error);
    if (rc < 0)
        return rc;
    if (url->user[0] != '\0' && secret->user[0] != '\0' && strcmp(url->user, secret->user) != 0)
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, url->secret_file,
                            "is for another user than the URL names", NULL);
    if (url->user[0] != '\0')
        snprintf(secret->user, sizeof(secret->user), "%.*s", (int)sizeof(secret->user) - 1,
                 url->user);
    if (secret->user[0] == '\0')
        return hw_error_set(error, HW_ERROR_USAGE, EINVAL, url->secret_file,
                            "has no user line, and the URL names no user",
                            "add a line `user NAME`");
    return 0;
}

/* libiscsi sends with writev(), which raises SIGPIPE on a dead connection and so would end the
 * process; a handler of the caller's own is left alone. */
static void ignore_sigpipe(void)
{
    struct sigaction action;

    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL) {
        action.sa_handler = SIG_IGN;
        (void)sigaction(SIGPIPE, &action, NULL);
    }
}

static int iscsi_open(const struct sto_url *url, const struct sto_lun_options *options,
                      struct sto_lun **ret_lun, struct hw_error *error)
{
    struct sto_iscsi *lun = calloc(1, sizeof(*lun));
    int rc;

    if (lun == NULL)
        return hw_error_set(error, HW_ERROR_FAILED, ENOMEM, "LUN", "out of memory", NULL);
    lun->lun.ops = &sto_iscsi_ops;
    lun->lun.clock = options->clock;
    lun->pump.epoll_fd = lun->pump.timer_fd = -1;
    lun->url = *url;
    lun->isid_salt = options->isid_salt;
    lun->node = options->node;
    lun->nop_ms = options->nop_ms;
    for (unsigned i = 0; i < STO_SESSIONS; i++) {
        lun->sessions[i].lun = lun;
        lun->sessions[i].which = (enum sto_session)i;
        lun->sessions[i].fd = -1;
    }
    rc = set_initiator(lun, options->initiator, error);
    if (rc == 0)
        rc = set_secret(lun, error);
    if (rc == 0)
        rc = sto_pump_open(&lun->pump, &lun->lun);
    if (rc < 0) {
        free_lun(lun);
        return hw_error_set(error, HW_ERROR_FAILED, -rc, "LUN", "cannot be opened", NULL);
    }
    ignore_sigpipe();
    *ret_lun = &lun->lun;
    return 0;
}

const struct sto_lun_ops sto_iscsi_ops = {
    .scheme = "iscsi",
    .open = iscsi_open,
    .close = iscsi_close,
    .drop = iscsi_drop,
    .submit = iscsi_submit,
    .fd = iscsi_fd,
    .events = iscsi_events,
    .service = iscsi_service_lun,
    .hand_over = sto_lun_handed_over,
    .facts = iscsi_facts,
};
