/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fault backend: a LUN on top of any other that fails, delays, cuts or loses chosen
 * operations. It is a real backend with the same contract; tests use it to try every failure at
 * every operation.
 *
 * Rules, several joined by '+', each ACTION:KIND[:WHICH[:ARGUMENT]]
 *   KIND    login logout read write flush discard zeroes caw scsi lun-reset, or any
 *   WHICH   the n-th operation of that kind, counted from 1 for each rule; `*` = each one;
 *           `N-` = the n-th and each later one
 *   fail    ends as a medium error, not executed
 *   conflict, busy, abort, readonly, nospace   end as their name says, not executed
 *   ua      ends as a unit attention, not executed; ARGUMENT is its ASC and ASCQ, 4 hex digits
 *   delay   is handed on ARGUMENT (50ms, 2s) later: `delay:read:*:50ms`; `delay:read:50ms` too
 *   short   only half of the transfer is done; ends as STO_SHORT
 *   torn    the first ARGUMENT bytes (multiples of a block) are written, then the session goes
 *           down and the outcome is unknown
 *   hang    is never handed on; ends at its deadline as unknown
 *   lost    is executed, but the answer is lost: ends at its deadline as unknown
 *   drop    the session goes down before it is handed on (the operation ends as not sent)
 *   dropafter  is executed, then the session goes down: unknown outcome
 *   kill, killafter   SIGKILL to this process before it is handed on; behind its end, untold
 */
#ifndef STO_FAULT_H
#define STO_FAULT_H

#include "storage/sto_lun.h"

/*
 * Put the fault backend on top of `lun`, which it owns from then on (closing the returned LUN
 * closes both). On failure `lun` is untouched and still the caller's. Errors: -EINVAL with the
 * wrong rule in `error`, -ENOMEM. `rules` may be "" (add some later).
 */
int sto_fault_wrap(struct sto_lun *lun, const char *rules, struct sto_lun **ret_lun,
                   struct hw_error *error);

/* Replace the rules of a fault LUN and start counting anew. Errors as above, plus -ENOTTY if
 * `lun` is not a fault LUN. */
int sto_fault_set(struct sto_lun *lun, const char *rules, struct hw_error *error);

/* Operations that a rule was applied to so far; 0 if `lun` is not a fault LUN. */
uint64_t sto_fault_fired(const struct sto_lun *lun);

#endif
