# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The Linux that hawser-vmm boots inside a whole host; behind hosts.sh and hosts_begin.

# linux_initrd FILE: what the kernel starts, and the modules that it needs for that.
linux_initrd()
{
    local root=$HOSTS_DIR/linux
    mkdir -p "$root"/{bin,dev,proc,sys}
    (cd "$root" && cpio -id --quiet 'lib/modules/*/modules.*' 'lib/modules/*/virtio/*' \
        'lib/modules/*/virtio-rng.ko' 'lib/modules/*/button.ko' 'lib/modules/*/evdev.ko' \
        <"$HOSTS_IMAGE/base.cpio")
    cp "$(command -v busybox)" "$root/bin/"
    cp "$HOSTS_HERE/guest/vmm-init" "$root/init"
    (cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet) >"$1"
    rm -rf "$root"
}

# linux_disk TREE IMAGE: a disk for the host that holds the tree.
linux_disk()
{
    truncate -s "$(($(du -sm "$1" | cut -f1) + 32))M" "$2"
    mkfs.ext4 -q -d "$1" "$2"
}
