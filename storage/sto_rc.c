/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Outcomes: their names, as messages and JSON have them, and what they are good for.
 */
#include "config.h"

#include "storage/sto_lun.h"

const char *sto_rc_name(enum sto_rc rc)
{
    switch (rc) {
    case STO_OK:
        return "ok";
    case STO_CONFLICT:
        return "conflict";
    case STO_UNIT_ATTENTION:
        return "unit-attention";
    case STO_BUSY:
        return "busy";
    case STO_MISCOMPARE:
        return "miscompare";
    case STO_UNSUPPORTED:
        return "unsupported";
    case STO_ILLEGAL:
        return "illegal";
    case STO_READ_ONLY:
        return "read-only";
    case STO_NO_SPACE:
        return "no-space";
    case STO_MEDIUM:
        return "medium-error";
    case STO_ABORTED:
        return "aborted";
    case STO_SHORT:
        return "short";
    case STO_NOT_SENT:
        return "not-sent";
    case STO_WITHHELD:
        return "withheld";
    case STO_UNKNOWN:
        return "unknown-outcome";
    case STO_LOGIN_REFUSED:
        return "login-refused";
    default:
        return "invalid";
    }
}

bool sto_rc_unsettled(enum sto_rc rc)
{
    return rc == STO_NOT_SENT || rc == STO_UNKNOWN || rc == STO_CONFLICT ||
           rc == STO_UNIT_ATTENTION || rc == STO_BUSY || rc == STO_WITHHELD ||
           rc == STO_LOGIN_REFUSED;
}

bool sto_rc_passes(enum sto_rc rc)
{
    return rc == STO_UNIT_ATTENTION || rc == STO_BUSY || rc == STO_ABORTED;
}
