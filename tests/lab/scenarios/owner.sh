# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What an owner must survive without losing or reordering its own writes.

# The first write hangs in the target, the connections break, a newer write follows: it must stay the last one, and
# nothing may be written on a new connection before it registered and a barrier was answered.
scenario_own_order()
{
    proxy_before_owner || return 1
    owns_alone || return 1
    shim_set node=2 mode=3 stuck_left=1
    proc_say B write 64 8 1001
    wait_until "$LAB_WAIT" shim_is stuck_now 1 || { fail "the write did not get stuck"; return 1; }
    px "cut all" || return 1
    proc_say B write 64 8 1002
    # an owner that re-sends by itself is quick: give it the time to be wrong
    pause_ms 2500
    shim_release
    written_through 1002 || return 1
    wait_until "$LAB_WAIT" shim_is waiting 0 || { fail "a write never landed"; return 1; }
    numbers_are 64 8 1002
    no_early_write
    [ -z "$WHY" ]
}

# A stalled loser comes back and resets the owner's LUN while its writes are slow: all are re-issued, in order.
scenario_loser_resets()
{
    local seq resets=0 slot
    # two resets at once: tgtd never answers the first, so the barrier is asked again, soon
    owns_alone --barrier-ms 2000 --barrier-attempts 20 || return 1
    adv_start L n3 3 8 "$SEED" --url "$OWNER_URL" --no-own --depth 0 --pr-every 0 || return 1
    shim_set node=2 mode=1 delay_us=30000
    for ((seq = 1001; seq <= 1160; seq++)); do
        proc_say B write $((64 + 8 * (seq % 16))) 8 "$seq"
        dice 40
        if [ "$resets" -lt 4 ] && { [ "$DICE" -eq 0 ] || [ "$seq$resets" = 10800 ]; }; then # one at least
            wait_until 10 shim_at_least waiting 1
            proc_signal L USR2
            resets=$((resets + 1))
            pause_ms 30
        fi
    done
    proc_signal L USR2
    all_written 1001 1160
    for ((slot = 0; slot < 16; slot++)); do
        numbers_are $((64 + 8 * ((1145 + slot) % 16))) 8 $((1145 + slot))
    done
    proc_end L
    # the target may never answer a reset that B's barrier overtook, but B has noticed it
    grep -q '"resets":[1-9]' L.events || grep -q '"suspended"' B.events || fail "no reset reached the LUN"
    [ -z "$WHY" ]
}

# all_written FIRST LAST: B says "written" for each, in whatever order
all_written()
{
    local -A open=()
    local number
    for ((number = $1; number <= $2; number++)); do
        open[$number]=yes
    done
    while [ "${#open[@]}" -gt 0 ]; do
        proc_wait B "$LAB_WAIT" written refused || break
        [ "$EVENT" = written ] || break
        event_number seq
        # shellcheck disable=SC2153 # set by event_number
        unset "open[$NUMBER]"
    done
    [ "${#open[@]}" -eq 0 ] || fail "never answered: writes ${!open[*]}"
}

# An order of an older generation arrives late: refused, and nothing on the LUN has changed.
scenario_stale_order()
{
    local before after
    owns_alone || return 1
    before="$(adv_mode show --url "$(url 1)" | grep -v prgeneration) $(checker snapshot disk1)"
    dice 16
    owner_start C n3 3 $((16 + DICE)) "${OWNER_OPTIONS[@]}" || return 1
    expect_event C "$LAB_WAIT" refused owned not-proven || return 1
    proc_say C quit
    expect_event C 20 exited || return 1
    [ "${PROC_STATUS[C]}" -eq 3 ] || fail "refused with exit status ${PROC_STATUS[C]}, not 3"
    after="$(adv_mode show --url "$(url 1)" | grep -v prgeneration) $(checker snapshot disk1)"
    [ "$before" = "$after" ] || fail "the stale order changed the LUN: $before -> $after"
    proc_poll B lost && fail "the owner lost it: $LINE"
    new_owner_fills
    [ -z "$WHY" ]
}

# The target hangs: no ownership, and no wrong "proven", until it is back.
scenario_target_hangs()
{
    old_owner || return 1
    shim_set mode=1 delay_us=50000
    old_owner_quiet || return 1
    kill -STOP "$TGT_PID"
    new_owner || return 1
    if proc_wait B 3 owned && [ "$EVENT" = owned ]; then
        fail "owned while the target was stopped"
    fi
    kill -CONT "$TGT_PID"
    [ -z "$WHY" ] || return 1
    [ "$EVENT" != exited ] || proc_end B
    if [ "$EVENT" = exited ]; then
        becomes_owner || return 1
    else
        expect_event B "$LAB_WAIT" owned || return 1
    fi
    finish_takeover
}
