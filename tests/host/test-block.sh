#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The block: backend on a real kernel: sessions by iscsiadm, reads and writes by io_uring,
# reservations by SG_IO, the barrier by SG_SCSI_RESET, EBADE as a conflict, a target that loses its
# power, devices that are refused; and what the barrier is for: an old owner's writes that the
# target holds back land after a PREEMPT, and never after PREEMPT and barrier.
# shellcheck disable=SC2317
set -u
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tap.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/hosts.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/san.sh"

BIN=$HW_PLAIN_BUILDDIR/tests
SAN_MB=64
hosts_begin "$BIN/host/lunop" "$BIN/host/flood" "$BIN/../cli/hawser"
truncate -s 16M "$HOSTS_DIR/nvme"
SAN_H2_OPTIONS=("arg=-drive" "arg=if=none,id=nvme,format=raw,file=$HOSTS_DIR/nvme"
    "arg=-device" "arg=nvme,serial=hawser,drive=nvme")
san_begin
U1=$(san_block_url h1)
U2=$(san_block_url h2)

# says HOST SECONDS WORDS LINE...: lunop's operations end as these lines say (patterns, in order).
says()
{
    local host=$1 seconds=$2 url words=$3 line at=1
    shift 3
    url=$(san_block_url "$host")
    host_run "$host" "$seconds" "lunop $url $words" || return
    for line in "$@"; do
        printf '%s\n' "$HOST_OUTPUT" | sed -n "${at}p" | grep -qE "^$line\$" || return 1
        at=$((at + 1))
    done
}

check "login without a link by udev, facts" says h1 60 "login identify" \
    'login ok' 'login ok' 'identify ok LIO-ORG .* 67108864 bytes, blocks of 512, aptpl 1, .*'
check "the kernel gives a lost connection up in time" answers h1 60 \
    'cat /sys/class/iscsi_session/*/recovery_tmo' '^5$'
check "read what was written" says h1 60 \
    "login identify write:4096:8192:q read:8192:4096 write:512:512:f+fua read:512:512 flush" \
    'login ok' 'login ok' 'identify ok .*' 'write ok' 'read ok q' 'write ok' 'read ok f' 'flush ok'
written()
{
    [ "$(dd if="$(san_lun_file)" bs=1 skip=512 count=1 status=none)" = f ]
}
check "a durable write is in the LUN's file" written
check "the LUN is h1's" says h1 60 "login identify register:0:a1 reserve:a1 holder" \
    'login ok' 'login ok' 'identify ok .*' 'register ok' 'reserve ok' 'holder ok a1 type 3'
check "h2 logs in, and finds the holder and no size" says h2 60 \
    "login identify holder register:0:b1 reserve:b1" 'login ok' 'login ok' \
    'identify ok .* 0 bytes, blocks of 0, .*' 'holder ok a1 type 3' 'register ok' \
    'reserve conflict'

# An old owner that does not stop, on a slow disk. The build machine reads the LUN's file.
D1=$(san_disk h1)
check "writes take long" host_run t 60 'target_delay 0 0 3000'
check "h1 floods the LUN" host_run h1 60 \
    "(flood $D1 1 1 64 >/run/flood 2>&1 &) ; within 50 grep -q '^good [1-9]' /run/flood"
file_copy()
{
    "$BIN/lab/checker" save "$(san_lun_file)" "$HOSTS_DIR/copy" >/dev/null
}
file_same()
{
    HOST_OUTPUT=$("$BIN/lab/checker" diff "$(san_lun_file)" "$HOSTS_DIR/copy" 2>&1)
}
file_changes()
{
    ! file_same
}
check "PREEMPT" says h2 60 "login preempt:b1:a1" 'login ok' 'login ok' 'preempt ok'
check "the file is read" file_copy
check "h1's writes are conflicts" host_run h1 60 \
    "within 50 grep -q 'conflicts [1-9]' /run/flood"
host_run t 60 'sleep 4'
check "without a barrier old writes land after the PREEMPT" file_changes
check "PREEMPT and barrier, the other way round" says h1 60 \
    "login register:0:a2 preempt:a2:b1 reset" 'login ok' 'login ok' 'register ok' 'preempt ok' \
    'reset ok'
check "h1 floods again" host_run h1 60 \
    "sed -n '\$p' /run/flood >/run/before; \
    within 50 sh -c '[ \$(sed -n \"\\\$p\" /run/flood | cut -d\" \" -f2) -gt \
    \$(cut -d\" \" -f2 /run/before) ]'"
check "PREEMPT and barrier" says h2 60 "login register:b1:b2 register:0:b2 preempt:b2:a2 reset" \
    'login ok' 'login ok' 'register .*' 'register .*' 'preempt ok' 'reset ok'
check "the file is read" file_copy
host_run t 60 'sleep 4'
check "after a barrier nothing of the old owner lands" file_same
check "the new owner's disk has its size now" says h2 60 \
    "login identify write:0:4096:n read:0:4096 holder" 'login ok' 'login ok' \
    'identify ok .* 67108864 bytes, .*' 'write ok' 'read ok n' 'holder ok b2 type 3'
check "writes are quick again" host_run t 60 'target_delay 0 0 0'

# Power cut of the target: the kernel's session comes back by itself, and the reservation is kept.
host_cut t
san_target
check "the reservation is still h2's after a power cut" host_run h2 70 "within 60 sh -c '\
    lunop $U2 login holder identify write:4096:4096:p >/run/out; \
    grep -q \"^holder ok b2\" /run/out && grep -q \"^write ok\" /run/out' || ! cat /run/out"
check "h1 is still kept out" host_run h1 60 "sed -n '\$p' /run/flood >/run/before; sleep 2; \
    sed -n '\$p' /run/flood; [ \$(sed -n '\$p' /run/flood | cut -d' ' -f2) -eq \
    \$(cut -d' ' -f2 /run/before) ]"

# What is refused, and what does not answer.
check "NVMe is refused" refused h2 60 "modprobe nvme; within 50 test -b /dev/nvme0n1; \
    lunop block:/dev/nvme0n1 login" 'is an NVMe device'
check "dm-multipath is refused" refused h2 60 "modprobe dm_multipath && modprobe dm_round_robin && \
    dmsetup create mp --table \"0 \$(blockdev --getsz $(san_disk h2)) multipath 0 0 1 1 round-robin \
    0 1 1 $(san_disk h2) 1\" --uuid mpath-hawser && dmsetup mknodes && \
    lunop block:/dev/mapper/mp login" 'is a dm-multipath device'
check "a path of it is refused" refused h2 60 "lunop block:$(san_disk h2) login; false" \
    'is a path of a dm-multipath device'
check "a portal that is not there" refused h1 60 \
    "lunop ${U1/10.90.1.1/10.90.1.77} login; false" 'login not-sent'
check "a target that is not there" refused h1 60 "lunop ${U1/:san-lun/:nosan-lun} login; false" \
    'login (login-refused|not-sent)'

# The tool, on a LUN that nobody owns.
C="--cluster 6b1f0c5e-8f0a-4d1e-9d5a-0c2b7a3e4f11"
exits()
{
    local wanted=$1 status=0
    host_run "$2" 60 "$3" || status=$?
    [ "$status" -eq "$wanted" ] && printf '%s\n' "$HOST_OUTPUT" | grep -qE "$4"
}
check "h1's flood ends" host_run h1 60 'killall flood'
check "the LUN is free again" host_run h2 60 "dmsetup remove mp && \
    lunop $U2 login register:b2:0 >/run/out; grep -q 'register ok' /run/out"
check "init refuses what is not empty" exits 3 h2 "hawser lun init $U2 --max-memory 8M $C" 'holds'
check "init --force" exits 0 h2 "hawser lun init $U2 --max-memory 8M --force $C" 'laid out'
check "claim" exits 0 h2 "hawser lun claim $U2 $C --node 2 --generation 16" 'claimed'
check "claim of an owned LUN" exits 3 h1 "hawser lun claim $U1 $C --node 1 --generation 32" \
    'another node owns'
check "show, from a node that may not read it" exits 0 h1 "hawser lun show $U1" \
    'size +not told while another'
check "takeover" exits 0 h1 "hawser lun takeover $U1 $C --node 1 --generation 32" 'taken over'
check "an old grant" exits 3 h2 "hawser lun takeover $U2 $C --node 2 --generation 16" 'stale'
check "release" exits 0 h1 "hawser lun release $U1 $C --node 1 --generation 32" 'released'
check "the record tells" exits 0 h2 "hawser lun show $U2" 'before +owned, node 2, generation 16'

# Logout, by the process that logged in.
check "h1's session ends" host_run h1 60 "within 50 iscsiadm -m session -u"
check "login and logout" says h1 60 "login logout" 'login ok' 'login ok' 'logout ok' 'logout ok'
check "no session is left" refused h1 60 'iscsiadm -m session' 'No active sessions'

tap_done
