/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "verify": who holds the LUNs, asked now, one after the other, beside everything else. Reads only,
 * on the control sessions, and decides nothing: the owners find out for themselves.
 */
#ifndef SV_VERIFY_H
#define SV_VERIFY_H

#include <stdint.h>

#include "common/hw_error.h"
#include "storage/sto_lun.h"
#include "storage/sto_pr.h"
#include "storage/sto_set.h"

struct sv_verify {
    unsigned count;
    struct sto_lun *luns[STO_SET_LUNS];
    /* The key that LUN number `lun` of these should be held with; asked when the answer is there.
     */
    uint64_t (*key)(void *context, unsigned lun);
    /* Called once, from sto_lun_service() or sto_lun_close() (or from the start). NULL: each is
     * held, exclusively, with its key; else the first that is not, or does not say. */
    void (*done)(void *context, const struct hw_error *error);
    void *context;
    /* its own */
    unsigned at, tries;
    struct sto_op op;
    struct iovec iov;
    uint8_t answer[STO_PR_RESERVATION_ANSWER_BYTES];
};

/* Begin; the caller filled count, luns, key, done and context. It stays where it is until done. */
void sv_verify_start(struct sv_verify *verify);

#endif
