#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# hawser-vmm under a real KVM, by the distribution's SeaBIOS: from nothing, from a disk of ours, and
# by the distribution's GRUB and kernel from a disk; the disks are hawser-lun's.
# shellcheck disable=SC2317
set -u
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tap.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/hosts.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/linux.sh"

BIOS=/usr/share/seabios/bios-256k.bin
BIN=$HW_PLAIN_BUILDDIR

# A disk with firmware and the guest's disks.
tree_disk()
{
    local tree=$HOSTS_DIR/tree grub=$HOSTS_DIR/grub
    mkdir "$tree" "$grub"
    cp "$BIOS" "$tree/bios"
    cp "$BIN/tests/guest/bootdisk.img" "$tree/"
    linux_initrd "$grub/initrd"
    cp "$HOSTS_IMAGE/vmlinuz" "$grub/"
    echo 'console=ttyS0 quiet panic=-1 noxsave' >"$grub/command"
    "$HOSTS_HERE/grub-disk" "$grub" "$tree/grub.img" || exit "$?"
    linux_disk "$tree" "$HOSTS_DIR/tree.img"
    rm -rf "$tree" "$grub"
}

[ -r "$BIOS" ] || tap_skip_all "no SeaBIOS: the package seabios is not installed"
hosts_begin "$BIN/vmm-core/run/hawser-vmm" "$BIN/storage/serve/hawser-lun"
tree_disk
host_boot m memory=1024 'kernel=nohz=off highres=off' "disk=$HOSTS_DIR/tree.img"
host_ready m
host_run m 60 vmm_ready
tap_is "the host has KVM" "$?" 0
[ "$tap_failed" -eq 0 ] || host_ending m

host_run m 150 'vmm_firmware --memory 64M --no-reboot'
tap_is "SeaBIOS finds nothing to boot, and ends" "$? $(grep -o 'No bootable device' <<<"$HOST_OUTPUT")" \
    "10 No bootable device"

host_run m 60 'vmm_disk bootdisk'
tap_is "a disk of ours is served" "$?" 0
host_run m 150 'vmm_firmware --memory 64M --disk vhost:/run/bootdisk.sock'
tap_is "SeaBIOS boots it, again after a reset, and it keeps what is written" \
    "$? $(grep '^boot [01]' <<<"$HOST_OUTPUT")" "0 boot 0: the disk says hello
boot 1: the disk says hello"

host_run m 60 'vmm_disk grub'
tap_is "a disk with GRUB is served" "$?" 0
host_run m 150 'vmm_firmware --memory 256M --cpus 2 --disk vhost:/run/grub.sock'
tap_is "SeaBIOS boots GRUB, which boots Linux" \
    "$? $(grep -oE 'GRUB boots|^@cpus.*|^@complaints.*' <<<"$HOST_OUTPUT")" "0 GRUB boots
@cpus 2
@complaints 0"
host_ending m
