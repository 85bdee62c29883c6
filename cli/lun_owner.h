/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Owning a LUN for the length of a verb: claims it and waits, hands over or releases and waits.
 * Whatever is refused is said with the words and remedy of its reason.
 */
#ifndef CLI_LUN_OWNER_H
#define CLI_LUN_OWNER_H

#include "cli/lun_open.h"
#include "cli/lun_wait.h"
#include "storage/sto_owner.h"

struct cli_owner {
    struct sto_owner *owner;  /* NULL: nothing is owned */
    int presence_fd, wwid_fd; /* this node's names on the LUN, while `owner` is there */
    const char *name;         /* of the LUN in messages; the LUN's own */
    /* the last notice */
    bool told;
    enum sto_own_notice notice;
    enum sto_own_reason reason;
    uint64_t key;
    uint32_t generation;
    char detail[STO_DETAIL_BYTES];
    int64_t wait_ms;      /* the most that is waited now */
    struct cli_said said; /* of what was waited for */
    FILE *err;            /* where it is told what is waited for; NULL: nowhere */
};

struct cli_owner_wish {
    const struct cli_identity *identity;
    bool takeover; /* another node's key may be preempted */
    bool force;    /* a foreign owner's, too */
    bool raw;      /* the LUN has no ownership record (yet) */
};

/*
 * Claim the LUN under sessions of the owner's own; those of `lun` are ended before (lun->lun =
 * NULL), unless another process of this node acts on it. 0 and owned; or -errno with the message in
 * `error` and nothing to close.
 */
int cli_owner_claim(struct cli_lun *lun, const struct cli_owner_wish *wish,
                    struct cli_owner *ret_owner, struct hw_error *error);

/* Drain, flush, record FREE, unregister, log out; then close. 0 or -errno with the message. */
int cli_owner_release(struct cli_owner *owner, struct hw_error *error);
/*
 * The end of work under ownership that ended with `rc`. 0: as cli_owner_release(). Else the first
 * error counts, but if the LUN was lost meanwhile, that; it is given up in any case.
 */
int cli_owner_end(struct cli_owner *owner, int rc, struct hw_error *error);
/* Drain, flush, record HANDOVER for `node`; then close, keeping the key. */
int cli_owner_hand_over(struct cli_owner *owner, uint16_t node, struct hw_error *error);
/* Close hard: key and reservation stay on the LUN. May be given an owner that was closed. */
void cli_owner_close(struct cli_owner *owner);

/*
 * For what would destroy an owner's data: 0 if `held` is no reservation of a hawser node, else
 * -EBUSY with the message: whose it is, and that it has to be released first.
 */
int cli_owner_want_none(const char *name, const struct sto_pr_reservation *held,
                        struct hw_error *error);

/* The exit status and words of a reason. Returns a negative errno. */
int cli_owner_fail(const char *name, const struct cli_owner *owner, struct hw_error *error);

#endif
