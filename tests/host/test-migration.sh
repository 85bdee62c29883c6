#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The dirty log: a guest in QEMU under KVM moves live to a second QEMU on the same servers, while it
# reads its disks into memory that the processor does not touch. Disk 0 is hawser-lun's, disk 1
# that of the same program without the log: what the guest had read from disk 0 is in its memory
# afterwards, what it had read from disk 1 is not. (In a whole host, for QEMU 7.2's translator loses
# pages of a moving guest by itself.)
# shellcheck disable=SC2317
set -u
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tap.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/hosts.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/san.sh"

BIN=$HW_PLAIN_BUILDDIR/tests
MIB=8
PAGES=$((MIB * 256))

# What a guest's guest boots from: busybox, the drivers of its disks, dmaread.
inner_initrd()
{
    local root=$1 to=$2 release module path
    release=$(cat "$HOSTS_IMAGE/version")
    mkdir -p "$root"/{bin,dev}
    (cd "$root" && cpio -id --quiet 'lib/modules/*' <"$HOSTS_IMAGE/base.cpio")
    for module in virtio_pci virtio_blk; do
        modprobe -d "$root" -S "$release" --show-depends "$module"
    done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' |
        while read -r path; do
            cp "$path" "$root/$(basename "$path")"
            echo "/$(basename "$path")"
        done >"$root/modules"
    rm -rf "${root:?}/lib"
    cp "$(command -v busybox)" "$root/bin/"
    cp "$HOSTS_HERE/guest/inner-init" "$root/init"
    cp "$BIN/host/dmaread" "$root/"
    echo "$MIB" >"$root/mib"
    "$HOSTS_HERE/copy-libraries" "$root" "$BIN/host/dmaread"
    (cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$to"
}

# A disk with a tree to chroot into: QEMU, its firmware, the guest's kernel and initrd.
inner_disk()
{
    local root=$HOSTS_DIR/inner file
    mkdir -p "$root"/{dev,proc,sys,run,tmp,usr/bin,usr/share/{qemu,seabios}}
    inner_initrd "$HOSTS_DIR/inner-root" "$root/initrd"
    cp "$HOSTS_IMAGE/vmlinux" "$root/"
    cp -L "$(command -v qemu-system-x86_64)" "$root/usr/bin/"
    "$HOSTS_HERE/copy-libraries" "$root" "$root/usr/bin/qemu-system-x86_64"
    for file in qemu/{kvmvapic,pvh,linuxboot_dma}.bin seabios/bios-256k.bin; do
        cp -L "/usr/share/$file" "$root/usr/share/$file"
    done
    truncate -s "$(($(du -sm "$root" | cut -f1) + 64))M" "$HOSTS_DIR/inner.img"
    mkfs.ext4 -q -d "$root" "$HOSTS_DIR/inner.img"
    rm -rf "$root" "$HOSTS_DIR/inner-root"
}

# inner SECONDS COMMAND: in the host
inner()
{
    host_run m "$1" "$2"
}

# The rest makes no sense without this.
step()
{
    check "$@"
    [ "$tap_failed" -eq 0 ] || host_ending m
}

hosts_begin "$BIN/../storage/serve/hawser-lun" "$BIN/lab/hawser-lun-no-log" "$BIN/host/dmaread"
inner_disk
# Under QEMU's translator a host that runs a guest was seen to stand still until something woke it
# (one in ten), as if its one timer were lost: it has a steady tick instead, and one processor.
host_boot m memory=1536 'kernel=nohz=off highres=off' "disk=$HOSTS_DIR/inner.img"
host_ready m
step "the host has KVM" inner 60 inner_ready
step "hawser-lun serves disk 0" inner 60 "inner_serve d0 hawser-lun $MIB"
step "without its log, it serves disk 1" inner 60 "inner_serve d1 hawser-lun-no-log $MIB"
step "a guest" inner 90 "inner_start a"
step "boots" inner 180 "within 170 grep -q '^@ready 2' /run/a.serial || ! tail -n 20 /run/a.serial"
step "a second QEMU waits for it, on the same disks" inner 60 \
    "inner_start b -incoming unix:/run/move && within 50 test -S /run/move"
step "the guest moves, slowly" inner 60 "inner_order a migrate_set_parameter max-bandwidth 16M && \
    inner_order a migrate_set_parameter downtime-limit 1 && inner_order a migrate -d unix:/run/move"
step "all its memory is over once" inner 120 \
    "within 110 inner_shows a 'info migrate' 'dirty sync count: ([3-9]|[1-9][0-9])' || ! inner_order a info migrate"
step "it reads its disks" answers m 60 'inner_say a read 50' '^@read 0 0$'
step "and still moves" inner 30 "inner_shows a 'info migrate' 'status: active' || ! inner_order a info migrate"
step "it gets calm" inner 60 "inner_order a migrate_set_parameter max-bandwidth 0 && \
    inner_order a migrate_set_parameter downtime-limit 300 && inner_say a calm 50"
step "it has moved" inner 120 "within 110 inner_shows b 'info status' running || ! inner_order a info migrate"
host_run m 60 'inner_say b check 50'
read -r _ kept lost <<<"$HOST_OUTPUT"
tap_is "every page that it read from disk 0 is right" "$kept" 0
tap_is "without the log all that it read from disk 1 is lost" "$lost" "$PAGES"
step "it reads on where it is now" answers m 60 'inner_say b clear 20 && inner_say b read 50' '^@read 0 0$'
step "and reads what the disks hold" answers m 60 'inner_say b check 50' '^@check 0 0$'
host_ending m
