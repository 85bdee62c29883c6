/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bringing an iSCSI session up: portals and their addresses in turn, connect, login with CHAP,
 * redirects, all within one deadline, and the words for an admin when it fails. Uses connect and
 * login of libiscsi, never its "full connect", which swallows unit attentions.
 */
#include "config.h"

#include "storage/sto_iscsi_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { NS_PER_MS = 1000000, RESOLVE_POLL_MS = 10, REDIRECTS_MAX = 3, PORTAL_BYTES = 288 };

/* Login status, class << 8 | detail (RFC 7143 11.13.5). */
enum {
    LOGIN_MOVED = 0x0101,
    LOGIN_AUTHENTICATION = 0x0201,
    LOGIN_AUTHORIZATION = 0x0202,
    LOGIN_NOT_FOUND = 0x0203,
    LOGIN_REMOVED = 0x0204,
};

static int64_t login_now(const struct sto_iscsi_session *session)
{
    return hw_clock_now_ns(session->lun->lun.clock);
}

/* --- ends --- */

/* Collect what went wrong where: "192.0.2.1:3260: connection refused; ..." */
static void note(struct sto_iscsi_session *session, const char *why)
{
    const struct sto_portal *portal = &session->lun->url.portals[session->portal];
    size_t used = strlen(session->why);

    snprintf(session->why + used, sizeof(session->why) - used, "%s%s:%u: %s", used > 0 ? "; " : "",
             portal->host, portal->port, why);
}

static void login_ended(struct sto_iscsi_session *session, enum sto_rc rc, const char *detail)
{
    struct sto_op *op = session->entry;
    struct sto_op *waiting;

    session->entry = NULL;
    session->link = rc == STO_OK ? STO_LINK_UP : STO_LINK_DOWN;
    if (rc != STO_OK)
        while ((waiting = sto_op_list_take(&session->waiting)) != NULL)
            sto_pump_end_with(&session->lun->pump, waiting, STO_NOT_SENT, detail);
    sto_pump_end_with(&session->lun->pump, op, rc, detail);
}

static void login_done(struct iscsi_context *context, int status, void *data, void *private);

static void connect_done(struct iscsi_context *context, int status, void *data, void *private)
{
    struct sto_iscsi_session *session = private;

    (void)data;
    if (session->tearing_down)
        return;
    if (status != SCSI_STATUS_GOOD || iscsi_login_async(context, login_done, session) != 0)
        session->lost = true;
    else
        session->link = STO_LINK_LOGGING_IN;
}

static void login_done(struct iscsi_context *context, int status, void *data, void *private)
{
    struct sto_iscsi_session *session = private;

    (void)context;
    (void)data;
    if (session->tearing_down)
        return;
    if (status == SCSI_STATUS_GOOD && !session->wire.seen) {
        session->unjudged = session->lost = true;
        return;
    }
    if (status != SCSI_STATUS_GOOD) {
        session->redirected = status == SCSI_STATUS_REDIRECT;
        session->lost = true;
        return;
    }
    session->received_ns = login_now(session);
    session->sent_ns = session->received_ns;
    session->nop_ns = 0;
    session->next_nop_ns = session->received_ns + (int64_t)session->lun->nop_ms * NS_PER_MS;
    sto_pump_wake_at(&session->lun->pump, session->next_nop_ns);
    login_ended(session, STO_OK, NULL);
}

/* --- tries --- */

static int start_connect(struct sto_iscsi_session *session, const char *portal)
{
    session->redirected = false;
    session->context = sto_iscsi_make_context(session);
    if (session->context == NULL)
        return -ENOMEM;
    session->link = STO_LINK_CONNECTING;
#ifdef STO_MUTATE_AUTO_RECONNECT
    /* only this call lets libiscsi remember the portal, without which it cannot reconnect */
    (void)connect_done;
    session->link = STO_LINK_LOGGING_IN;
    if (iscsi_full_connect_async(session->context, portal, (int)session->lun->url.lun, login_done,
                                 session) != 0)
#else
    if (iscsi_connect_async(session->context, portal, connect_done, session) != 0)
#endif
        return -EHOSTUNREACH;
    session->fd = iscsi_get_fd(session->context);
    session->armed = EPOLLOUT;
    return sto_pump_watch(&session->lun->pump, session->fd, EPOLLOUT, session->which);
}

/* libiscsi ends its messages with the number that it speaks of in brackets. */
static int number_at_end(const char *text)
{
    const char *open = strrchr(text, '(');
    long value = open != NULL ? strtol(open + 1, NULL, 10) : 0;

    return value > 0 && value < INT32_MAX ? (int)value : 0;
}

static const char *errno_words(int code)
{
    switch (code) {
    case ECONNREFUSED:
        return "connection refused";
    case ENETUNREACH:
    case EHOSTUNREACH:
        return "no route to it";
    case ETIMEDOUT:
        return "no answer";
    case ECONNRESET:
        return "connection reset by the target";
    default:
        return strerror(code);
    }
}

/* Try the address that session->portal and session->address name. False: go on to the next. */
static bool try_address(struct sto_iscsi_session *session)
{
    const struct sto_portal *portal = &session->lun->url.portals[session->portal];
    const char *address = session->addresses.text[session->address];
    bool v6 = strchr(address, ':') != NULL;
    char text[PORTAL_BYTES];
    int rc;

    snprintf(text, sizeof(text), "%s%s%s:%u", v6 ? "[" : "", address, v6 ? "]" : "", portal->port);
    rc = start_connect(session, text);
    if (rc == 0)
        return true;
    if (rc == -EHOSTUNREACH) {
        int code = number_at_end(iscsi_get_error(session->context));

        note(session, errno_words(code != 0 ? code : EHOSTUNREACH));
    } else {
        note(session, strerror(-rc));
    }
    sto_iscsi_session_discard(session, false);
    return false;
}

/* Share the time that is left evenly among the tries that are left. */
static void set_attempt_deadline(struct sto_iscsi_session *session, unsigned addresses_left)
{
    unsigned portals_left = session->lun->url.portal_count - session->portal;
    int64_t now_ns = login_now(session);
    int64_t left_ns = session->login_deadline_ns - now_ns;

    session->attempt_deadline_ns = now_ns + left_ns / portals_left / addresses_left;
    sto_pump_wake_at(&session->lun->pump, session->attempt_deadline_ns);
}

/* The next address of this portal; false if there is none left. */
static bool next_address(struct sto_iscsi_session *session)
{
    for (; session->address < session->addresses.count; session->address++) {
        set_attempt_deadline(session, session->addresses.count - session->address);
        if (try_address(session))
            return true;
    }
    return false;
}

/* Begin with the portal that session->portal names; false if nothing came of it at once. */
static bool begin_portal(struct sto_iscsi_session *session)
{
    const char *host = session->lun->url.portals[session->portal].host;

    session->address = 0;
    session->addresses.count = 0;
    if (sto_resolve_numeric(host, &session->addresses))
        return next_address(session);
    if (sto_resolve_start(host, &session->resolve) < 0) {
        note(session, "its name cannot be looked up");
        return false;
    }
    session->link = STO_LINK_RESOLVING;
    set_attempt_deadline(session, 1);
    sto_pump_wake_at(&session->lun->pump,
                     login_now(session) + (int64_t)RESOLVE_POLL_MS * NS_PER_MS);
    return true;
}

static void advance(struct sto_iscsi_session *session)
{
    if (next_address(session))
        return;
    for (session->portal++; session->portal < session->lun->url.portal_count; session->portal++)
        if (begin_portal(session))
            return;
    login_ended(session, session->refused ? STO_LOGIN_REFUSED : STO_NOT_SENT, session->why);
}

void sto_iscsi_login(struct sto_iscsi_session *session, struct sto_op *op)
{
    session->entry = op;
    op->result.sent_ns = login_now(session);
    session->login_deadline_ns = op->deadline_ns;
    session->portal = 0;
    session->redirects = 0;
    session->refused = false;
    session->why[0] = '\0';
    if (!begin_portal(session))
        advance(session);
}

/* This try is over. `final`: another portal of the same target would say the same. */
static void try_failed(struct sto_iscsi_session *session, const char *why, bool final)
{
    note(session, why);
    sto_resolve_free(session->resolve);
    session->resolve = NULL;
    sto_iscsi_session_discard(session, false);
    session->address = final ? session->addresses.count : session->address + 1;
    if (final)
        session->portal = session->lun->url.portal_count - 1;
    advance(session);
}

/* --- what happens while it goes on --- */

static void refused(struct sto_iscsi_session *session, const char *why, bool final)
{
    session->refused = true;
    try_failed(session, why, final);
}

/* The target sent us elsewhere: "address:port[,group]". False if that cannot be followed. */
static bool follow_redirect(struct sto_iscsi_session *session)
{
    const char *address = iscsi_get_target_address(session->context);
    char portal[PORTAL_BYTES];

    if (address == NULL || address[0] == '\0' || ++session->redirects > REDIRECTS_MAX)
        return false;
    snprintf(portal, sizeof(portal), "%s", address);
    portal[strcspn(portal, ",")] = '\0';
    sto_iscsi_session_discard(session, false);
    if (portal[0] != '[') { /* only digits: libiscsi would look a name up and block */
        struct sto_addresses numeric;
        char host[PORTAL_BYTES];

        snprintf(host, sizeof(host), "%s", portal);
        host[strcspn(host, ":")] = '\0';
        if (!sto_resolve_numeric(host, &numeric))
            return false;
    }
    if (start_connect(session, portal) == 0)
        return true;
    session->redirected = true;
    return false;
}

static void login_lost(struct sto_iscsi_session *session)
{
    char words[STO_DETAIL_BYTES];
    int status =
        session->link == STO_LINK_LOGGING_IN ? number_at_end(iscsi_get_error(session->context)) : 0;

    snprintf(words, sizeof(words), "%s", iscsi_get_error(session->context));
    session->lost = false;
    if (session->unjudged) {
        refused(session, "this libiscsi sends without asking for the lease (sto_wire.h)", true);
        return;
    }
    switch (status) {
    case LOGIN_AUTHENTICATION:
        refused(session,
                session->lun->secret.password[0] != '\0'
                    ? "login refused: wrong user or secret"
                    : "login refused: the target asks for a secret (?secret-file=PATH)",
                true);
        return;
    case LOGIN_AUTHORIZATION:
        refused(session, "login refused: this initiator is not allowed", true);
        return;
    case LOGIN_NOT_FOUND:
    case LOGIN_REMOVED:
        refused(session, "target not found", false);
        return;
    default:
        break;
    }
    if (strstr(words, "CHAP") != NULL) {
        refused(session, "login refused: the target could not prove that it knows target-password",
                true);
        return;
    }
    if (session->redirected && follow_redirect(session))
        return;
    if (session->redirected)
        snprintf(words, sizeof(words), "%s", "sent elsewhere, which could not be followed");
    else if (words[0] == '\0')
        snprintf(words, sizeof(words), "%s", "connection closed during the login");
    try_failed(session, words, false);
}

void sto_iscsi_login_event(struct sto_iscsi_session *session, uint32_t events)
{
    int revents = 0;

    if (session->link == STO_LINK_CONNECTING) {
        int code = 0;
        socklen_t size = sizeof(code);

        if (getsockopt(session->fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0 && code != 0) {
            try_failed(session, errno_words(code), false);
            return;
        }
    }
    if ((events & EPOLLIN) != 0)
        revents |= POLLIN;
    if ((events & EPOLLOUT) != 0)
        revents |= POLLOUT;
    if (revents == 0)
        revents = POLLHUP;
    if (sto_iscsi_service_context(session, revents) != 0)
        session->lost = true;
    if (session->lost && session->link < STO_LINK_UP)
        login_lost(session);
}

static int64_t poll_lookup(struct sto_iscsi_session *session, int64_t now_ns)
{
    int rc = sto_resolve_poll(session->resolve, &session->addresses);

    if (rc == -EINPROGRESS)
        return now_ns + (int64_t)RESOLVE_POLL_MS * NS_PER_MS;
    sto_resolve_free(session->resolve);
    session->resolve = NULL;
    if (rc < 0)
        note(session, "its name is not known");
    session->address = 0;
    advance(session);
    return session->link == STO_LINK_CONNECTING ? session->attempt_deadline_ns : now_ns;
}

int64_t sto_iscsi_login_tick(struct sto_iscsi_session *session, int64_t now_ns)
{
    if (session->lost) {
        login_lost(session);
        return now_ns;
    }
    if (now_ns >= session->attempt_deadline_ns) {
        char why[STO_DETAIL_BYTES];
        long long waited_ms = (now_ns - session->entry->result.sent_ns) / NS_PER_MS;

        snprintf(why, sizeof(why), "no answer within %lld.%lld s", waited_ms / 1000,
                 waited_ms % 1000 / 100);
        try_failed(session, why, false);
        return now_ns;
    }
    if (session->link == STO_LINK_RESOLVING)
        return poll_lookup(session, now_ns);
    return session->attempt_deadline_ns;
}
