#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/run-suites: what it counts for programs that pass, fail, skip, die, lie about their plan,
# hang or leave a process behind, and the total over several runs.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

program()
{
    { echo '#!/bin/bash'; cat; } >"$work/$1"
    chmod +x "$work/$1"
}

# summary SUITE=PROGRAMS...: the last line, and the exit status behind it
summary()
{
    local output status
    output=$(HW_TEST_TIMEOUT=2 "$HW_TOP_SRCDIR/tests/run-suites" --results results "$@" 2>&1)
    status=$?
    printf '%s; status %d' "$(tail -n 1 <<<"$output")" "$status"
}

program good <<<"printf 'ok 1 - a\nok 2 - b\n1..2\n'"
program bad <<<"printf '1..2\nok 1 - a\nnot ok 2 - b\n'; exit 1"
program skipping <<<"printf 'ok 1 - a # SKIP no kernel\nok 2 - b\n1..2\n'"
program skipped <<<"echo '1..0 # SKIP needs root'; exit 77"
program skipped_by_status <<<"echo needs root; exit 77"
program dies <<<"echo 'ok 1 - a'; kill -KILL \$\$"
program planless <<<"echo 'ok 1 - a'"
program short <<<"printf '1..3\nok 1 - a\n'"
program lies <<<"printf 'ok 1 - a\n1..1\n'; exit 3"
program silent <<<"exit 0"
program bails <<<"printf 'ok 1 - a\n1..1\nBail out! no target\n'"
program hangs <<<"printf 'ok 1 - a\n1..1\n'; exec sleep 60"
program leaves <<<"sleep 60 & echo \$! >$work/left; printf 'ok 1 - a\n1..1\n'"

tap_is "all passed" "$(summary a=good)" "2 passed, 0 failed; status 0"
tap_is "two suites" "$(summary a=good b='good good')" "6 passed, 0 failed; status 0"
tap_is "no test at all" "$(summary a=)" "0 passed, 0 failed; status 0"
tap_is "one failed" "$(summary a='good bad')" "3 passed, 1 failed; status 1"
tap_is "one skipped" "$(summary a=skipping)" "1 passed, 0 failed, 1 skipped; status 0"
tap_is "a program skipped" "$(summary a='skipped good')" "2 passed, 0 failed, 1 skipped; status 0"
tap_is "a program skipped by status" "$(summary a=skipped_by_status)" \
    "0 passed, 0 failed, 1 skipped; status 0"
tap_is "died" "$(summary a=dies)" "1 passed, 1 failed; status 1"
tap_is "no plan" "$(summary a=planless)" "1 passed, 1 failed; status 1"
tap_is "fewer than planned" "$(summary a=short)" "1 passed, 1 failed; status 1"
tap_is "passed but a bad exit status" "$(summary a=lies)" "1 passed, 1 failed; status 1"
tap_is "no output" "$(summary a=silent)" "0 passed, 1 failed; status 1"
tap_is "bailed out" "$(summary a=bails)" "1 passed, 1 failed; status 1"
tap_is "missing program" "$(summary a=nowhere)" "0 passed, 1 failed; status 1"
tap_is "hung" "$(summary a=hangs)" "1 passed, 1 failed; status 1"
tap_is "a process left behind" "$(summary a=leaves)" "1 passed, 1 failed; status 1"
kill "$(cat "$work/left")"

summary a='good bad' >/dev/null
summary b=skipping >/dev/null
total()
{
    "$HW_TOP_SRCDIR/tests/run-suites" --total results "$@" | tail -n 1
}
tap_is "total over runs" "$(total a b)" "4 passed, 1 failed, 1 skipped"
tap_is "a suite that left no numbers is a failure" "$(total a b c)" "4 passed, 2 failed, 1 skipped"
tap_done
