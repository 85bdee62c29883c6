# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# TAP for test scripts: source this, call the functions, end with tap_done.
#   . "$HW_TOP_SRCDIR/tests/tap.sh"
#   tap_ok NAME             tap_not_ok NAME [WHY]         tap_skip NAME REASON
#   tap_check NAME COMMAND...     runs COMMAND; ok if it succeeds, its output as comments if not
#   tap_is NAME GOT EXPECTED      ok if both are the same text
#   wait_until SECONDS COMMAND... true as soon as COMMAND succeeds, asked 50 times a second
#   tap_skip_all REASON     nothing here can run: one line and exit 77
#   tap_done                the plan; the script's exit status

: "${HW_TOP_SRCDIR:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${HW_TOP_BUILDDIR:=$HW_TOP_SRCDIR/build}"
: "${HW_PLAIN_BUILDDIR:=$HW_TOP_BUILDDIR}"
export HW_TOP_SRCDIR HW_TOP_BUILDDIR HW_PLAIN_BUILDDIR

tap_count=0
tap_failed=0

wait_until()
{
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.02
    done
}

tap_comment()
{
    printf '%s\n' "$*" | sed 's/^/# /'
}

tap_ok()
{
    tap_count=$((tap_count + 1))
    printf 'ok %d - %s\n' "$tap_count" "$1"
}

tap_not_ok()
{
    tap_count=$((tap_count + 1))
    tap_failed=$((tap_failed + 1))
    [ -z "${2-}" ] || tap_comment "$2"
    printf 'not ok %d - %s\n' "$tap_count" "$1"
}

tap_skip()
{
    tap_count=$((tap_count + 1))
    printf 'ok %d - %s # SKIP %s\n' "$tap_count" "$1" "$2"
}

tap_check()
{
    local name=$1 output status
    shift
    output=$("$@" 2>&1)
    status=$?
    if [ "$status" -eq 0 ]; then
        tap_ok "$name"
    else
        tap_not_ok "$name" "exit status $status: $*
$output"
    fi
}

tap_is()
{
    if [ "$2" = "$3" ]; then
        tap_ok "$1"
    else
        tap_not_ok "$1" "got:      $2
expected: $3"
    fi
}

tap_skip_all()
{
    printf '1..0 # SKIP %s\n' "$1"
    exit 77
}

tap_done()
{
    printf '1..%d\n' "$tap_count"
    [ "$tap_failed" -eq 0 ]
    exit
}
