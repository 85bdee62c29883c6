/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the owner: sto_owner.c (events, actions) and sto_owner_command.c (commands to LUN
 * operations and back). */
#ifndef STO_OWNER_PRIV_H
#define STO_OWNER_PRIV_H

#include <string.h>

#include "storage/sto_owner.h"
#include "storage/sto_pr.h"

/* A command that was given up may still be out while the next one starts. */
enum { OWNER_SLOTS = 4, OWNER_QUEUE = 16, OWNER_NOTICES = 16, OWNER_BUSY_MS = 10000 };

struct owner_slot {
    struct sto_owner *owner;
    bool busy;
    struct sto_own_command command;
    struct sto_op op;
    struct iovec iov;
    unsigned stage; /* of a command that takes several operations */
    union {
        uint8_t keys[STO_PR_KEYS_ANSWER_BYTES];
        uint8_t reservation[STO_PR_RESERVATION_ANSWER_BYTES];
        uint8_t parameters[STO_PR_OUT_PARAMETER_BYTES];
    } data;
    uint8_t *area; /* record commands: STO_RECORD_AREA_BYTES, page-aligned */
};

/* A notice until the step is over, with the words of its moment. */
struct owner_kept {
    struct sto_owner_notice notice;
    char detail[STO_DETAIL_BYTES];
};

struct sto_owner {
    struct sto_lun *lun;
    struct sto_own *own;
    struct sto_gate *gate;
    struct sto_owner_config config;
    struct sto_owner_callbacks callbacks;
    struct owner_slot slots[OWNER_SLOTS];
    bool stepping;
    bool forbidden;   /* sto_owner_allow(false) */
    bool gate_wanted; /* the machine wants the gate open */
    unsigned queued;
    struct sto_own_event queue[OWNER_QUEUE]; /* while stepping */
    unsigned notice_count;
    struct owner_kept notices[OWNER_NOTICES];
    int64_t timer_ns;
    int64_t busy_told_ns; /* when it was told last that guests' requests find the target busy */
    int64_t confirmed_ns;
    char detail[STO_DETAIL_BYTES];
    /* results carry pointers: what they point to lives here until the step is over */
    struct sto_pr_keys keys;
    struct sto_pr_reservation reservation;
    struct sto_record record;
    uint8_t *area; /* the record's area as last read or written; STO_RECORD_AREA_BYTES */
};

/* Words of the transport, for the notices that follow. */
static inline void owner_set_detail(struct sto_owner *owner, const char *why)
{
    memset(owner->detail, 0, sizeof(owner->detail));
    memcpy(owner->detail, why, strnlen(why, sizeof(owner->detail) - 1));
}

/* Carry out one command; its result comes back through owner_step(). */
void owner_command(struct sto_owner *owner, const struct sto_own_command *command);
/* One event into the machine, its actions out; queues itself when called from inside a step. */
void owner_step(struct sto_owner *owner, const struct sto_own_event *event);

#endif
