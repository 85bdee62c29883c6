/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owning a LUN for real: the ownership machine (sto_own) driven over a LUN (sto_lun), with the
 * data gate (sto_gate) in front. It carries out what the machine says and decides nothing. It
 * sits in the caller's event loop: wait for its descriptor or its time, then call the service.
 */
#ifndef STO_OWNER_H
#define STO_OWNER_H

#include "storage/sto_gate.h"
#include "storage/sto_lun.h"
#include "storage/sto_own.h"
#include "storage/sto_pr.h"

struct sto_owner;

enum { STO_META_OFFSET_BYTES = 1024 * 1024 }; /* where `lun init` puts hawser-meta, always */

struct sto_owner_config {
    struct sto_own_config own;
    uint64_t meta_offset_bytes; /* of the ownership record's area; 0 = STO_META_OFFSET_BYTES */
    bool meta_at_start;         /* tests: the record's area is at byte 0 */
    uint32_t lease_ms;          /* T_store: the gate passes nothing later than this after the last
                                   confirmation was asked for; 0 = no storage lease */
};

struct sto_owner_notice {
    enum sto_own_notice notice;
    enum sto_own_reason reason;
    uint64_t key;        /* whom it is about, or 0 */
    uint32_t generation; /* see struct sto_own_action */
    const char *detail;  /* words of the transport, or "" */
};

struct sto_owner_callbacks {
    /* From service calls and from the calls below; the owner may be used inside, not freed. */
    void (*notice)(void *context, const struct sto_owner_notice *notice);
    void *context;
};

/*
 * An owner in state LEFT over `lun`, which it owns from now on (closed with it) and whose
 * notifications it takes. 0 or -ENOMEM (then the LUN stays the caller's).
 */
int sto_owner_new(struct sto_lun *lun, const struct sto_owner_config *config,
                  const struct sto_owner_callbacks *callbacks, struct sto_owner **ret_owner);

/* Everything ends hard at once; waiting requests end as STO_NOT_SENT or STO_UNKNOWN. The key and
 * reservation stay on the LUN. NULL is allowed. */
void sto_owner_free(struct sto_owner *owner);

/* Claim or take over under this grant. 0, -EALREADY, -ERANGE (see sto_own_step()); -EBUSY from
 * inside a request's `done`. */
int sto_owner_start(struct sto_owner *owner, const struct sto_own_grant *grant);
/* The grant is not current any more: gate shut, nothing released. */
void sto_owner_revoke(struct sto_owner *owner);
/* Drain, flush, record HANDOVER for `node` (0 = any); notice HANDED. */
void sto_owner_hand_over(struct sto_owner *owner, uint16_t node);
/* Drain, flush, record FREE, release, unregister, log out; notice LEFT. */
void sto_owner_release(struct sto_owner *owner);
/* Drop everything, release nothing; notice LEFT. */
void sto_owner_stop(struct sto_owner *owner);

/* Whether the gate may open at all (true at first): false holds it whatever the machine says,
 * until the other LUNs of the VM are owned too (sto_set.h). */
void sto_owner_allow(struct sto_owner *owner, bool allowed);

/* A guest request through the gate; see sto_gate_submit(). */
int sto_owner_submit(struct sto_owner *owner, struct sto_request *request);
/* Nobody wants its answer any more; see sto_gate_abandon(). */
void sto_owner_abandon(struct sto_owner *owner, struct sto_request *request);
/* The member lease; see sto_gate_set_deadline(). */
void sto_owner_set_deadline(struct sto_owner *owner, const _Atomic int64_t *until_ns);

int sto_owner_fd(const struct sto_owner *owner);                /* to poll; the LUN's */
short sto_owner_events(const struct sto_owner *owner);          /* poll events to wait for */
int64_t sto_owner_next_ns(const struct sto_owner *owner);       /* clock time of the next timer, or
                                                                   INT64_MAX */
int sto_owner_timeout_ms(const struct sto_owner *owner);        /* the same for poll(): -1 = none */
void sto_owner_service(struct sto_owner *owner, short revents); /* do what is due; never blocks */

struct sto_lun *sto_owner_lun(struct sto_owner *owner);                    /* still the owner's */
const struct sto_own *sto_owner_machine(const struct sto_owner *owner);    /* for its state */
struct sto_gate_stats sto_owner_gate_stats(const struct sto_owner *owner); /* counts so far */
/* The line of records (sto_record.line) that this ownership goes on with, or began; 0: there is
 * none. */
uint64_t sto_owner_line(const struct sto_owner *owner);
int64_t sto_owner_confirmed_ns(const struct sto_owner *owner); /* last confirmation, 0 = none */

/*
 * What an answer to READ RESERVATION says, the way the owner itself takes it: an answer shorter
 * than the room for it is one. 0; -EBADMSG if it makes no sense, -EIO if there is none: `result`
 * says why.
 */
int sto_owner_decode_reservation(const struct sto_result *result,
                                 const uint8_t answer[STO_PR_RESERVATION_ANSWER_BYTES],
                                 struct sto_pr_reservation *ret_reservation);

/*
 * For tools: poll and service until `until(context)` is true or `timeout_ms` is over. 0 or
 * -ETIMEDOUT.
 */
int sto_owner_run(struct sto_owner *owner, bool (*until)(void *context), void *context,
                  uint32_t timeout_ms);

#endif
