/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Words for what a probe found.
 */
#include "config.h"

#include "storage/sto_probe.h"

#include <errno.h>

const char *sto_probe_outcome_name(enum sto_probe_outcome outcome)
{
    switch (outcome) {
    case STO_PROBE_NOT_TRIED:
        return "not-tried";
    case STO_PROBE_KEPT_OUT:
        return "kept-out";
    case STO_PROBE_UNKNOWN_HERE:
        return "unsupported";
    case STO_PROBE_PASSED:
        return "passed";
    case STO_PROBE_UNCLEAR:
        return "unclear";
    }
    return "?";
}

int sto_probe_judge(const struct sto_probe_report *report, const char *name, struct hw_error *error)
{
    const char *left = report->cleaned ? "" : "; keys of the probe may be left on it";

    switch (report->verdict) {
    case STO_PROBE_FIT:
        return 0;
    case STO_PROBE_IN_USE:
        return hw_error_setf(error, HW_ERROR_REFUSED, EBUSY, name, "probe a LUN that nobody owns",
                             "in use: %s", report->reason);
    case STO_PROBE_NOT_OFFERED:
        return hw_error_set(error, HW_ERROR_REFUSED, EOPNOTSUPP, name,
                            "its target offers no persistent reservations",
                            "use a target that has them; hawser cannot fence this one");
    case STO_PROBE_UNFIT:
        return hw_error_setf(error, HW_ERROR_REFUSED, EOPNOTSUPP, name,
                             "use another target, or a newer version of this one",
                             "reservations of this target cannot be trusted: %s%s", report->reason,
                             left);
    case STO_PROBE_RUNNING:
    case STO_PROBE_BROKEN_OFF:
        break;
    }
    return hw_error_setf(error, HW_ERROR_FAILED, EIO, name, "look at the target, then probe again",
                         "the probe was broken off: %s%s", report->reason, left);
}
