#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Several LUNs of one VM, owned all or none: claimed together, given back together, held together when one of them is lost,
# and together under the next grant when one is used up.
set -u

HW_TOP_SRCDIR=${HW_TOP_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
# shellcheck source=SCRIPTDIR/rig
. "$HW_TOP_SRCDIR/tests/lab/rig"

HAWSER=$HW_PLAIN_BUILDDIR/cli/hawser
LUN=$HW_PLAIN_BUILDDIR/storage/serve/hawser-lun
LUN_PID=
DRIVE_PID=

# hawser NODE WORDS... GENERATION: a verb of `hawser lun` by that node
hawser()
{
    # shellcheck disable=SC2046
    ns_run "n$1" "$HAWSER" lun "$2" "$(url "$3")" $(as "$1" "$4")
}

start()
{
    (in_ns n1 "$LUN" --lun "$(url 1)#disk,socket=$PWD/disk1.sock" --lun "$(url 5)#disk,socket=$PWD/disk5.sock" \
        --control "unix:$PWD/control.sock" --cluster "$LAB_CLUSTER" --node 1) >lun.out 2>&1 </dev/null &
    LUN_PID=$!
    wait_until 30 ask '{"command":"status"}'
}

stop()
{
    kill -TERM "$LUN_PID"
    wait "$LUN_PID"
}

# drive LUN: its guest
drive()
{
    timeout 60 "$LAB_BIN/vhdrive" "$PWD/disk$1.sock" "$SECTORS"
}

drive_both()
{
    drive 1 && drive 5
}

# owner LUN: what another node sees
owner()
{
    ns_run n3 "$HAWSER" lun show "$(url "$1")" --json 2>/dev/null | jq -r '.owner.node // "nobody"'
}

all_or_none()
{
    hawser 2 claim 5 16 >/dev/null 2>&1
    start
    tap_is "one of two LUNs is another node's: refused, with its name" \
        "$(answers '.error | .object + ": " + .reason' '{"command":"acquire","generation":32}' | grep -c '/5: another node owns the LUN')" 1
    tap_check "the first one is given back" wait_until 10 status_is '[.luns[] | select(.owned)] | length' 0
    tap_check "and is another node's to take" hawser 2 takeover 1 48
    hawser 2 release 1 48 >/dev/null 2>&1
    hawser 2 release 5 16 >/dev/null 2>&1
    tap_is "the same grant is not taken twice" \
        "$(answers '.error | .object + ": " + .reason' '{"command":"acquire","generation":32}')" \
        'generation: 32 is not above 32, which was used'
    tap_check "both are claimed" ask '{"command":"acquire","generation":64}'
    wait_until 10 status_is '.gate' open
    tap_check "and served" drive_both
    tap_check "both still say so when they are asked" ask '{"command":"verify"}'
    tap_check "a confirmation is in the shared page as soon as it is there" \
        timeout 60 "$LAB_BIN/page" "$PWD/control.sock" 4
}

# stale_is COUNT: so many guests of both disks are of before
stale_is()
{
    [ "$(answers '[.disks[].stale] | add' '{"command":"statistics"}')" = "$1" ]
}

# disk5_sum: of the start of the guest's disk
disk5_sum()
{
    dd if=disk5 bs=1M skip=2 count=4 status=none | sha256sum
}

# Given up in order, while the guest goes on: another node may write now, and what waits must not follow that.
# a_guest: of the second disk, that nobody stops; it writes when this returns
a_guest()
{
    : >stay.out # what an earlier one said is not its word
    "$LAB_BIN/vhdrive" "$PWD/disk5.sock" "$SECTORS" stay >>stay.out 2>&1 &
    DRIVE_PID=$!
    wait_until 20 grep -q written stay.out || tap_not_ok "a guest writes" "$(cat stay.out)"
}

given_up()
{
    local before
    a_guest
    tap_check "both are handed over, while a guest writes" ask '{"command":"hand-over"}'
    hawser 2 takeover 1 80 >/dev/null 2>&1
    hawser 2 takeover 5 80 >/dev/null 2>&1
    tap_is "they are not claimed from another node" \
        "$(answers '.error.reason' '{"command":"acquire","generation":96}' | grep -c 'another node owns')" 1
    dd if=/dev/urandom of=disk5 bs=1M seek=2 count=1 conv=notrunc status=none # what the other node wrote
    hawser 2 release 1 112 >/dev/null 2>&1
    hawser 2 release 5 112 >/dev/null 2>&1
    before=$(disk5_sum)
    tap_check "given back, they are claimed again" wait_until 10 ask '{"command":"acquire","generation":128}'
    tap_check "the guest of before is told of" wait_until 10 grep -q 'ran before another node or a tool had the LUN' lun.out
    tap_check "and counted" wait_until 10 stale_is 1
    tap_is "it has asked for more, and nothing of it is written" "$(disk5_sum)" "$before"
    tap_check "others are served" drive_both
    kill "$DRIVE_PID"
    wait "$DRIVE_PID" 2>/dev/null
}

used_up()
{
    [ "$(answers '[.luns[] | select(.state == "lost")] | length' '{"command":"status"}')" -gt 0 ]
}

use_up()
{
    local drops
    for ((drops = 0; drops < 60; drops++)); do
        used_up && return 0
        conn_drop n1 >/dev/null 2>&1
        wait_until 2 status_is '[.luns[] | select(.state == "owned")] | length' 2
    done
    return 1
}

goes_on()
{
    tap_check "its sessions are lost until a block is used up" use_up
    (drive_both) >drive.out 2>&1 &
    DRIVE_PID=$!
    tap_check "all go on under the next grant" ask '{"command":"acquire","generation":144}'
    wait "$DRIVE_PID"
    tap_is "a guest that waited goes on" "$?" 0
    tap_is "both LUNs are under that grant" "$(answers '[.luns[] | .generation >= 144] | all' '{"command":"status"}')" true
}

# waiting: requests of a guest that wait behind the gates, or in its ring
waiting()
{
    [ "$(answers '([.luns[].waiting] | add > 0) or ([.disks[].waiting] | any)' '{"command":"statistics"}')" = true ]
}

# The same, but another node owned both in between: what waits is of before.
does_not_go_on()
{
    local lun before
    use_up
    timeout 60 "$LAB_BIN/vhdrive" "$PWD/disk5.sock" "$SECTORS" >/dev/null 2>&1 &
    DRIVE_PID=$!
    tap_check "used up again, a guest waits" wait_until 10 waiting
    for lun in 1 5; do
        hawser 2 takeover "$lun" 176 >/dev/null 2>&1
        hawser 2 release "$lun" 192 >/dev/null 2>&1
    done
    before=$(sha256sum disk1 disk5)
    tap_is "another node had both meanwhile: they are not claimed under the next grant" \
        "$(answers '.error.reason' '{"command":"acquire","generation":208}' | grep -cE 'was taken away|were lost to another owner')" 1
    tap_is "nothing that waited is written" "$(sha256sum disk1 disk5)" "$before"
    kill "$DRIVE_PID"
    stop
}

# Another node had one of the two: who has the other one has both, and is of before.
one_elsewhere()
{
    local before
    start
    ask '{"command":"acquire","generation":240}'
    wait_until 10 status_is '.gate' open
    a_guest
    ask '{"command":"hand-over"}'
    tap_check "given back, another node takes one of the two" hawser 2 takeover 1 256
    hawser 2 release 1 272 >/dev/null 2>&1
    before=$(disk5_sum)
    tap_check "both are claimed again" wait_until 10 ask '{"command":"acquire","generation":288}'
    tap_check "the guest of the other one is of before, too" wait_until 10 stale_is 1
    tap_is "and writes nothing" "$(disk5_sum)" "$before"
    tap_check "others are served" drive_both
    kill "$DRIVE_PID"
    wait "$DRIVE_PID" 2>/dev/null
    stop
}

one_lost()
{
    start
    ask '{"command":"acquire","generation":304}'
    hawser 2 takeover 5 320 >/dev/null 2>&1
    tap_check "one is taken over: the gate shuts for both" wait_until 30 status_is '.gate' dead
    tap_is "the other is still reserved: nobody else's writes get in" "$(owner 1)" 1
    tap_is "it does not come back under a new grant" \
        "$(answers '.error.reason' '{"command":"acquire","generation":336}')" \
        'were lost to another owner while this process had them'
    stop
}

main()
{
    lab_need sgdisk jq pkill
    lab_begin 64 "$@"
    ns_run n1 "$HAWSER" lun init "$(url 1)" --max-memory 16M --cluster "$LAB_CLUSTER" >/dev/null 2>&1
    ns_run n1 "$HAWSER" lun init "$(url 5)" --max-memory 16M --cluster "$LAB_CLUSTER" >/dev/null 2>&1
    SECTORS=$(sgdisk -i 2 disk1 | awk '/Partition size/ { print $3 }')
    all_or_none
    given_up
    goes_on
    does_not_go_on
    one_elsewhere
    one_lost
    tap_done
}

main "$@"
