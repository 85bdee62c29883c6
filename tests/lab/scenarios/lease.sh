# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What hawser-lun must not do when its lease is over (run-served): requests wait, nothing goes to the kernel, and what
# waited is done once and in order when it may.

LEASE_MS=1000
LEASE_WRITES=96 # of 64 KiB each, on 12 places in turn

# wire_count: the proxy's count of PDUs with writes or their data, into WIRE
wire_count()
{
    proc_say P count
    expect_event P 10 count || return 1
    event_number writes
    WIRE=$NUMBER
    expect_event P 10 "done" refused
}

wire_beyond()
{
    wire_count && [ "$WIRE" -gt "$1" ]
}

# say_writes FIRST LAST: B's guest queues them
say_writes()
{
    local seq
    for ((seq = $1; seq <= $2; seq++)); do
        proc_say B write $((64 + 128 * (seq % 12))) 128 "$seq"
    done
}

# writes_are LAST: the newest write of each place is there, whole
writes_are()
{
    local seq
    for ((seq = $1 - 11; seq <= $1; seq++)); do
        numbers_are $((64 + 128 * (seq % 12))) 128 "$seq"
    done
}

# starved_with_data_due [stop]: writes are under way, the target asks for their data but that word waits in the network;
# then the feeds end, the deadline passes, and the word arrives
starved_with_data_due()
{
    local before
    proxy_before_owner || return 1
    owns_alone --deadman-ms "$LEASE_MS" || return 1
    wire_count || return 1
    before=$WIRE
    px "hold down 31" || return 1
    say_writes 1001 $((1000 + LEASE_WRITES / 2))
    wait_until "$LAB_WAIT" wire_beyond $((before + 7)) || { fail "no write is under way"; return 1; }
    proc_say B feed off
    expect_event B "$LAB_WAIT" starved || return 1
    [ "${1-}" != stop ] || proc_say B stop
    pause_ms $((LEASE_MS + 200))
    say_writes $((1001 + LEASE_WRITES / 2)) $((1000 + LEASE_WRITES))
    wire_count || return 1
    before=$WIRE
    px "release down" || return 1
    [ "${1-}" != stop ] || proc_say B cont
    pause_ms 600
    wire_count || return 1
    [ "$WIRE" -eq "$before" ] || { fail "$((WIRE - before)) PDUs with writes were sent after the deadline"; return 1; }
    proc_poll B lost && fail "a lease that is over is no loss: $LINE"
    proc_say B feed on
    all_written 1001 $((1000 + LEASE_WRITES))
    writes_are $((1000 + LEASE_WRITES))
    no_early_write
    [ -z "$WHY" ]
}

scenario_starved()
{
    starved_with_data_due
}

scenario_frozen()
{
    starved_with_data_due stop
}

# The storage lease: stopped past it with data due, the server gives its session up and sends nothing on it; it goes on
# behind a registration of its own and a barrier.
scenario_frozen_storage()
{
    local before
    proxy_before_owner || return 1
    owns_alone --store-ms 1500 || return 1
    wire_count || return 1
    before=$WIRE
    px "hold down 31" || return 1
    say_writes 1001 $((1000 + LEASE_WRITES))
    wait_until "$LAB_WAIT" wire_beyond $((before + 7)) || { fail "no write is under way"; return 1; }
    proc_say B stop
    pause_ms 1700
    wire_count || return 1
    before=$WIRE
    # the answers to come are late, so that nothing is confirmed before data could be sent
    px "release down" || return 1
    px "delay down 300" || return 1
    proc_say B cont
    pause_ms 250
    wire_count || return 1
    [ "$WIRE" -eq "$before" ] || { fail "$((WIRE - before)) PDUs with writes were sent after the storage lease"; return 1; }
    px "delay down 0" || return 1
    all_written 1001 $((1000 + LEASE_WRITES))
    writes_are $((1000 + LEASE_WRITES))
    no_early_write
    [ -z "$WHY" ]
}

# Stopped under load, and taken over by another node meanwhile: nothing of it lands, its guest is told nothing.
scenario_frozen_preempted()
{
    owns_alone --deadman-ms "$LEASE_MS" || return 1
    shim_set node=2 mode=1 delay_us=20000
    say_writes 1001 $((1000 + LEASE_WRITES))
    wait_until "$LAB_WAIT" shim_at_least waiting 1 || { fail "no write is delayed"; return 1; }
    dice 60
    pause_ms "$DICE"
    proc_say B stop
    proc_poll B written # what was answered before
    owner_start C n3 3 48 "${OWNER_OPTIONS[@]}" || return 1
    expect_event C "$LAB_WAIT" owned refused || return 1
    [ "$(shim_get waiting)" -eq 0 ] || fail "writes of the old owner wait at the target when ownership is reported"
    checker save disk1 at-owned --first "$LAB_DISK_FIRST" --count "$LAB_DISK_COUNT"
    proc_say B cont
    expect_event B "$LAB_WAIT" lost || return 1
    proc_say B feed on
    pause_ms 300
    unchanged_since_owned
    proc_say C fill
    expect_event C "$LAB_WAIT" filled lost refused || return 1
    checker fill-expect disk1 3:48-63 --first "$LAB_DISK_FIRST" --count "$LAB_DISK_COUNT" >fill.txt ||
        fail "after the fill: $(head -n 1 fill.txt) ... $(tail -n 1 fill.txt)"
    [ -z "$WHY" ]
}
