/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One iSCSI session that is up: its descriptor, NOP-Outs, its orderly and its hard end. It never
 * reconnects: what a lost session means is decided above (timing.md, Keys and takeover).
 */
#include "config.h"

#include "storage/sto_iscsi_priv.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <xxhash.h>

enum { NS_PER_MS = 1000000, NOP_PERIODS_LOST = 3 };

static int64_t session_now(const struct sto_iscsi_session *session)
{
    return hw_clock_now_ns(session->lun->lun.clock);
}

/* --- the context --- */

/*
 * The first four bytes tell sessions apart, since LIO compares no more than them: type EN, then
 * 24 bits of node, salt, target, LUN and session. The same ones always give the same ISID.
 */
static void set_isid(const struct sto_iscsi_session *session, struct iscsi_context *context)
{
    const struct sto_iscsi *lun = session->lun;
    char seed[STO_URL_TARGET_BYTES + 48];
    int size = snprintf(seed, sizeof(seed), "%u %u %u %s", (unsigned)lun->node,
                        (unsigned)lun->isid_salt, (unsigned)lun->url.lun, lun->url.target);
    uint64_t hash = XXH3_64bits(seed, (size_t)size);

    iscsi_set_isid_en(context, (uint32_t)(hash & 0xfffffe) | (uint32_t)session->which,
                      (uint32_t)(hash >> 32 & 0xffff));
}

struct iscsi_context *sto_iscsi_make_context(const struct sto_iscsi_session *session)
{
    const struct sto_iscsi *lun = session->lun;
    struct iscsi_context *context = iscsi_create_context(lun->initiator);
    int user_timeout_ms = (int)(lun->nop_ms > 1000 ? lun->nop_ms * 3 : 3000);

    if (context == NULL)
        return NULL;
    set_isid(session, context);
    iscsi_set_targetname(context, lun->url.target);
    iscsi_set_session_type(context, ISCSI_SESSION_NORMAL);
    iscsi_set_header_digest(context, lun->url.header_digest ? ISCSI_HEADER_DIGEST_CRC32C
                                                            : ISCSI_HEADER_DIGEST_NONE);
    if (lun->secret.password[0] != '\0')
        iscsi_set_initiator_username_pwd(context, lun->secret.user, lun->secret.password);
    if (lun->secret.target_user[0] != '\0')
        iscsi_set_target_username_pwd(context, lun->secret.target_user,
                                      lun->secret.target_password);
    iscsi_set_tcp_user_timeout(context, user_timeout_ms);
#ifndef STO_MUTATE_AUTO_RECONNECT
    iscsi_set_noautoreconnect(context, 1);
#endif
    return context;
}

/* --- the end --- */

/* Closing with SO_LINGER 0 sends a reset: bytes that wait in the socket are thrown away and not
 * delivered minutes later, when somebody else owns the LUN. */
static void reset_on_close(int fd)
{
    struct linger linger = { .l_onoff = 1, .l_linger = 0 };

    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* libiscsi frees its context without wiping the secrets in it: overwrite them. */
static void wipe_secrets(struct iscsi_context *context)
{
    char noise[STO_SECRET_WORD_BYTES];

    memset(noise, '*', sizeof(noise) - 1);
    noise[sizeof(noise) - 1] = '\0';
    iscsi_set_initiator_username_pwd(context, noise, noise);
    iscsi_set_target_username_pwd(context, noise, noise);
}

void sto_iscsi_session_discard(struct sto_iscsi_session *session, bool orderly)
{
    if (session->context != NULL) {
        int fd = iscsi_get_fd(session->context);

        session->tearing_down = true;
        if (session->fd >= 0)
            sto_pump_forget(&session->lun->pump, session->fd);
        if (!orderly)
            reset_on_close(fd);
        wipe_secrets(session->context);
        iscsi_destroy_context(session->context);
        session->context = NULL;
        session->tearing_down = false;
    }
    session->fd = -1;
    session->armed = 0;
    session->lost = false;
    session->logged_out = false;
    session->clear_older = false;
    sto_iscsi_task_free_all(session);
}

void sto_iscsi_session_down(struct sto_iscsi_session *session, const char *why, bool notify)
{
    struct sto_iscsi *lun = session->lun;
    struct sto_op *entry = session->entry;
    bool was_up = session->link == STO_LINK_UP;
    char words[STO_DETAIL_BYTES]; /* `why` may lie in the context that goes away */

    snprintf(words, sizeof(words), "%s", why);
    session->entry = NULL;
    session->link = STO_LINK_DOWN;
    sto_iscsi_task_end_all(session, words);
    sto_iscsi_session_discard(session, false);
    sto_resolve_free(session->resolve);
    session->resolve = NULL;
    if (entry != NULL)
        sto_pump_end_with(&lun->pump, entry,
                          entry->kind == STO_OP_LOGOUT ? STO_UNKNOWN : STO_NOT_SENT, words);
    if (was_up && notify && lun->lun.notify.session_down != NULL)
        lun->lun.notify.session_down(lun->lun.notify.context, session->which, words);
}

static void logout_done(struct iscsi_context *context, int status, void *data, void *private)
{
    struct sto_iscsi_session *session = private;

    (void)context;
    (void)data;
    if (session->tearing_down)
        return;
    if (status == SCSI_STATUS_GOOD)
        session->logged_out = true;
    else
        session->lost = true;
}

void sto_iscsi_logout(struct sto_iscsi_session *session, struct sto_op *op)
{
    if (session->link != STO_LINK_UP) {
        sto_pump_end_with(&session->lun->pump, op, STO_NOT_SENT, "the session is down");
        return;
    }
    op->result.sent_ns = session_now(session);
    session->entry = op;
    session->link = STO_LINK_LOGGING_OUT;
    if (iscsi_logout_async(session->context, logout_done, session) != 0)
        session->lost = true;
}

/* --- the lease --- */

/* Deliberate fault, only ever built into a test binary. */
#ifdef STO_MUTATE_LATE_SEND
#define SESSION_LOOKS false
#else
#define SESSION_LOOKS true
#endif

static bool lease_over(const struct sto_iscsi_session *session)
{
    const struct sto_lun *lun = &session->lun->lun;

    return SESSION_LOOKS && sto_wire_over(lun->clock, lun->lease_until_ns);
}

bool sto_iscsi_held(const struct sto_iscsi_session *session)
{
    return session->leased > 0 && lease_over(session);
}

int sto_iscsi_service_context(struct sto_iscsi_session *session, int revents)
{
    const struct sto_lun *lun = &session->lun->lun;
    int rc;

    session->wire.clock = lun->clock;
    session->wire.until_ns = session->leased > 0 ? lun->lease_until_ns : NULL;
    session->wire.expiry_ns = session->leased > 0 ? lun->expiry_ns : 0;
    session->wire.fd = iscsi_get_fd(session->context);
    sto_wire_enter(&session->wire);
    rc = iscsi_service(session->context, revents);
    sto_wire_leave();
    return rc;
}

/* --- the descriptor --- */

void sto_iscsi_session_arm(struct sto_iscsi_session *session)
{
    uint32_t events = 0;
    int wanted = iscsi_which_events(session->context);

    if ((wanted & POLLIN) != 0)
        events |= EPOLLIN;
    if ((wanted & POLLOUT) != 0 && !sto_iscsi_held(session))
        events |= EPOLLOUT;
#ifdef STO_MUTATE_AUTO_RECONNECT
    session->fd = iscsi_get_fd(session->context);
    session->armed = 0;
    (void)sto_pump_watch(&session->lun->pump, session->fd, events, session->which);
#endif
    if (events == session->armed || session->fd < 0)
        return;
    if (sto_pump_change(&session->lun->pump, session->fd, events, session->which) == 0)
        session->armed = events;
}

/* Let libiscsi work; false if the session is over. */
static bool run_libiscsi(struct sto_iscsi_session *session, int revents)
{
    if (sto_iscsi_service_context(session, revents) != 0)
        session->lost = true;
    return !session->lost;
}

static void end_orderly(struct sto_iscsi_session *session)
{
    struct sto_op *op = session->entry;

    session->entry = NULL;
    session->link = STO_LINK_DOWN;
    sto_iscsi_task_end_all(session, "logged out");
    sto_iscsi_session_discard(session, true);
    if (op != NULL)
        sto_pump_end_with(&session->lun->pump, op, STO_OK, NULL);
}

/* Why libiscsi gave up, unless its words are only about its own reconnect, which is off. */
static const char *loss_words(const struct sto_iscsi_session *session)
{
    const char *words = iscsi_get_error(session->context);

    if (words == NULL || words[0] == '\0' || strstr(words, "reconnect") != NULL)
        return "connection closed by the target";
    return words;
}

void sto_iscsi_session_event(struct sto_iscsi_session *session, uint32_t events)
{
    int revents = 0;

    if (session->link < STO_LINK_UP) {
        sto_iscsi_login_event(session, events);
        return;
    }
    if ((events & EPOLLIN) != 0)
        revents |= POLLIN;
    if ((events & EPOLLOUT) != 0)
        revents |= POLLOUT;
    if (revents == 0) /* what was received is read before a hang-up is believed */
        revents = POLLHUP;
    run_libiscsi(session, revents);
}

bool sto_iscsi_can_start(const struct sto_iscsi_session *session)
{
    const struct sto_op *first = session->waiting.first;
    unsigned most = STO_ISCSI_TASKS;

    if (first != NULL && first->kind != STO_OP_SCSI)
        most -= STO_ISCSI_RESERVED;
    if (first != NULL && (first->flags & STO_LEASED) != 0 && lease_over(session))
        return false;
    return session->link == STO_LINK_UP && first != NULL && session->active.count < most &&
           session->retired.count < STO_ISCSI_RETIRED;
}

void sto_iscsi_session_flush(struct sto_iscsi_session *session)
{
    if (session->context == NULL || session->lost)
        return;
    while (sto_iscsi_can_start(session))
        sto_iscsi_task_start(session, sto_op_list_take(&session->waiting));
    if (session->link >= STO_LINK_LOGGING_IN && !sto_iscsi_held(session) &&
        (iscsi_which_events(session->context) & POLLOUT) != 0 && !run_libiscsi(session, POLLOUT))
        return;
    sto_iscsi_session_arm(session);
}

/* --- time --- */

static void nop_done(struct iscsi_context *context, int status, void *data, void *private)
{
    struct sto_iscsi_session *session = private;

    (void)context;
    (void)data;
    if (session->tearing_down || status != SCSI_STATUS_GOOD)
        return;
    session->received_ns = session_now(session);
}

/* The target takes no further command for now: libiscsi holds them back. */
static bool window_closed(const struct sto_iscsi_session *session)
{
    return iscsi_out_queue_length(session->context) > 0 &&
           (iscsi_which_events(session->context) & POLLOUT) == 0;
}

/* Send a NOP-Out. One that the target's command window holds back proves nothing about the
 * target and is not waited for; one that was sent, or that the socket does not take, is. */
static bool send_nop(struct sto_iscsi_session *session, int64_t now_ns)
{
    if (iscsi_nop_out_async(session->context, nop_done, NULL, 0, session) != 0)
        return false;
    session->sent_ns = now_ns;
    if (!run_libiscsi(session, POLLOUT))
        return false;
    if (session->nop_ns == 0 && !window_closed(session))
        session->nop_ns = now_ns;
    return true;
}

/* Send NOP-Outs while nothing else is answered or sent. False if the session is over. */
static bool keep_alive(struct sto_iscsi_session *session, int64_t now_ns)
{
    int64_t period_ns = (int64_t)session->lun->nop_ms * NS_PER_MS;

    if (session->received_ns >= session->nop_ns)
        session->nop_ns = 0;
    if (now_ns < session->next_nop_ns)
        return true;
    session->next_nop_ns = now_ns + period_ns;
#ifndef STO_MUTATE_AUTO_RECONNECT
    if (session->nop_ns != 0 && now_ns - session->nop_ns >= NOP_PERIODS_LOST * period_ns) {
        char why[STO_DETAIL_BYTES];

        snprintf(why, sizeof(why), "no answer to NOP-Out for %lld ms",
                 (long long)((now_ns - session->nop_ns) / NS_PER_MS));
        sto_iscsi_session_down(session, why, true);
        return false;
    }
#endif
    if (window_closed(session) || sto_iscsi_held(session) ||
        (now_ns - session->sent_ns < period_ns && now_ns - session->received_ns < period_ns))
        return true;
    if (!send_nop(session, now_ns)) {
        sto_iscsi_session_down(session, loss_words(session), true);
        return false;
    }
    return true;
}

int64_t sto_iscsi_session_tick(struct sto_iscsi_session *session, int64_t now_ns)
{
    int64_t next;

    if (session->link == STO_LINK_DOWN)
        return INT64_MAX;
    if (session->link < STO_LINK_UP)
        return sto_iscsi_login_tick(session, now_ns);
    if (session->logged_out) {
        end_orderly(session);
        return INT64_MAX;
    }
    if (session->lost) {
        sto_iscsi_session_down(session, loss_words(session), true);
        return INT64_MAX;
    }
    sto_iscsi_task_clear_older(session);
    next = sto_iscsi_task_expire(session, now_ns);
    if (session->link == STO_LINK_LOGGING_OUT && session->entry != NULL) {
        if (session->entry->deadline_ns <= now_ns) {
            sto_iscsi_session_down(session, "no answer to the logout", true);
            return INT64_MAX;
        }
        next = session->entry->deadline_ns < next ? session->entry->deadline_ns : next;
    }
    if (session->link != STO_LINK_UP)
        return next;
    if (!keep_alive(session, now_ns))
        return INT64_MAX;
    return session->next_nop_ns < next ? session->next_nop_ns : next;
}
