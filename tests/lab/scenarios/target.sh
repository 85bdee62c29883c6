# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the target itself enforces: the adversary may only be forbidden what the target would let through.

# Which write opcodes does a foreign EXCLUSIVE ACCESS reservation not stop? Exactly those that the rounds leave out.
scenario_opcodes()
{
    local got unguarded
    adv_start A n1 1 16 "$SEED" --url "$OWNER_URL" --depth 0 --pr-every 0 || return 1
    expect_event A "$LAB_WAIT" owner not-owner || return 1
    got=$(adv_mode probe --url "$OWNER_URL" --count 1) || { fail "the probe failed: $got"; return 1; }
    unguarded=$(awk '$2 != "conflict" && $2 != "unsupported" { print $1 }' <<<"$got" | paste -sd,)
    [ "$unguarded" = "$LAB_UNGUARDED" ] || fail "the target lets through: $unguarded; the rounds expect $LAB_UNGUARDED"
    [ "$(wc -l <<<"$got")" -ge 13 ] || fail "the probe tried too little: $got"
    [ -z "$WHY" ]
}

# istgt's PREEMPT removes the wrong registration and says GOOD: only the verification can tell. Its LOGICAL UNIT RESET drops
# every session, which would hide that: the proxy answers it, and only one write at a time is in flight. The right end is "not proven" or a refusal for the
# holder's sake; whoever says "owned" is judged by the blocks.
scenario_istgt()
{
    san_stop
    istgt_start || { fail "istgt does not start: $(tail -n 1 istgt.log)"; return 1; }
    proxy_before_owner || return 1
    px "task fake" || return 1
    old_owner_at "$(url 1)" --pr-every 0 --depth 1 || return 1
    old_owner_quiet || return 1
    new_owner || return 1
    proc_wait B "$LAB_WAIT" owned refused not-proven || { fail "no answer within $LAB_WAIT s"; return 1; }
    tap_comment "$LINE"
    case $LINE in
    *owned*) finish_takeover ;;
    *UNREACHABLE* | *GENERATIONS_USED* | *exited*) fail "it ended before it could verify: $LINE" ;;
    esac
    [ -z "$WHY" ]
}

CONFORMANCE_SUITES="PrinReadKeys PrinServiceactionRange PrinReportCapabilities ProutRegister ProutReserve ProutClear
ProutPreempt Reserve6 iSCSITMF CompareAndWrite"

# conformance_test LUN TEST: passed, FAILED or SKIPPED; SKIPPED counts as passed in the tool's own sums, not here
conformance_test()
{
    timeout 60 nsenter --net=/run/netns/n3 iscsi-test-cu -d -n -V -t "$2" "$(url "$1")" </dev/null >conformance.out 2>&1
    if ! grep -q 'Run Summary' conformance.out || grep -q 'had failures' conformance.out; then
        echo FAILED
    elif grep -q '\[SKIPPED\]' conformance.out; then
        echo SKIPPED
    else
        echo passed
    fi
}

# conformance LUN: "TEST ANSWER" for each test of libiscsi's reservation suites. The task management tests race a write
# against the request and fail when the write is quicker: such a failure is tried again.
conformance()
{
    local suite test answer attempt
    for suite in $CONFORMANCE_SUITES; do
        while read -r test; do
            for ((attempt = 0; attempt < 8; attempt++)); do
                answer=$(conformance_test "$1" "$test")
                if [ "$answer" != FAILED ] || [ "$suite" != iSCSITMF ]; then
                    break
                fi
            done
            printf '%-40s %s\n' "$test" "$answer"
        done < <(iscsi-test-cu -l 2>/dev/null | grep "^ALL\.$suite\..")
    done
}

# The target answers libiscsi's own reservation tests the same before and after our takeovers on the same LUN.
scenario_conformance()
{
    lab_need iscsi-test-cu
    conformance 1 >before.txt
    flood 1 50000 1000 || return 1
    round_end
    adv_mode clear --url "$OWNER_URL" || { fail "the reservations cannot be cleared"; return 1; }
    conformance 1 >after.txt
    tap_comment "$(cat after.txt)"
    [ "$(grep -c passed before.txt)" -ge 15 ] || fail "hardly any test passed: $(cat before.txt)"
    diff before.txt after.txt >conformance.diff || fail "before and after differ: $(cat conformance.diff)"
    [ -z "$WHY" ]
}
