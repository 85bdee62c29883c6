# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# hawser-vmm with disks inside a whole host. The second disk's tree has the kernel, the initrd, an
# image of the guest's file system, and qemu-storage-daemon.

# disk_tree: /dev, /proc, /sys and /run in the tree, for what is started there
disk_tree()
{
    for disk_folder in dev proc sys run; do
        mount --bind "/$disk_folder" "/mnt/$disk_folder" || return 1
    done
}

# disk_lun NAME: hawser-lun serves /run/NAME.img, which is made of the image if it is not there
disk_lun()
{
    [ -e "/run/$1.img" ] || { cp /mnt/disk.img "/run/$1.img" && chmod 666 "/run/$1.img"; } || return 1
    hawser-lun --lun "file:/run/$1.img,socket=/run/$1.sock" --control "unix:/run/$1.control" \
        >>"/run/$1.log" 2>&1 3>&- &
    echo $! >"/run/$1.pid"
    within 30 test -S "/run/$1.sock" || ! cat "/run/$1.log"
}

# disk_qsd NAME: qemu-storage-daemon does
disk_qsd()
{
    cp /mnt/disk.img "/run/$1.img" || return 1
    chroot /mnt /usr/bin/qemu-storage-daemon --blockdev "driver=file,node-name=f,filename=/run/$1.img" \
        --export "vhost-user-blk,id=e,node-name=f,addr.type=unix,addr.path=/run/$1.sock,writable=on,num-queues=2" \
        >"/run/$1.log" 2>&1 3>&- &
    echo $! >"/run/$1.pid"
    within 30 test -S "/run/$1.sock" || ! cat "/run/$1.log"
}

# disk_kill NAME: its server is gone
disk_kill()
{
    kill -9 "$(cat "/run/$1.pid")" && within 10 disk_gone "$1"
}

disk_gone()
{
    ! kill -0 "$(cat "/run/$1.pid")" 2>/dev/null
}

# disk_guest DOES KERNEL-OPTIONS [OPTION...]: a guest begins; see vmm-disk-init
disk_guest()
{
    disk_does=$1 disk_kernel=$2
    shift 2
    rm -f /run/vmm.status
    {
        hawser-vmm run --memory 192M --kernel /mnt/vmlinux --initrd /mnt/disk-initrd \
            --append "console=ttyS0 quiet panic=-1 noxsave $disk_kernel does=$disk_does" \
            --serial stdio --no-state --no-reboot "$@" >/run/vmm.serial 2>/run/vmm.log
        echo $? >/run/vmm.status
    } 3>&- &
}

# disk_said PATTERN: the guest has said it
disk_said()
{
    tr -d '\r' </run/vmm.serial | grep -qE "$1"
}

# disk_ends SECONDS: it has ended; prints its lines that begin with @, without its steps, and
# returns its exit status
disk_ends()
{
    within "$1" test -s /run/vmm.status || return 124
    tr -d '\r' </run/vmm.serial | grep '^@' | grep -v '^@step'
    return "$(cat /run/vmm.status)"
}
