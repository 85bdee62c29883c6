# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# hawser-vmm inside a whole host, with the kernel and the initrd of the second disk's tree.

# vmm_ready: KVM, and the tree
vmm_ready()
{
    modprobe kvm_amd && modprobe ext4 && mount -t ext4 -o ro /dev/vda /mnt && test -c /dev/kvm
}

# vmm_network: tap0, and who serves the guest there
vmm_network()
{
    modprobe tun && tunctl -t tap0 && ip address add 10.78.0.1/24 dev tap0 && ip link set tap0 up &&
        mkdir -p /run/www && seq 1 200000 >/run/www/data || return 1
    httpd -p 10.78.0.1:80 -h /run/www
    (sleep 300 | nc -l -p 7000 | md5sum >/run/vmm.sent) >/dev/null 2>&1 &
}

# vmm_linux [OPTION...]: a guest from its start to its end; prints its lines that begin with @. Its
# kernel is VMM_KERNEL, else the one that is not packed. It does without XSAVE: the emulated host (QEMU
# before 8.2) does not let its KVM know that a guest writes XCR0, so that neither leaf 0Dh nor what is
# kept of the registers follows it. Its virtio console is spoken to again and again: what comes before
# Linux is ready for it, Linux throws away.
vmm_linux()
{
    date +%s >/run/vmm.begin
    rm -f /run/vmm.serial
    : >/run/vmm.memory
    (while sleep 0.5; do
        awk '/^RssShmem:/ { print $2 }' "/proc/$(pidof hawser-vmm)/status"
    done) >>/run/vmm.memory 2>/dev/null &
    vmm_watcher=$!
    while echo 'hello, hvc0' 2>/dev/null; do sleep 1; done |
        hawser-vmm run --memory 192M --kernel "${VMM_KERNEL:-/mnt/vmlinux}" --initrd /mnt/initrd \
            --append 'console=ttyS0 quiet panic=-1 noxsave' --serial file:/run/vmm.serial \
            --console stdio --no-state --no-reboot "$@" >/run/vmm.console 2>/run/vmm.log
    vmm_status=$?
    kill "$vmm_watcher"
    cat /run/vmm.serial /run/vmm.console | tr -d '\r' | grep '^@'
    return $vmm_status
}

# vmm_powerdown: a guest that waits for its power button, which is pressed; prints what it says of it
vmm_powerdown()
{
    hawser-vmm run --memory 192M --kernel /mnt/vmlinux --initrd /mnt/initrd \
        --append 'console=ttyS0 quiet panic=-1 noxsave waits' --serial stdio --no-state --no-reboot \
        --api unix:/run/vmm.api >/run/vmm.serial 2>/run/vmm.log &
    vmm_tries=0
    until grep -q '^@waits' /run/vmm.serial || [ "$vmm_tries" -ge 2000 ]; do
        vmm_tries=$((vmm_tries + 1))
        sleep 0.1
    done
    hawser-vmm ctl --api unix:/run/vmm.api powerdown >/run/vmm.ctl || return
    wait $!
    vmm_status=$?
    tr -d '\r' </run/vmm.serial | grep '^@'
    return $vmm_status
}

# vmm_disk NAME: a copy of the tree's disk of that name, served by hawser-lun
vmm_disk()
{
    cp "/mnt/$1.img" "/run/$1.img" && chmod 666 "/run/$1.img" || return 1
    hawser-lun --lun "file:/run/$1.img,socket=/run/$1.sock" --control "unix:/run/$1.control" \
        >"/run/$1.log" 2>&1 3>&- &
    within 30 test -S "/run/$1.sock" || ! cat "/run/$1.log"
}

# vmm_firmware [OPTION...]: a guest that firmware boots, from its start to its end, but for two
# minutes; prints what it wrote
vmm_firmware()
{
    timeout 120 hawser-vmm run --firmware /mnt/bios --serial stdio --no-state "$@" \
        </dev/null >/run/vmm.serial 2>/run/vmm.log
    vmm_status=$?
    tr -d '\r' </run/vmm.serial
    return $vmm_status
}
