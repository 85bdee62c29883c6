# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# Guests inside a whole host: QEMU under KVM from the second disk's tree, two vhost-user-blk disks,
# monitor and serial port through FIFOs.
INNER=/mnt

# inner_ready: KVM, and the tree that holds QEMU, its guest's kernel and initrd.
inner_ready()
{
    modprobe kvm_amd && modprobe ext4 && mount -t ext4 -o ro /dev/vda $INNER || return 1
    for inner_folder in dev proc sys run; do
        mount --bind "/$inner_folder" "$INNER/$inner_folder" || return 1
    done
    test -c /dev/kvm
}

# inner_serve NAME PROGRAM MIB: a disk of that size, served by this server
inner_serve()
{
    dmaread make "/run/$1.img" "$3" && chmod 666 "/run/$1.img" || return 1
    "$2" --lun "file:/run/$1.img,socket=/run/$1.sock" --control "unix:/run/$1.control" \
        >"/run/$1.log" 2>&1 3>&- &
    within 30 test -S "/run/$1.sock" || ! cat "/run/$1.log"
}

# inner_start NAME [OPTION...]: a QEMU on the disks d0 and d1
inner_start()
{
    inner_name=$1
    shift
    for inner_pipe in monitor serial; do
        mkfifo "/run/$inner_name.$inner_pipe.in" "/run/$inner_name.$inner_pipe.out"
        cat "/run/$inner_name.$inner_pipe.out" >"/run/$inner_name.$inner_pipe" 2>&1 3>&- &
    done
    chroot $INNER /usr/bin/qemu-system-x86_64 -accel kvm -cpu qemu64 -smp 1 -m 192 \
        -object memory-backend-memfd,id=ram,size=192M,share=on -machine pc,memory-backend=ram \
        -nodefaults -no-user-config -display none -no-reboot \
        -kernel /vmlinux -initrd /initrd -append 'console=ttyS0 quiet panic=-1' \
        -chardev socket,id=d0,path=/run/d0.sock -device vhost-user-blk-pci,chardev=d0,num-queues=1 \
        -chardev socket,id=d1,path=/run/d1.sock -device vhost-user-blk-pci,chardev=d1,num-queues=1 \
        -chardev "pipe,id=serial,path=/run/$inner_name.serial" -serial chardev:serial \
        -chardev "pipe,id=monitor,path=/run/$inner_name.monitor" -mon chardev=monitor,mode=readline \
        "$@" >"/run/$inner_name.log" 2>&1 3>&- &
    within 60 grep -q '(qemu)' "/run/$inner_name.monitor" || ! cat "/run/$inner_name.log"
}

inner_prompts()
{
    [ "$(grep -c '(qemu)' "/run/$1.monitor")" -gt "$2" ]
}

# inner_order NAME ORDER...: one order of the monitor, done; prints what it answered
inner_order()
{
    inner_name=$1
    shift
    inner_count=$(grep -c '(qemu)' "/run/$inner_name.monitor")
    inner_lines=$(wc -l <"/run/$inner_name.monitor")
    echo "$*" 1<>"/run/$inner_name.monitor.in"
    within 30 inner_prompts "$inner_name" "$inner_count" &&
        sed "1,${inner_lines}d" "/run/$inner_name.monitor" | tr -d '\r'
}

# inner_shows NAME ORDER PATTERN: whether the monitor answers so
inner_shows()
{
    inner_order "$1" "$2" | grep -qE "$3"
}

# inner_say NAME ORDER SECONDS: an order to the guest; prints its answer
inner_say()
{
    inner_before=$(grep -c "^@$2 " "/run/$1.serial")
    echo "$2" 1<>"/run/$1.serial.in"
    within "$3" inner_answered "$1" "$2" "$inner_before" &&
        grep "^@$2 " "/run/$1.serial" | tail -n 1 | tr -d '\r'
}

inner_answered()
{
    [ "$(grep -c "^@$2 " "/run/$1.serial")" -gt "$3" ]
}
