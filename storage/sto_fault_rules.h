/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The small language of fault rules (its words are in sto_fault.h). Pure.
 */
#ifndef STO_FAULT_RULES_H
#define STO_FAULT_RULES_H

#include "storage/sto_lun.h"

enum sto_fault_action {
    STO_FAULT_NONE,
    STO_FAULT_FAIL,
    STO_FAULT_CONFLICT,
    STO_FAULT_BUSY,
    STO_FAULT_ABORT,
    STO_FAULT_READ_ONLY,
    STO_FAULT_NO_SPACE,
    STO_FAULT_UNIT_ATTENTION,
    STO_FAULT_DELAY,
    STO_FAULT_SHORT,
    STO_FAULT_TORN,
    STO_FAULT_HANG,
    STO_FAULT_LOST,
    STO_FAULT_DROP,
    STO_FAULT_DROP_AFTER,
    STO_FAULT_KILL,
    STO_FAULT_KILL_AFTER,
};

struct sto_fault_rule {
    enum sto_fault_action action;
    bool any_kind;
    enum sto_op_kind kind;
    uint64_t first, last; /* counted from 1 */
    uint64_t argument;    /* DELAY: nanoseconds; TORN: bytes; UNIT_ATTENTION: asc_ascq */
    uint64_t seen;        /* operations of this kind so far */
};

enum { STO_FAULT_RULES = 16 };

struct sto_fault_rules {
    unsigned count;
    struct sto_fault_rule rules[STO_FAULT_RULES];
};

/* Read rules; "" has none. 0, or -EINVAL with the wrong rule named in `error`. */
int sto_fault_parse(const char *text, struct sto_fault_rules *ret_rules, struct hw_error *error);

/* Count this operation in every rule of its kind; the first rule that it is for, or NULL. */
const struct sto_fault_rule *sto_fault_match(struct sto_fault_rules *rules,
                                             const struct sto_op *op);

#endif
