/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the server: sv_server.c (its life), sv_loop.c (descriptors and timers), sv_own.c (LUNs
 * and their owners), sv_order.c (orders), sv_tell.c (events, status, page), sv_disk.c (disks).
 */
#ifndef SV_SERVER_PRIV_H
#define SV_SERVER_PRIV_H

#include <qb/qbloop.h>

#include "common/hw_control.h"
#include "storage/serve/sv_command.h"
#include "storage/serve/sv_gate.h"
#include "storage/serve/sv_lease.h"
#include "storage/serve/sv_lun.h"
#include "storage/serve/sv_page.h"
#include "storage/serve/sv_saved.h"
#include "storage/serve/sv_server.h"
#include "storage/serve/sv_verify.h"
#include "storage/sto_set.h"

struct sv_disk;

/* A LUN as the server sees it. */
struct server_lun {
    struct sv_lun *lun;
    bool known, owned, laid, suspended;
    short watched; /* poll events that the loop waits for */
};

/* An order that is answered when it is done: one at a time of those that concern ownership. */
struct server_order {
    bool pending;
    enum sv_command_kind kind;
    struct hw_asker asker;
};

struct sv_server {
    const struct sv_config *config;
    FILE *out;
    pid_t parent; /* of the start, for --die-with-parent */
    qb_loop_t *loop;
    qb_loop_timer_handle timer;
    int64_t timer_ns; /* what it is set to; INT64_MAX: not set */

    unsigned lun_count;
    struct server_lun luns[SV_DISKS];
    struct sv_disk *disks[SV_DISKS]; /* as in the configuration */
    unsigned disk_luns[SV_DISKS];    /* on which LUN each is */

    bool set_made;
    struct sto_set set;
    unsigned set_count;
    unsigned set_luns[STO_SET_LUNS]; /* as the set counts -> as the server counts */

    struct sto_own_grant grant; /* wanted or held; generation 0: none */
    bool granted;               /* the set was started under it */
    bool gave; /* the LUNs were given up in order, and not owned since: others may have had them */
    bool others; /* another node had one when it was claimed last, and they were not owned since */
    bool claim_waits; /* start as soon as all LUNs are known */

    bool has_state, saved_ready;
    bool discard_wanted; /* --discard-state, not done yet */
    struct sv_saved saved;
    unsigned saved_fails;   /* looks that failed, without a good one in between; stops counting */
    int64_t saved_retry_ns; /* the next one; INT64_MAX: none */

    struct sv_lease *lease; /* NULL: no member lease */
    int wake_fd;
    struct sv_page *page;
    int page_fd;                   /* the page's */
    struct sv_page_view published; /* what it says; all zero at first, like a new page */
    struct hw_control *control;

    bool lost, ordered;
    json_t *refused; /* why the LUNs were refused last; NULL: they were not */
    struct sv_gate_verdict verdict;
    bool verdict_told, was_owned;   /* by the verdict */
    bool lease_was_over;            /* by the verdict */
    struct sv_gate_verdict told;    /* the one that was told last */
    struct server_order owning;     /* acquire, hand-over, release */
    struct server_order draining;   /* drain */
    struct server_order discarding; /* discard-state */
    struct server_order verifying;
    struct sv_job drain_job; /* flush of each LUN behind a drain */
    unsigned drain_lun;
    bool held_before_drain;
    bool drain_void; /* the drain that the job is of was given up */
    struct sv_verify verify;
    int64_t abandon_ns; /* lost: ends then; INT64_MAX: not lost */

    bool ended;
    int status;
    struct hw_error error;
};

/* --- sv_loop.c --- */

/* Watch all descriptors. 0 or -errno. */
int server_watch_all(struct sv_server *server);
/* After anything happened: events and timers as they are wanted now. */
void server_settle(struct sv_server *server);
/* Watch for a control socket; see hw_control_callbacks. */
void server_watch_control(void *context, int fd, short events);
/* Stop with this status. */
void server_end(struct sv_server *server, int status, const struct hw_error *error);

/* --- sv_own.c --- */

/* From the LUNs. */
void server_lun_event(void *context, struct sv_lun *lun, enum sv_lun_event event,
                      const struct sto_owner_notice *notice, const struct hw_error *error);
/* Claim under server->grant, now or when all LUNs are known. 0 or -errno with the message. */
int server_claim(struct sv_server *server, struct hw_error *error);
/* Give the LUNs up. 0, or -errno with the message if they are not owned. */
int server_give(struct sv_server *server, bool release, uint16_t node, struct hw_error *error);
/* Are all LUNs owned (those that have owners)? */
bool server_owned(const struct sv_server *server);
/* When the LUN confirmed longest ago was; INT64_MAX if none has an owner. */
int64_t server_confirmed_ns(const struct sv_server *server);

/* --- sv_order.c --- */

/* An order of the control socket. */
void server_order(void *context, json_t *object, struct hw_asker asker);
/* Something an order may have waited for: is it done? */
void server_check_orders(struct sv_server *server);
/* Is any request of a guest taken and not answered? */
bool server_in_flight(const struct sv_server *server);
/* The pending ownership order is done, or failed. */
void server_owning_done(struct sv_server *server, const struct hw_error *error);
/* Look at the saved state, and discard it if --discard-state still wants that. */
void server_look(struct sv_server *server);
/* It was looked at. */
void server_saved_looked(void *context, enum sto_rc rc);

/* --- sv_tell.c --- */

/* Judge the gate anew; tell the disks, the page, whoever listens. */
void server_judge(struct sv_server *server);
/* When the leases that are armed end, or ended: that of the feeds; with --lease storage, T_store
 * after the LUN's confirmation that is the oldest. INT64_MAX: never. */
int64_t server_lease_end_ns(const struct sv_server *server);
/* Has that time come? */
bool server_lease_over(const struct sv_server *server);
/* Write the page, if it would say something else. A confirmation is published as soon as its answer
 * is there, not when the next one is asked for. */
void server_publish(struct sv_server *server);
/* An event: to the control socket and to `out`. `body` is taken over. */
void server_tell(struct sv_server *server, const char *event, json_t *body);
/* What the owner of a LUN said, in the words of an event. */
void server_tell_notice(struct sv_server *server, unsigned lun,
                        const struct sto_owner_notice *notice);
/* Is it a refusal? What was revoked on its way was given up by the set: another LUN says why. */
bool server_is_refusal(const struct sto_owner_notice *notice);
/* The answers to "status" and "statistics". */
json_t *server_status(const struct sv_server *server);
json_t *server_statistics(const struct sv_server *server);

/* --- sv_disk.c --- */

/* Serve disk `index` of the configuration at its socket. 0, or -errno with the message. */
int server_disk_new(struct sv_server *server, unsigned index, struct sv_disk **ret_disk,
                    struct hw_error *error);
void server_disk_free(struct sv_disk *disk); /* end its connections; NULL is allowed */
/* Its LUN is laid out: what it is can be told to clients. 0, or -errno with the message. */
int server_disk_ready(struct sv_disk *disk, struct hw_error *error);
/* The LUNs are owned, and which guests may go on is judged anew; or they are not any more. */
void server_disk_owned(struct sv_disk *disk, bool owned);
/* Hold or let pass: as the verdict says. */
void server_disk_hold(struct sv_disk *disk, bool hold);
/* Requests that ended without an outcome go out again. NULL is allowed. */
void server_disk_retry(struct sv_disk *disk);
/* Has a front end started its rings that does not tell where its guest ran before? */
bool server_disk_unmarked(const struct sv_disk *disk);
/* Requests that a client waits for and that were handed to the LUN. */
unsigned server_disk_in_flight(const struct sv_disk *disk);
json_t *server_disk_statistics(const struct sv_disk *disk);
/* After each turn of the loop: its clients are told what was answered. */
void server_disk_settle(struct sv_disk *disk);

#endif
