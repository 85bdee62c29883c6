#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs each fuzz target from its kept corpus for FUZZ_SECONDS, two at a time. What a run discovers
# is kept in the build tree for the next one. A finding stays below test-results/fuzz/ and the
# command that repeats it is printed. Run by make check (10 s each) and make check-fuzz (60 s each).
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

seconds=${FUZZ_SECONDS:-10}
programs=$HW_TOP_BUILDDIR/tests/fuzz
corpus=$HW_TOP_SRCDIR/tests/fuzz/corpus
results=$HW_TOP_BUILDDIR/test-results/fuzz-findings
[ -n "${HW_FUZZ_CC-}" ] || tap_skip_all "no clang with libFuzzer; apt-get install clang"

work=$(mktemp -d) || exit 1
pids=
trap 'kill $pids 2>/dev/null; wait; rm -rf "$work"' EXIT
mkdir -p "$results"

# fuzz NAME: run one target; its log and exit status are left in $work
fuzz()
{
    local grown=$programs/corpus-$1
    mkdir -p "$grown"
    "$programs/fuzz_$1" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
        -print_final_stats=1 -artifact_prefix="$results/$1-" "$grown" "$corpus/$1" \
        >"$work/$1.log" 2>&1
    echo $? >"$work/$1.status"
}

report()
{
    local status runs
    status=$(cat "$work/$1.status" 2>/dev/null)
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$1.log")
    if [ "$status" = 0 ] && [ "${runs:-0}" -gt 0 ]; then
        tap_comment "$runs inputs in $seconds s"
        tap_ok "$1"
    else
        tap_not_ok "$1" "exit status ${status:-unknown}
$(grep -vE '^(#|INFO|NEW|stat::)' "$work/$1.log" | tail -n 40)
repeat with: $programs/fuzz_$1 FILE, for FILE in:
$(ls "$results/$1"-* 2>/dev/null)"
    fi
}

if "$programs/planted" -max_total_time="$seconds" -artifact_prefix="$work/" >"$work/planted" 2>&1; then
    tap_not_ok "a planted fault is found" "$(tail -n 5 "$work/planted")"
else
    tap_check "a planted fault is found" grep -E 'planted\.c:[0-9]+:.*(out of bounds|overflow)' "$work/planted"
fi

names=
for name in $HW_FUZZ_TARGETS; do
    if [ ! -d "$corpus/$name" ]; then
        tap_not_ok "$name" "no kept corpus in tests/fuzz/corpus/$name"
        continue
    fi
    fuzz "$name" &
    pids="$pids $!"
    names="$names $name"
    # shellcheck disable=SC2086 # a list
    if [ "$(set -- $pids && echo $#)" -ge 2 ]; then
        wait $pids
        pids=
    fi
done
# shellcheck disable=SC2086 # a list
wait $pids
pids=
for name in $names; do
    report "$name"
done
tap_done
