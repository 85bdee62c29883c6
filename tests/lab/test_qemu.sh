#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# QEMU as hawser-lun's client: Debian's kernel runs in it (TCG) on vhost-user-blk disks that `hawser lun serve` serves from
# the lab's iSCSI LUN. A file system with verified writes, the server killed under load, the LUN taken over by another node
# under load; discard on a file, none on a LUN of a target that does not say what it frees.
# ROUNDS=N: the server is killed N times (3), at most 20: more than a block has generations.
set -u

HW_TOP_SRCDIR=${HW_TOP_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
# shellcheck source=SCRIPTDIR/rig
. "$HW_TOP_SRCDIR/tests/lab/rig"
# shellcheck source=SCRIPTDIR/../host/hosts.sh
. "$HW_TOP_SRCDIR/tests/host/hosts.sh"
# shellcheck source=SCRIPTDIR/qemu
. "$HW_TOP_SRCDIR/tests/lab/qemu"

KILLS=${ROUNDS:-3}
KILLS=$((KILLS < 20 ? KILLS : 20))
FIRST_LBA=4096 # of hawser-disk

# in_guest NAME SECONDS COMMAND: ok if it succeeds in the guest
in_guest()
{
    host_run q "$2" "${3//$'\n'/ }"
    tap_is "$1" "$? $HOST_OUTPUT" "0 $HOST_OUTPUT"
}

FIO="fio --directory=/mnt --ioengine=libaio --direct=1 --iodepth=8 --verify=crc32c --verify_fatal=1 --verify_backlog=64 \
--bsrange=4k-64k --thread --minimal"

a_file_system()
{
    in_guest "the guest sees a disk of two queues" 30 'test -d /sys/block/vda/mq/1'
    in_guest "no discard on this target" 30 'grep -qx 0 /sys/block/vda/queue/discard_max_bytes'
    in_guest "ext4, and fio verifies what it wrote" 120 "modprobe ext4 && mkfs.ext4 -q /dev/vda && mount /dev/vda /mnt &&
$FIO --name=one --rw=randwrite --size=3M --numjobs=2 >/run/fio && sync"
    host_run q 60 'cat /mnt/one.0.0 | sha256sum; umount /mnt; e2fsck -fn /dev/vda >/run/fsck 2>&1; echo "fsck $?"; mount /dev/vda /mnt'
    INSIDE=$HOST_OUTPUT
    tap_check "clean after it" grep -q 'fsck 0' <<<"$INSIDE"
    dd if=disk1 of=part bs=512 skip=$FIRST_LBA count=$(($(disk_bytes) / 512)) status=none
    debugfs -R 'dump /one.0.0 out' part >/dev/null 2>&1
    tap_is "the LUN holds the guest's file" "$(sha256sum <out)" "$(head -n 1 <<<"$INSIDE")"
    rm -f part out
}

disk_bytes()
{
    sgdisk -i 2 disk1 2>/dev/null | sed -n 's/^Partition size: \([0-9]*\) sectors.*/\1/p' | awk '{ print $1 * 512 }'
}

# By this server: its own record is written before a QEMU can be connected, and one that is killed while they speak of what
# they can do is never spoken to again (QEMU 7.2).
guest_writes()
{
    wait_until 60 served_writes
}

served_writes()
{
    [ "$(timeout 10 "$LAB_BIN/ask" "$PWD/serve/control" '{"command":"statistics"}' | jq '.disks[0]."written-bytes"')" -gt 0 ]
}

# killed under load: the guest only waits
killed()
{
    local kill
    host_send q "$FIO --name=two --rw=randrw --size=4M --numjobs=2 --time_based --runtime=$((4 + 2 * KILLS + (KILLS > 5 ? 12 * (KILLS - 5) : 0))) >/run/fio; echo fio \$?"
    for ((kill = 1; kill <= KILLS; kill++)); do
        guest_writes || { tap_not_ok "the guest writes before kill $kill" "$(tail -n 5 serve.out)"; return; }
        kill -KILL "$(pgrep -P "$SERVE_PID" -x hawser-lun)"
        wait_until 30 started_again "$kill" || tap_not_ok "started again after kill $kill" "$(tail -n 5 serve.out)"
    done
    host_run q $((120 + 25 * KILLS)) 'tail -n 2 /run/fio'
    tap_is "killed $KILLS times under load: fio saw no error, and what it wrote" "$(head -n 1 <<<"$HOST_OUTPUT")" "fio 0"
    in_guest "the kernel has told no error" 30 '! dmesg | grep -iE "I/O error|EXT4-fs error|Buffer I/O"'
    in_guest "the file system is clean" 120 'umount /mnt && e2fsck -fn /dev/vda >/run/fsck 2>&1'
}

started_again()
{
    [ "$(grep -c 'started again' serve.out)" -ge "$1" ]
}

# Another node takes the LUN while the guest writes and the target is slow: what it had accepted lands before that node
# is the owner, nothing after.
taken_over()
{
    local seen
    shim_set node=1 mode=1 delay_us=30000
    host_run q 30 "flood /dev/vda 1 16 16 $FIRST_LBA >/run/flood 2>&1 & sleep 1"
    wait_until 30 shim_at_least waiting 4
    tap_check "the guest writes, and the target is slow" shim_at_least seen 8
    # shellcheck disable=SC2046
    ns_run n2 "$HW_PLAIN_BUILDDIR/cli/hawser" lun takeover "$url" $(as 2 512) >takeover.out 2>&1
    tap_is "node 2 takes it over meanwhile" "$?" 0
    seen=$(shim_get seen)
    tap_is "no write of the guest is on its way then" "$(shim_get waiting)" 0
    "$LAB_BIN/checker" save disk1 at-owned --first "$FIRST_LBA"
    shim_set mode=0
    tap_check "the server tells it" wait_until 30 grep -q 'lost:' serve.out
    host_run q 30 'sleep 1; tail -n 1 /run/flood'
    tap_comment "the guest: $HOST_OUTPUT"
    tap_check "nothing on the LUN has changed since node 2 owned it" "$LAB_BIN/checker" diff disk1 at-owned --first "$FIRST_LBA"
    tap_is "no write of the guest reached the disk since" "$(($(shim_get seen) - seen))" 0
    host_run q 30 'dmesg | grep -ciE "I/O error"'
    tap_is "the guest waits, it is told no error" "$HOST_OUTPUT" 0
}

a_shared_lun()
{
    ns_run n1 "$HW_PLAIN_BUILDDIR/cli/hawser" lun init "$url" --max-memory 16M --cluster "$LAB_CLUSTER" >init.out 2>&1
    # shellcheck disable=SC2046
    (in_ns n1 "$HW_PLAIN_BUILDDIR/cli/hawser" lun serve "$url" $(as 1 16) --directory "$PWD/serve") >serve.out 2>&1 </dev/null &
    SERVE_PID=$!
    if ! wait_until 30 grep -q 'vhost-user-blk-pci' serve.out; then
        tap_not_ok "the LUN is served" "$(cat init.out serve.out)"
        return
    fi
    guest_boot q "$PWD/serve/disk"
    host_ready q
    a_file_system
    killed
    taken_over
    host_cut q
    kill -TERM "$SERVE_PID"
    wait "$SERVE_PID"
}

# Discard of a file: the holes are there.
a_file()
{
    local before
    head -c 32M /dev/urandom >file.img
    before=$(stat -c %b file.img)
    "$HW_PLAIN_BUILDDIR/cli/hawser" lun serve "file:$PWD/file.img" --directory "$PWD/file" >file.out 2>&1 </dev/null &
    SERVE_PID=$!
    wait_until 30 grep -q 'vhost-user-blk-pci' file.out
    guest_boot q "$PWD/file/disk"
    host_ready q
    in_guest "a file's disk says that it takes discards" 30 '! grep -qx 0 /sys/block/vda/queue/discard_max_bytes'
    in_guest "16 MiB are discarded" 60 'blkdiscard -o 8388608 -l 16777216 /dev/vda'
    host_cut q
    kill -TERM "$SERVE_PID"
    wait "$SERVE_PID"
    tap_is "they are a hole in the file, the rest is not" "$((before - $(stat -c %b file.img)))" $((16777216 / 512))
}

main()
{
    lab_need qemu-system-x86_64 fio mkfs.ext4 debugfs sgdisk jq pgrep
    guest_image
    lab_begin 64 "$@"
    url=$(url 1)
    export TMPDIR=$PWD
    hosts_begin "$(command -v fio)" "$(command -v mkfs.ext4)" "$(command -v e2fsck)" "$HW_PLAIN_BUILDDIR/tests/host/flood"
    trap 'hosts_end; san_stop' EXIT
    a_shared_lun
    a_file
    tap_done
}

main "$@"
