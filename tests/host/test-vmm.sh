#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# hawser-vmm under a real KVM: the distribution's kernel boots, finds what the machine has, and
# switches it off.
# shellcheck disable=SC2317
set -u
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tap.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/hosts.sh"

# A disk with a kernel and what it starts.
linux_disk()
{
    local root=$HOSTS_DIR/linux
    mkdir -p "$root"/{bin,dev,proc,sys} "$HOSTS_DIR/tree"
    (cd "$root" && cpio -id --quiet 'lib/modules/*/modules.*' 'lib/modules/*/virtio/*' \
        'lib/modules/*/virtio-rng.ko' 'lib/modules/*/button.ko' 'lib/modules/*/evdev.ko' \
        'lib/modules/*/virtio_console.ko' 'lib/modules/*/virtio_net.ko' \
        'lib/modules/*/*failover.ko' <"$HOSTS_IMAGE/base.cpio")
    cp "$(command -v busybox)" "$root/bin/"
    cp "$HOSTS_HERE/guest/vmm-init" "$root/init"
    (cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$HOSTS_DIR/tree/initrd"
    cp "$HOSTS_IMAGE/vmlinux" "$HOSTS_IMAGE/vmlinuz" "$HOSTS_DIR/tree/"
    truncate -s "$(($(du -sm "$HOSTS_DIR/tree" | cut -f1) + 32))M" "$HOSTS_DIR/linux.img"
    mkfs.ext4 -q -d "$HOSTS_DIR/tree" "$HOSTS_DIR/linux.img"
    rm -rf "$root" "$HOSTS_DIR/tree"
}

# between LEAST NUMBER MOST
between()
{
    [ "$1" -le "$2" ] && [ "$2" -le "$3" ]
}

hosts_begin "$HW_PLAIN_BUILDDIR/vmm-core/run/hawser-vmm"
linux_disk
# with a steady tick, as in test-migration.sh
host_boot m memory=1024 'kernel=nohz=off highres=off' "disk=$HOSTS_DIR/linux.img"
host_ready m
host_run m 60 vmm_ready
tap_is "the host has KVM" "$?" 0
[ "$tap_failed" -eq 0 ] || host_ending m
host_run m 30 vmm_network
host_run m 240 'vmm_linux --cpus 2 --balloon 8M --net tap=tap0,mac=52:54:00:12:34:56'
status=$?
said=$HOST_OUTPUT
tap_is "Linux finds its PCI functions by configuration mechanism 1" "$(grep -E '^@(pci|ports)' <<<"$said")" \
    "@pci 0000:00:00.0 0x8086 0x1237 0x060000
@pci 0000:00:01.0 0x8086 0x7000 0x060100
@pci 0000:00:01.3 0x8086 0x7113 0x068000
@pci 0000:00:13.0 0x1af4 0x1041 0x020000
@pci 0000:00:1c.0 0x1af4 0x1045 0x00ff00
@pci 0000:00:1d.0 0x1af4 0x1043 0x078000
@pci 0000:00:1e.0 0x1af4 0x1044 0x00ff00
@ports 0cf8-0cff"
tap_is "both processors" "$(grep '^@cpus' <<<"$said")" "@cpus 2"
tap_is "and what else its ACPI tables name" "$(grep '^@acpi' <<<"$said")" "@acpi PNP0501 1
@acpi PNP0303 1
@acpi PNP0B00 1
@acpi PNP0C0F 4
@acpi QEMU0001 1
@acpi QEMU0002 1"
tap_is "its driver gets entropy from it, by its vector" "$(grep '^@entropy' <<<"$said")" \
    "@entropy virtio_rng.0 64 MSI"
tap_is "its virtio console works both ways" "$(grep '^@console' <<<"$said")" "@console hello, hvc0"
tap_is "and loses nothing" "$(grep '^@numbers' <<<"$said")" "@numbers $(seq -s ' ' 1 2000)"
tap_is "its network device has its address, and its cable is plugged in" "$(grep '^@net' <<<"$said")" \
    "@net 52:54:00:12:34:56 1"
tap_is "it reaches the host" "$(grep '^@ping' <<<"$said")" "@ping 5"
sum=$(seq 1 200000 | md5sum)
tap_is "fetches a file by TCP" "$(grep '^@fetched' <<<"$said")" "@fetched $sum"
tap_is "in large segments" "$(grep '^@segments' <<<"$said")" "@segments 1"
host_run m 30 'within 10 test -s /run/vmm.sent; cat /run/vmm.sent'
tap_is "and sends one" "$HOST_OUTPUT" "$sum"
tap_is "it gives up memory when it is asked to" "$(grep '^@balloon' <<<"$said")" "@balloon 2048"
host_run m 30 'sort -n /run/vmm.memory | tail -n 1; tail -n 1 /run/vmm.memory'
tap_check "and the host has what it does not use" \
    between "$(sed -n 2p <<<"$HOST_OUTPUT")" "$(($(sed -n 1p <<<"$HOST_OUTPUT") - 48 * 1024))" 196608
tap_is "without a complaint" "$(grep '^@complaints' <<<"$said")" "@complaints 0"
tap_is "it knows what it runs under" "$(grep '^@hypervisor' <<<"$said")" "@hypervisor KVM"
tap_is "whose clock it keeps time by" "$(grep '^@time' <<<"$said")" "@time kvm-clock"
tap_is "and whose rate of the counter it takes" "$(grep '^@tsc' <<<"$said")" "@tsc 0"
tap_is "nothing is wrong with its vector registers" "$(grep '^@xsave' <<<"$said")" "@xsave 0"
host_run m 30 'cat /run/vmm.begin; date +%s'
tap_check "its clock shows the time of the host" \
    between "$(head -n 1 <<<"$HOST_OUTPUT")" "$(sed -n 's/^@clock //p' <<<"$said")" "$(tail -n 1 <<<"$HOST_OUTPUT")"
tap_is "which rings when it is told to" "$(grep '^@alarm' <<<"$said")" "@alarm 1"
tap_is "and it is gone when it has switched itself off" "$status" 0
[ "$tap_failed" -eq 0 ] || tap_comment "$said"
host_run m 240 'VMM_KERNEL=/mnt/vmlinuz vmm_linux'
tap_is "it boots from the file that is installed, too, and ends" "$? $(grep -E '^@(cpus|complaints)' <<<"$HOST_OUTPUT")" \
    "0 @cpus 1
@complaints 0"
host_run m 240 vmm_powerdown
tap_is "its power button, pressed by hawser-vmm ctl, shuts Linux down" "$? $HOST_OUTPUT" "0 @waits
@pressed"
host_ending m
