# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Takeovers from an old owner that keeps writing, with the target's disk made slow in several ways, and with the old owner
# stopped, cut off or disconnected.

# flood MODE DELAY_US PERMILLE
flood()
{
    old_owner || return 1
    shim_set "mode=$1" "delay_us=$2" "permille=$3"
    [ "$1" -eq 0 ] || wait_until "$LAB_WAIT" shim_at_least waiting 8 || { fail "no write is delayed"; return 1; }
    old_owner_quiet || return 1
    dice 60
    pause_ms "$DICE"
    new_owner || return 1
    expect_event B "$LAB_WAIT" owned refused || return 1
    finish_takeover
}

scenario_flood()
{
    flood 0 0 1000
}

scenario_flood_50ms()
{
    flood 1 50000 1000
}

scenario_flood_3s()
{
    flood 2 3000000 250
}

# one write is accepted and does not reach the disk: no ownership before it did
scenario_flood_stuck()
{
    old_owner || return 1
    shim_set mode=3 stuck_left=1
    wait_until "$LAB_WAIT" shim_is stuck_now 1 || { fail "no write got stuck"; return 1; }
    old_owner_quiet || return 1
    new_owner || return 1
    dice 3
    if proc_wait B $((1 + DICE)) owned; then
        fail "with a write stuck in the target: $LINE"
        return 1
    fi
    shim_release
    expect_event B "$LAB_WAIT" owned refused || return 1
    finish_takeover
}

scenario_stopped()
{
    old_owner || return 1
    shim_set mode=1 delay_us=50000
    old_owner_quiet || return 1
    dice 60
    pause_ms "$DICE"
    proc_signal A STOP
    new_owner || return 1
    expect_event B "$LAB_WAIT" owned refused || return 1
    at_owned || return 1
    dice 2
    [ "$DICE" -eq 0 ] || new_owner_fills || return 1
    proc_signal A CONT
    expect_event A "$LAB_WAIT" conflict || return 1
    finish_takeover
}

# cut_and_healed SECONDS: the old owner vanishes, the new one takes over, the network heals
cut_and_healed()
{
    shim_set mode=1 delay_us=50000
    old_owner_quiet || return 1
    net_cut n1
    dice 60
    pause_ms "$DICE"
    new_owner || return 1
    expect_event B "$LAB_WAIT" owned refused || return 1
    at_owned || return 1
    dice 2
    [ "$DICE" -eq 0 ] || new_owner_fills || return 1
    net_heal n1
    expect_event A "$LAB_WAIT" conflict || return 1
    finish_takeover
}

# What waits in the old owner's send buffer is delivered when the network heals, after the takeover. Few writes in flight:
# tgtd counts a command as busy until its answer is in the socket's buffer, and a full buffer would hold the barrier.
scenario_cut()
{
    old_owner --depth 8 --max-blocks 16 || return 1
    cut_and_healed
}

# With 64 in flight only a target that drops dead initiators (NOP-In) can answer the barrier.
scenario_cut_nop()
{
    tgt --op update --mode target --tid 1 -n nop_interval -v 1
    tgt --op update --mode target --tid 1 -n nop_count -v 2
    old_owner || return 1
    cut_and_healed
}

scenario_dropped()
{
    old_owner || return 1
    shim_set mode=2 delay_us=400000
    wait_until "$LAB_WAIT" shim_at_least waiting 8 || { fail "no write is delayed"; return 1; }
    old_owner_quiet || return 1
    conn_drop n1 || { fail "no connection to drop"; return 1; }
    new_owner || return 1
    expect_event B "$LAB_WAIT" owned refused || return 1
    finish_takeover
}

# the target dies in the middle of the takeover and forgets every reservation
scenario_target_restart()
{
    old_owner || return 1
    shim_set mode=2 delay_us=500000
    wait_until "$LAB_WAIT" shim_at_least waiting 8 || { fail "no write is delayed"; return 1; }
    old_owner_quiet || return 1
    new_owner || return 1
    dice 200
    pause_ms $((50 + DICE))
    if proc_poll B owned; then
        fail "owned with writes in flight: $LINE"
        return 1
    fi
    san_kill_restart || { fail "the target did not come back"; return 1; }
    shim_set mode=1 delay_us=20000
    # until the new owner holds it again, the old one may write: nobody has reported ownership
    while proc_wait B "$LAB_WAIT" owned refused; do
        [ "$EVENT" != owned ] || break
        [ "$EVENT" = exited ] || continue
        proc_end B
        becomes_owner || return 1
        break
    done
    [ "$EVENT" = owned ] || { fail "never became the owner"; return 1; }
    finish_takeover
}
