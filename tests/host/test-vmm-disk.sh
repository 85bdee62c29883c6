#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# hawser-vmm's disks under a real KVM: the distribution's kernel keeps a file system on a disk that
# hawser-lun serves, which is killed and started again while the guest writes; and on one that
# qemu-storage-daemon serves, whose end is the guest's.
# shellcheck disable=SC2317
set -u
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tap.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/hosts.sh"

command -v qemu-storage-daemon >/dev/null || tap_skip_all "no qemu-storage-daemon"

# A disk with a kernel, what it starts, its file system, and the foreign server.
disk_image()
{
    local root=$HOSTS_DIR/linux tree=$HOSTS_DIR/tree
    mkdir -p "$root"/{bin,dev,proc,sys,mnt} "$tree"/{dev,proc,sys,run,usr/bin}
    (cd "$root" && cpio -id --quiet 'lib/modules/*' <"$HOSTS_IMAGE/base.cpio")
    cp "$(command -v busybox)" "$root/bin/"
    cp "$HOSTS_HERE/guest/vmm-disk-init" "$root/init"
    (cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$tree/disk-initrd"
    cp "$HOSTS_IMAGE/vmlinux" "$tree/"
    cp -L "$(command -v qemu-storage-daemon)" "$tree/usr/bin/"
    "$HOSTS_HERE/copy-libraries" "$tree" "$tree/usr/bin/qemu-storage-daemon"
    truncate -s 48M "$tree/disk.img"
    mkfs.ext4 -q "$tree/disk.img"
    truncate -s "$(($(du -sm --apparent-size "$tree" | cut -f1) + 64))M" "$HOSTS_DIR/linux.img"
    mkfs.ext4 -q -d "$tree" "$HOSTS_DIR/linux.img"
    rm -rf "$root" "$tree"
}

# step NAME SECONDS COMMAND: in the host; the rest makes no sense without it
step()
{
    local status=0
    host_run m "$2" "$3" || status=$?
    tap_is "$1" "$status" 0
    [ "$status" -eq 0 ] || { tap_comment "$HOST_OUTPUT"; host_ending m; }
}

# ends NAME SECONDS STATUS LINES: the guest ends so, having said that
ends()
{
    local status=0
    host_run m "$(($2 + 10))" "disk_ends $2" || status=$?
    tap_is "$1" "$status
$HOST_OUTPUT" "$3
$4"
}

hosts_begin "$HW_PLAIN_BUILDDIR/vmm-core/run/hawser-vmm" "$HW_PLAIN_BUILDDIR/storage/serve/hawser-lun"
disk_image
host_boot m memory=1536 'kernel=nohz=off highres=off' "disk=$HOSTS_DIR/linux.img"
host_ready m
step "the host has KVM" 60 "vmm_ready && disk_tree"
host_run m 30 'disk_guest look "" --disk vhost:/run/nobody && disk_ends 20'
tap_is "without a server there is no guest" "$?" 1
host_run m 10 'cat /run/vmm.log'
tap_is "which is said in one line" "$HOST_OUTPUT" \
    "hawser-vmm: /run/nobody: cannot be connected to: No such file or directory; start its server first, or name another socket"

step "hawser-lun serves a disk" 60 "disk_lun a"
step "a guest begins" 10 "disk_guest look,write:1:4,signals,again,verify:1:4 '' --disk vhost:/run/a.sock --cpus 2"
ends "it finds the disk, keeps its file system there, leaves it and comes back" 240 0 "@mounted 0
@disk 98304 512 2
@cache write back
@discard 1 1
@function 00:03.0 
@written 0
@signals 3 1
@again 0
@verified 0
@errors 0"

step "a guest without vectors begins" 10 "disk_guest verify:1:4,write:5:6,signals 'pci=nomsi' --disk vhost:/run/a.sock"
ends "it reads what the first one wrote, and writes" 240 0 "@mounted 0
@verified 0
@written 0
@signals 0 1
@errors 0"

step "a guest begins to write" 180 "disk_guest verify:1:6,write:7:24,verify:1:24 '' --disk vhost:/run/a.sock --cpus 2 && within 170 disk_said '^@step 8'"
for at in 10 14 18; do
    step "its server is killed" 60 "disk_kill a && sleep 0.5"
    step "and started again; it goes on" 180 "disk_lun a && within 170 disk_said '^@step $at'"
done
ends "nothing is lost, and it has seen no error" 300 0 "@mounted 0
@verified 0
@written 0
@verified 0
@errors 0"
host_run m 10 "sed 's/sock: .*; the guest/sock: ; the guest/' /run/vmm.log"
tap_is "each loss was told once, and each return" "$HOST_OUTPUT" "$(for _ in 1 2 3; do
    echo "hawser-vmm: /run/a.sock: ; the guest waits until it is back"
    echo "hawser-vmm: /run/a.sock: is back"
done)"

step "qemu-storage-daemon serves a disk" 60 "disk_qsd q"
step "a guest begins, with both" 10 "disk_guest look,write:1:3,verify:1:3 '' --disk vhost:/run/q.sock --disk vhost:/run/a.sock --cpus 2"
ends "it keeps its file system there, too" 240 0 "@mounted 0
@disk 98304 512 2
@cache write back
@discard 1 1
@function 00:03.0 00:04.0 
@written 0
@verified 0
@errors 0"
step "a guest begins to write" 180 "disk_guest write:4:400 '' --disk vhost:/run/q.sock && within 170 disk_said '^@step 5'"
step "its server is killed" 30 "disk_kill q"
host_run m 30 "disk_ends 20 >/dev/null"
tap_is "which is its end" "$?" 14
host_run m 10 'tail -n 1 /run/vmm.log'
tap_check "with the reason" grep -q '^hawser-vmm: VM: the server of disk /run/q.sock is lost, and kept no record of its requests .*; check the disk' <<<"$HOST_OUTPUT"
host_ending m
