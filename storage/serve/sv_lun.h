/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One LUN of the server, whatever kind it is: with an owner (sto_owner.h), or a file, which has no
 * reservations and is only locked on this host. What it is, who owns it, and its layout; requests
 * go through its gate.
 */
#ifndef SV_LUN_H
#define SV_LUN_H

#include "storage/serve/sv_options.h"
#include "storage/sto_layout.h"
#include "storage/sto_owner.h"

struct sv_lun;

enum sv_lun_event {
    SV_LUN_KNOWN,  /* it answered: facts are there, and its WWID is this process's alone */
    SV_LUN_OWNED,  /* owned, or owned again */
    SV_LUN_LAID,   /* owned and its layout was read */
    SV_LUN_OTHER,  /* another notice of its owner: `notice` */
    SV_LUN_FAILED, /* cannot be served: `error` */
};

struct sv_lun_callbacks {
    /* From sv_lun_service() and from the calls below; the LUN may be used inside, not freed. */
    void (*event)(void *context, struct sv_lun *lun, enum sv_lun_event event,
                  const struct sto_owner_notice *notice, const struct hw_error *error);
    void *context;
};

/*
 * Open the LUN that `url` names (its area does not count): names are looked up, secrets read, and
 * the name of this node on the LUN taken (waiting up to 5 s for a predecessor to end). A file or
 * device is opened and asked what it is. Blocks; before lock-in. `layout`: some disk is an area
 * by name. 0, or -errno with the message and nothing to free.
 */
int sv_lun_new(const struct sto_url *url, const struct sv_config *config, bool layout,
               const struct sv_lun_callbacks *callbacks, struct sv_lun **ret_lun,
               struct hw_error *error);
/* End hard; requests end as STO_NOT_SENT or STO_UNKNOWN. NULL is allowed. */
void sv_lun_free(struct sv_lun *lun);

/* Ask what it is: SV_LUN_KNOWN or SV_LUN_FAILED follows. */
void sv_lun_look(struct sv_lun *lun);
/* It is owned anew: others may have laid it out. Its layout is read again, and must be what it was
 * (SV_LUN_LAID, or SV_LUN_FAILED). */
void sv_lun_owned_anew(struct sv_lun *lun);
/* Is it owned by reservation? A file is not: sv_lun_open_plain() opens its gate. */
bool sv_lun_reserves(const struct sv_lun *lun);
/* A file: SV_LUN_OWNED, SV_LUN_LAID and an open gate follow. */
void sv_lun_open_plain(struct sv_lun *lun);
/* Its owner (borrowed), or NULL for a file. */
struct sto_owner *sv_lun_owner(const struct sv_lun *lun);

/* A guest's request through the gate; see sto_gate_submit(). */
int sv_lun_submit(struct sv_lun *lun, struct sto_request *request);
/* The same for a job (sv_job.h); `to` is the struct sv_lun. */
int sv_lun_submit_to(void *to, struct sto_request *request);
/* Around submits that come together; see sto_lun_gather(). */
void sv_lun_gather(struct sv_lun *lun);
void sv_lun_hand_over(struct sv_lun *lun);
/* Nobody wants its answer any more; see sto_gate_abandon(). */
void sv_lun_abandon(struct sv_lun *lun, struct sto_request *request);
/* The member lease; see sto_gate_set_deadline(). */
void sv_lun_set_deadline(struct sv_lun *lun, const _Atomic int64_t *until_ns);

struct sto_lun *sv_lun_access(const struct sv_lun *lun);           /* borrowed */
const char *sv_lun_wwid(const struct sv_lun *lun);                 /* once SV_LUN_KNOWN was told */
const char *sv_lun_name(const struct sv_lun *lun);                 /* in messages */
const struct sto_facts *sv_lun_facts(const struct sv_lun *lun);    /* NULL: not known */
struct sto_gate_stats sv_lun_gate_stats(const struct sv_lun *lun); /* counts so far */
int sv_lun_fd(const struct sv_lun *lun);                           /* to poll */
short sv_lun_events(const struct sv_lun *lun);                     /* poll events */
int64_t sv_lun_next_ns(const struct sv_lun *lun);                  /* next timer */
void sv_lun_service(struct sv_lun *lun, short revents);            /* never blocks */
/* May blocks be discarded? On a file; on a target whose probe said that a reservation stops it. */
bool sv_lun_may_discard(const struct sv_lun *lun);
/* The ports of its portals, for the sandbox: how many were written to `ret_ports`. */
unsigned sv_lun_ports(const struct sv_lun *lun, uint16_t ret_ports[STO_URL_PORTALS]);
/* What its process needs besides: a device has to be opened and its sessions looked after. */
bool sv_lun_needs_host(const struct sv_lun *lun);

/*
 * The window of a disk's area on a LUN that is laid out (or needs no layout). 0, or -EINVAL with
 * the message.
 */
int sv_lun_window(const struct sv_lun *lun, const struct sto_url *url,
                  struct sto_window *ret_window, struct hw_error *error);

#endif
