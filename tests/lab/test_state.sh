#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# hawser-lun and the saved state of its VM: what another node left on the LUN is judged before anything is written, each
# time the LUN is owned anew; and a drain that cannot end says so.
set -u

HW_TOP_SRCDIR=${HW_TOP_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
# shellcheck source=SCRIPTDIR/rig
. "$HW_TOP_SRCDIR/tests/lab/rig"

HAWSER=$HW_PLAIN_BUILDDIR/cli/hawser
LUN=${HAWSER_LUN:-$HW_PLAIN_BUILDDIR/storage/serve/hawser-lun}
LUN_PID=
GUEST_PID=
DRAIN_PID=

# waiting: a guest has requests in its ring that are not taken
waiting()
{
    [ "$(answers '[.disks[].waiting] | any' '{"command":"statistics"}')" = true ]
}

in_flight()
{
    [ "$(answers '[.disks[]."in-flight"] | add' '{"command":"statistics"}')" -gt 0 ]
}

start()
{
    rm -f control.sock
    (in_ns n1 "$LUN" --lun "$(url 1)#disk,socket=$PWD/disk.sock" --state "$(url 1)#state,socket=$PWD/state.sock" \
        --control "unix:$PWD/control.sock" --cluster "$LAB_CLUSTER" --node 1 "$@") >lun.out 2>&1 </dev/null &
    LUN_PID=$!
    wait_until 30 ask '{"command":"status"}'
}

stop()
{
    kill -TERM "$LUN_PID"
    wait "$LUN_PID"
}

drive()
{
    timeout 60 "$LAB_BIN/vhdrive" "$PWD/disk.sock" "$SECTORS"
}

# slot NUMBER STATE GENERATION: a header as another node would have left it
slot()
{
    "$LAB_BIN/stateslot" disk1 "$STATE_AT" "$@"
}

disk_sum()
{
    head -c "$STATE_AT" disk1 | tail -c +2097153 | sha256sum
}

# Owned, given up, and owned again: a state that another node committed in between keeps the disks shut from the first moment.
saved_meanwhile()
{
    local before opened
    slot 0 committed 4
    start --discard-state
    tap_check "the LUN is acquired" ask '{"command":"acquire","generation":16}'
    tap_check "the state that was there is given up, as was ordered at the start" wait_until 10 status_is '.gate + " " + ."saved-state".state' 'open consumed'
    tap_check "and the disk served" drive
    tap_check "the LUN is released" ask '{"command":"release"}'
    # shellcheck disable=SC2046
    ns_run n2 "$HAWSER" lun claim "$(url 1)" $(as 2 32) >/dev/null 2>&1
    slot 0 committed 20
    slot 1 consumed 19
    dd if=/dev/urandom of=disk1 bs=1M seek=2 count=1 conv=notrunc status=none # what the other node wrote
    # shellcheck disable=SC2046
    ns_run n2 "$HAWSER" lun release "$(url 1)" $(as 2 48) >/dev/null 2>&1
    before=$(disk_sum)
    opened=$(grep -c '^gate: gate open' lun.out)
    net_cut n1
    timeout 60 "$LAB_BIN/ask" "$PWD/control.sock" '{"command":"acquire","generation":64}' >acquire.out &
    local acquire=$!
    (drive) >/dev/null 2>&1 &
    local guest=$!
    tap_check "a guest that comes while it is claimed waits" wait_until 10 waiting
    net_heal n1
    wait "$acquire"
    tap_is "acquired again, nothing is known of the saved state yet" "$(jq -r '."saved-state".verdict // "not known"' acquire.out)" 'not known'
    tap_check "it is found" wait_until 10 status_is '."saved-state".verdict' waits
    tap_is "and keeps the disk shut: the order of the start was for what was there then" "$(answers '.gate + " " + .reason' '{"command":"status"}')" 'hold saved-state'
    tap_check "the guest waits" waiting
    tap_is "the gate was never open in between" "$(($(grep -c '^gate: gate open' lun.out) - opened))" 0
    tap_is "nothing is written" "$(disk_sum)" "$before"
    tap_check "discarded by order" ask '{"command":"discard-state"}'
    wait "$guest"
    tap_is "the guest that waited goes on" "$?" 0
    stop
}

# The target cannot flush: nothing that was read is believed; it is told, tried again, and goes on by itself.
unreadable()
{
    start
    ask '{"command":"acquire","generation":112}'
    tap_check "with a saved state given up the disk is open" wait_until 10 status_is '.gate' open
    shim_set sync_fails=1
    timeout 60 "$LAB_BIN/vhdrive" "$PWD/state.sock" "$STATE_SECTORS" >/dev/null 2>&1 # what it writes is no header
    tap_check "headers that cannot be read are told" wait_until 10 grep -q '^saved-state: .*cannot be read or written: medium-error' lun.out
    tap_is "once" "$(grep -c '^saved-state: ' lun.out)" 1
    tap_is "the disks are shut" "$(answers .gate '{"command":"status"}')" hold
    tap_is "an order to discard says why not" "$(answers .error.reason '{"command":"discard-state"}')" 'its headers cannot be read or written: medium-error'
    shim_set sync_fails=0
    tap_check "tried again without an order: what was written there is no state" wait_until 10 status_is .reason unsettled-state
    tap_check "it is discarded" ask '{"command":"discard-state"}'
    tap_check "and the disk open" status_is .gate open
    stop
}

# A drain whose requests hang: called off by "open"; ended by the loss of the LUN.
drains()
{
    local drain
    start
    tap_is "what is not owned cannot be drained" "$(answers .error.reason '{"command":"drain"}')" 'are not owned: nothing can be flushed'
    ask '{"command":"acquire","generation":128}'
    wait_until 10 status_is '.gate' open
    net_cut n1
    (drive) >/dev/null 2>&1 &
    local guest=$!
    wait_until 10 in_flight
    timeout 60 "$LAB_BIN/ask" "$PWD/control.sock" '{"command":"drain"}' >drain.out &
    drain=$!
    wait_until 10 status_is '.reason' ordered
    tap_is "another drain meanwhile is refused" "$(answers '.error.reason' '{"command":"drain"}')" '"drain" is under way'
    ask '{"command":"open"}'
    wait "$drain"
    tap_is "a drain is called off by an open" "$(jq -r .error.reason drain.out)" '"open" came before it was done'
    timeout 60 "$LAB_BIN/ask" "$PWD/control.sock" '{"command":"drain"}' >drain.out &
    drain=$!
    # shellcheck disable=SC2046
    ns_run n2 "$HAWSER" lun takeover "$(url 1)" $(as 2 144) >/dev/null 2>&1
    net_heal n1
    wait "$drain"
    tap_is "the LUN is lost meanwhile: it ends" "$(jq -r .error.reason drain.out)" 'were lost to another owner: what is in flight never ends'
    kill "$guest" 2>/dev/null
    pkill -P "$guest" 2>/dev/null
    stop
}

# drain_hangs: a drain, and a guest whose writes do not end; sets DRAIN_PID and GUEST_PID
drain_hangs()
{
    net_cut n1
    (drive) >/dev/null 2>&1 &
    GUEST_PID=$!
    wait_until 10 in_flight
    timeout 60 "$LAB_BIN/ask" "$PWD/control.sock" '{"command":"drain"}' >drain.out &
    DRAIN_PID=$!
    wait_until 10 status_is '.reason' ordered
}

# An order to hold while it drains: the drain goes on, and whatever becomes of it the disk stays held.
held_in_a_drain()
{
    local release
    start
    ask '{"command":"acquire","generation":192}'
    wait_until 10 status_is '.gate' open
    drain_hangs
    tap_check "a hold while it drains" ask '{"command":"hold"}'
    tap_is "ends no drain" "$(cat drain.out)" ''
    net_heal n1
    wait "$DRAIN_PID"
    tap_is "which ends well once its requests have" "$(jq -r .ok drain.out)" true
    tap_is "and held it stays" "$(answers .reason '{"command":"status"}')" ordered
    ask '{"command":"open"}'
    wait "$GUEST_PID"
    tap_is "opened, its guest goes on" "$?" 0
    drain_hangs
    ask '{"command":"hold"}'
    timeout 60 "$LAB_BIN/ask" "$PWD/control.sock" '{"command":"release"}' >release.out &
    release=$!
    wait "$DRAIN_PID"
    tap_is "the LUN is given up while it drains: the drain says so" "$(jq -r .error.reason drain.out)" 'are not owned: nothing can be flushed'
    net_heal n1
    wait "$release"
    tap_is "the release ends well" "$(jq -r .ok release.out)" true
    ask '{"command":"acquire","generation":208}'
    tap_check "owned again, it is held as was ordered" wait_until 10 status_is '.gate + " " + .reason' 'hold ordered'
    ask '{"command":"open"}'
    wait "$GUEST_PID"
    tap_is "opened, its guest goes on, too" "$?" 0
    stop
}

# With a storage lease: what the LUN did not confirm in time is no longer open, and told at that moment.
unconfirmed()
{
    # shellcheck disable=SC2046
    ns_run n2 "$HAWSER" lun release "$(url 1)" $(as 2 160) >/dev/null 2>&1
    start --lease storage
    ask '{"command":"acquire","generation":176}'
    tap_check "under a storage lease the disk is open" wait_until 10 status_is '.gate' open
    kill -STOP "$TGT_PID"
    tap_check "the target hangs: the lease is over, and that is told" wait_until 10 grep -q '^gate: gate hold, reason lease' lun.out
    tap_is "status says so" "$(answers '.gate + " " + .reason' '{"command":"status"}')" 'hold lease'
    kill -CONT "$TGT_PID"
    tap_check "it goes on: the disk is open" wait_until 30 status_is '.gate' open
    net_cut n1
    tap_check "the network is cut: told as well" wait_until 10 lease_told 2
    net_heal n1
    tap_check "healed: the disk is open, and served" wait_until 30 drive
    tap_is "status says so, too" "$(answers '.gate + " " + .reason' '{"command":"status"}')" 'open none'
    stop
}

# lease_told TIMES
lease_told()
{
    [ "$(grep -c '^gate: gate hold, reason lease' lun.out)" -ge "$1" ]
}

# The last generation that there is: the sessions lost under it, the grant is used up, the LUN neither another's nor ours.
drains_used_up()
{
    start
    tap_check "owned under the last generation of all" ask '{"command":"acquire","generation":16777215}'
    conn_drop n1
    wait_until 30 status_is '.luns[0].state' lost
    tap_is "its block used up, a drain is no success" "$(answers .error.reason '{"command":"drain"}')" 'are not owned: nothing can be flushed'
    stop
}

main()
{
    lab_need sgdisk jq pkill
    lab_begin 64 "$@"
    ns_run n1 "$HAWSER" lun init "$(url 1)" --max-memory 16M --cluster "$LAB_CLUSTER" >init.out 2>&1
    SECTORS=$(sgdisk -i 2 disk1 | awk '/Partition size/ { print $3 }')
    STATE_SECTORS=$(sgdisk -i 3 disk1 | awk '/Partition size/ { print $3 }')
    STATE_AT=$(($(sgdisk -i 3 disk1 | awk '/First sector/ { print $3 }') * 512))
    saved_meanwhile
    unreadable
    drains
    unconfirmed
    held_in_a_drain
    drains_used_up
    tap_done
}

main "$@"
