#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# hawser-lun itself over a real target: what it cannot serve is refused in one line that names the object and the remedy,
# and nothing is written; and it is locked in, from where it finds its target again.
set -u

HW_TOP_SRCDIR=${HW_TOP_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
# shellcheck source=SCRIPTDIR/rig
. "$HW_TOP_SRCDIR/tests/lab/rig"

HAWSER=$HW_PLAIN_BUILDDIR/cli/hawser
LUN=${HAWSER_LUN:-$HW_PLAIN_BUILDDIR/storage/serve/hawser-lun}
LUN_PID=

# lun_start NODE WORDS...: in the background; its output is in lun.out
lun_start()
{
    local node=$1
    shift
    (in_ns "$node" "$LUN" "$@") >lun.out 2>&1 </dev/null &
    LUN_PID=$!
}

lun_stop()
{
    kill -TERM "$LUN_PID"
    wait "$LUN_PID"
}

# sums: when each disk was written last
sums()
{
    stat -c '%n %y' disk1 disk5 readonly file.img
}

# refused NAME STATUS PATTERN WORDS...: this status, one line that has the pattern and a remedy, and nothing is written
refused()
{
    local name=$1 want=$2 pattern=$3 before lines status
    shift 3
    before=$(sums)
    ns_run n1 timeout 30 "$LUN" "$@" >refused.out 2>&1 </dev/null
    status=$?
    lines=$(grep -c '^hawser-lun: ' refused.out)
    if [ "$status" -eq "$want" ] && [ "$lines" -eq 1 ] && grep -qE "^hawser-lun: .*$pattern.*; " refused.out &&
        [ "$before" = "$(sums)" ]; then
        tap_ok "$name"
        tap_comment "$(grep '^hawser-lun: ' refused.out)"
    else
        tap_not_ok "$name" "exit status $status, wanted $want and /$pattern/$([ "$before" = "$(sums)" ] || echo ', a disk was written')
$(cat refused.out)"
    fi
}

drive()
{
    timeout 60 "$LAB_BIN/vhdrive" "$PWD/disk.sock" "$1"
}

bad_files()
{
    local disk=file:$PWD/file.img
    truncate -s 8M file.img
    refused "a file that is not there" 1 'none.img: No such file' --lun "file:$PWD/none.img,socket=$PWD/bad.sock"
    refused "a part behind the end of a file that shrank" 3 'ends behind its 8388608 bytes' \
        --lun "$disk?offset=0&size=16M,socket=$PWD/bad.sock"
    refused "an area of a file without a layout" 3 'layout' --lun "$disk#disk,socket=$PWD/bad.sock"
    refused "a file as a socket" 3 'is there, and is no socket' --lun "$disk,socket=$PWD/file.img"
    (exec flock -o file.img sleep 60) &
    refused "a file that another process has locked" 3 'in use by another process' --lun "$disk,socket=$PWD/bad.sock"
    kill $! 2>/dev/null
    wait $! 2>/dev/null
    lun_start n1 --lun "$disk,socket=$PWD/disk.sock"
    wait_until 30 drive 16384
    truncate -s 8M other.img
    refused "a socket that is in use" 3 'another process listens there' --lun "file:$PWD/other.img,socket=$PWD/disk.sock"
    lun_stop
}

# keys LUN: what is registered with it
keys()
{
    ns_run n1 "$HAWSER" lun show "$(url "$1")" --json 2>/dev/null | jq -c .keys
}

bad_luns()
{
    local who
    who=$(as 1 16)
    # shellcheck disable=SC2086
    {
        refused "a LUN that the target does not have" 1 '/9: ' --lun "$(url 9)#disk,socket=$PWD/bad.sock" $who
        refused "a target that is not there" 5 'cannot be reached' \
            --lun "iscsi://10.77.0.77:3260/$LAB_IQN/1#disk,socket=$PWD/bad.sock" $who
        refused "a target that the portal does not have" 1 'the target refused the login: .*target not found' \
            --lun "iscsi://$LAB_PORTAL/$LAB_IQN-none/1#disk,socket=$PWD/bad.sock" $who
        refused "no secret for a target that wants one" 1 'the target refused the login: .*asks for a secret' \
            --lun "iscsi://$LAB_PORTAL/$LAB_IQN-chap/1#disk,socket=$PWD/bad.sock" $who
        (umask 077 && printf 'user labuser\npassword wrongsecret-1\n' >wrong)
        refused "a wrong secret" 1 'the target refused the login: .*wrong user or secret' \
            --lun "iscsi://$LAB_PORTAL/$LAB_IQN-chap/1#disk,secret-file=$PWD/wrong,socket=$PWD/bad.sock" $who
        refused "a LUN that was not prepared" 3 'holds no hawser layout' --lun "$(url 5)#disk,socket=$PWD/bad.sock" $who
        shim_set read_fails_below=1048576
        refused "a LUN whose partition table cannot be read" 1 'its partition table cannot be read: medium-error' \
            --lun "$(url 5)#disk,socket=$PWD/bad.sock" $who
        shim_set read_fails_below=0
        refused "a LUN that can only be read" 3 'is read-only' --lun "$(url 3)#disk,socket=$PWD/bad.sock" $who
    }
    tap_is "nobody has registered with any of them" "$(keys 5) $(keys 3)" "[] []"
}

# same_process: it lives, and is still locked in
same_process()
{
    awk '/^(Uid|CapEff|NoNewPrivs|Seccomp):/ { printf "%s ", $2 }' "/proc/$LUN_PID/status"
}

locked_in()
{
    local sectors locked="64000 0000000000000000 1 2 "
    ns_run n1 "$HAWSER" lun init "$(url 1)" --max-memory 16M --cluster "$LAB_CLUSTER" >init.out 2>&1
    sectors=$(sgdisk -i 2 disk1 | awk '/Partition size/ { print $3 }')
    # shellcheck disable=SC2046
    lun_start n1 --lun "$(url 1)#disk,socket=$PWD/disk.sock" $(as 1 32)
    tap_check "a LUN is served" wait_until 30 drive "$sectors"
    tap_is "by another user, without rights, behind a list of calls" "$(same_process)" "$locked"
    # shellcheck disable=SC2046
    refused "a LUN that another node owns" 3 'another node owns the LUN: .*node 1' --lun "$(url 1)#disk,socket=$PWD/bad.sock" $(as 2 48)
    conn_drop n1
    tap_check "its sessions dropped, it finds the target again" wait_until 30 drive "$sectors"
    san_kill_restart
    tap_check "the target started anew, likewise" wait_until 30 drive "$sectors"
    tap_is "it is the same process, locked in" "$(same_process)" "$locked"
    lun_stop
}

# hold_name LUN: as a process of node 1 that acts on it by another URL; sets HOLDER
hold_name()
{
    local wwid
    wwid=$(ns_run n1 "$HAWSER" lun show "$(url "$1")" --json 2>/dev/null | jq -r 'first(.. | .wwid? // empty)')
    (in_ns n1 "$LAB_BIN/holder" "$LAB_CLUSTER" 1 "$wwid") >holder.out &
    HOLDER=$!
    wait_until 10 grep -q held holder.out
}

# What is held for a moment is waited for; in the end it is refused.
named()
{
    local sectors
    sectors=$(sgdisk -i 2 disk1 | awk '/Partition size/ { print $3 }')
    hold_name 1
    tap_is "a process of the node holds the LUN's name by its WWID" "$(cat holder.out)" held
    # shellcheck disable=SC2046
    lun_start n1 --lun "$(url 1)#disk,socket=$PWD/disk.sock" $(as 1 96)
    sleep 1 # what is waited for
    kill "$HOLDER"
    wait "$HOLDER" 2>/dev/null
    tap_check "for a second: the server waits, and serves" wait_until 30 drive "$sectors"
    lun_stop
    hold_name 1
    # shellcheck disable=SC2046
    refused "for ever: it is refused in the end" 3 'another process of this node acts on it on this host' \
        --lun "$(url 1)#disk,socket=$PWD/bad.sock" $(as 1 112)
    kill "$HOLDER"
    wait "$HOLDER" 2>/dev/null
}

# A QEMU that is connected and gets no answer stands still with all of its guest, and does not come back if the server ends.
not_connected_yet()
{
    local sectors
    sectors=$(sgdisk -i 2 disk1 | awk '/Partition size/ { print $3 }')
    rm -f disk.sock
    kill -STOP "$TGT_PID"
    # shellcheck disable=SC2046
    lun_start n1 --lun "$(url 1)#disk,socket=$PWD/disk.sock" $(as 1 4096)
    wait_until 10 test -S disk.sock
    tap_is "while the target does not answer nobody is connected" "$(timeout 10 "$LAB_BIN/vhdrive" "$PWD/disk.sock" "$sectors" now 2>&1)" \
        'vhdrive: cannot connect: Resource temporarily unavailable'
    kill -CONT "$TGT_PID"
    tap_check "when it does, it serves" wait_until 30 drive "$sectors"
    lun_stop
}

shrunk()
{
    local before
    ns_run n1 "$HAWSER" lun init "$(url 5)" --max-memory 16M --cluster "$LAB_CLUSTER" >init.out 2>&1
    san_stop
    truncate -s 48M disk5
    san_daemon && san_targets && wait_until 20 tgt_listens
    before=$(sha256sum <disk5)
    # shellcheck disable=SC2046
    refused "a LUN that shrank" 3 'the LUN has shrunk: 98304 blocks, and its partition table is for 131072' --lun "$(url 5)#disk,socket=$PWD/bad.sock" $(as 1 64)
    tap_is "its bytes are what they were" "$(sha256sum <disk5)" "$before"
    tap_is "nobody has registered with it" "$(keys 5)" '[]'
}

main()
{
    lab_need sgdisk flock jq
    lab_begin 64 "$@"
    bad_files
    bad_luns
    locked_in
    named
    not_connected_yet
    shrunk
    tap_done
}

main "$@"
