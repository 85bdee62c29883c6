#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The demonstration tells the truth: it ends well with hawser's owner, and with a guard taken out it says what broke.
set -u

HW_TOP_SRCDIR=${HW_TOP_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
# shellcheck source=SCRIPTDIR/../tap.sh
. "$HW_TOP_SRCDIR/tests/tap.sh"

demo=$HW_TOP_SRCDIR/tests/lab/demo.sh

# mutant NAME REASON (an extended regular expression)
mutant()
{
    local output status
    output=$(LAB_OWNER=$HW_PLAIN_BUILDDIR/tests/lab/owner-$1 "$demo" 2>&1 </dev/null)
    status=$?
    if [ "$status" -eq 1 ] && grep -qE "NOT as promised.*($2)" <<<"$output"; then
        tap_ok "the demonstration notices: $1"
    else
        tap_not_ok "the demonstration notices: $1" "exit status $status
$output"
    fi
}

output=$("$demo" 2>&1 </dev/null)
status=$?
reason=$(sed -n 's/^demo: cannot run here: //p' <<<"$output")
[ -z "$reason" ] || tap_skip_all "$reason"
if [ "$status" -eq 0 ] && grep -q '^All as promised' <<<"$output"; then
    tap_ok "the demonstration ends as promised"
else
    tap_not_ok "the demonstration ends as promised" "exit status $status
$output"
fi
if grep -q $'\e' <<<"$output"; then
    tap_not_ok "no colours without a terminal"
else
    tap_ok "no colours without a terminal"
fi
if grep -qE 'hawser lun takeover \$LUN \$C --node 2 ' <<<"$output"; then
    tap_ok "its commands can be typed as they are shown"
else
    tap_not_ok "its commands can be typed as they are shown" "$output"
fi
mutant no-barrier 'still under way'
mutant registrants-only 'changed after node 2'
tap_done
