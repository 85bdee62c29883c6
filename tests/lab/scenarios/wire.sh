# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Takeovers through a proxy that injects unit attentions, loses or falsifies answers, and delivers old bytes late.

# 0 to 10 unit attentions before each step of the takeover, by the seed
scenario_attentions()
{
    proxy_before_owner || return 1
    px "attention $((SEED % 11))" || return 1
    old_owner_at "$(url 1)" || return 1
    shim_set mode=1 delay_us=50000
    old_owner_quiet || return 1
    new_owner || return 1
    expect_event B "$LAB_WAIT" owned refused || return 1
    at_owned
    px "attention 0" || return 1
    pause_ms 200
    unchanged_since_owned
    finish_takeover
    no_early_write
    [ -z "$WHY" ]
}

# never_owner SECONDS: node 2 gives up as "not proven" and has never said "owned"
never_owner()
{
    local said=
    while proc_wait B "$1" owned not-proven refused; do
        [ "$EVENT" != not-proven ] || said=yes
        [ "$EVENT" != owned ] || { fail "owned without a proven barrier: $LINE"; return 1; }
        [ "$EVENT" != exited ] || break
    done
    [ -n "$said" ] || fail "did not say that it is not proven: ${LINE:-nothing in $1 s}"
    [ "$EVENT" = exited ] || fail "did not give up within $1 s"
    [ "${PROC_STATUS[B]}" = 5 ] || fail "gave up with exit status ${PROC_STATUS[B]}, not 5"
    [ -z "$WHY" ]
}

barrier_fails()
{
    proxy_before_owner || return 1
    px "$1" || return 1
    old_owner_at "$(url 1)" || return 1
    shim_set mode=1 delay_us=50000
    old_owner_quiet || return 1
    new_owner --barrier-ms 2000 --barrier-attempts 3 || return 1
    never_owner 120
}

scenario_barrier_unanswered()
{
    barrier_fails "task lose"
}

# response 5: not supported, 255: rejected, others: does not exist, not authorised
scenario_barrier_refused()
{
    local responses=(5 255 1 2 6)
    barrier_fails "task ${responses[$((SEED % 5))]}"
}

# the answer to the n-th PERSISTENT RESERVE OUT is lost with its connection: the outcome is unknown
scenario_pr_out_lost()
{
    proxy_before_owner || return 1
    px "lose-pr-out $((SEED % 2))" || return 1
    old_owner_at "$(url 1)" || return 1
    shim_set mode=1 delay_us=50000
    old_owner_quiet || return 1
    becomes_owner || return 1
    finish_takeover
    grep -q lost-answer P.events || proc_poll P lost-answer || fail "no answer was lost"
    [ -z "$WHY" ]
}

# the old owner's data arrives (R2T, Data-Out) after its LUN was taken
scenario_late_data()
{
    proc_start P n1 "$LAB_BIN/proxy" 10.77.0.1:3270 "$LAB_PORTAL" && expect_event P 10 listening || return 1
    old_owner_at "$(url 1 10.77.0.1:3270)" --r2t --depth 8 || return 1
    old_owner_quiet || return 1
    px "hold up 05" || return 1
    expect_event P 20 held || return 1
    new_owner || return 1
    expect_event B "$LAB_WAIT" owned refused || return 1
    at_owned
    dice 2
    [ "$DICE" -eq 0 ] || new_owner_fills || return 1
    local filled=$DICE
    px "release up" || return 1
    expect_event A "$LAB_WAIT" conflict || return 1
    [ "$filled" -ne 0 ] || unchanged_since_owned
    finish_takeover
}

# the owner's own old socket delivers its write after the reconnect that wrote something newer
scenario_old_socket()
{
    proxy_before_owner || return 1
    owns_alone || return 1
    px "hold up" || return 1
    proc_say B write 64 8 1001
    pause_ms 100
    px "detach all" || return 1
    px "release up" || return 1
    written_through 1001 || return 1
    proc_say B write 64 8 1002
    written_through 1002 || return 1
    px "deliver all" || return 1
    expect_event P 20 delivered closed || return 1
    pause_ms 500
    numbers_are 64 8 1002
    no_early_write
    [ -z "$WHY" ]
}
