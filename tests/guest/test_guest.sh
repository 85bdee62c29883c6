#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The test guest (doc/test-guest.md), in QEMU without KVM and in hawser-vmm: what it finds in a
# machine, and that it finds what is wrong. QEMU's machine is not ours: what the guest says there is
# judged by somebody else's devices.
# shellcheck disable=SC2317
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=tests/guest/lines.sh
. "$(dirname "$0")/lines.sh"

VMM=$HW_TOP_BUILDDIR/vmm-core/run/hawser-vmm
GUEST=$HW_TOP_BUILDDIR/tests/guest/guest.elf
IMAGE=$HW_TOP_BUILDDIR/tests/guest/guest.img
PID=
work=$(mktemp -d) || exit 1
trap 'kill $PID 2>/dev/null; rm -rf "$work"' EXIT
mkfifo "$work/in" || exit 1
trap '' PIPE # a guest that has ended reads no more

# in_qemu CPUS MEMORY COMMANDS [OPTION...]: what it says, into $work/said; takes the place of its shell.
# Without commands without a kernel, too.
in_qemu()
{
    local kernel=(-kernel "$GUEST" -append "$3")
    [ -n "$3" ] || kernel=()
    exec timeout 120 qemu-system-x86_64 -nodefaults -accel tcg -M pc -display none -serial stdio -no-reboot -smp "$1" \
        -m "$2" "${kernel[@]}" "${@:4}" >"$work/said" 2>"$work/err"
}

in_vmm()
{
    exec timeout 120 "$VMM" run --no-state --serial stdio --no-reboot --cpus "$1" --memory "$2" --kernel "$GUEST" \
        --append "$3" "${@:4}" >"$work/said" 2>"$work/err"
}

# value EVENT KEY [N]
value()
{
    guest_value "$work/said" "$@"
}

said()
{
    tr -d '\r' <"$work/said"
    cat "$work/err"
}

# within PERCENT A B: A is about B
within()
{
    [ -n "$2" ] && [ -n "$3" ] && [ $(($2 * 100)) -ge $(($3 * (100 - $1))) ] &&
        [ $(($2 * 100)) -le $(($3 * (100 + $1))) ]
}

said_running()
{
    grep -q '^@guest running' "$work/said"
}

# said_durable N: it told so often that its writes are durable
said_durable()
{
    [ "$(grep -c '^@guest durable' "$work/said")" -ge "$1" ]
}

# tests_in NAME RUN [OPTION...]
tests_in()
{
    local how
    ("$2" 2 32M 'fill;check;spoil page=777 bit=30000;check;off') </dev/null
    tap_is "$1: two processors fill memory, a bit that turns over is found; it switches itself off" \
        "$? $(value ready cpus) $(value filled pages) $(value checked pages) $(value checked wrong) $(value checked wrong 2) $(value checked first_wrong 2)" \
        "0 2 $(value ready pages) $(value ready pages) 0 1 777"
    tap_check "$1: which is all of it but its own" \
        within 12 $(($(value ready pages) * 4)) "$(value ready memory_kb)"

    ("$2" 1 4G 'dirty at_mb=2000 mb=1;dirty mode=random at_mb=3500 mb=1;check;off') </dev/null
    tap_is "$1: on both sides of the hole below 4 GiB" \
        "$? $(value dirtied wrong) $(value dirtied wrong 2) $(value checked wrong)" "0 0 0 0"
    tap_check "$1: the one" [ $(($(value dirtied at))) -lt $((0xc0000000)) ]
    tap_check "$1: the other" [ $(($(value dirtied at 2))) -ge $((0x100000000)) ]
    tap_check "$1: pages of both were written" [ "$(value checked pages)" -gt 256 ]

    : >"$work/said"
    ("$2" 4 16M 'clocks;beats seconds=0;reset by=fault') <"$work/in" &
    PID=$!
    exec 9>"$work/in"
    tap_check "$1: it runs until it is told to stop" wait_until 60 said_running
    kill -STOP "$(pgrep -P "$PID")"
    sleep 1 # that is what the guest shall feel
    kill -CONT "$(pgrep -P "$PID")"
    printf 'stop\n' >&9
    wait "$PID"
    PID=
    exec 9>&-
    tap_check "$1: it feels that it stood still" [ "$(value beats longest_us)" -ge 900000 ]
    tap_is "$1: which it does, and shuts down by a triple fault" \
        "$(value "done" command 2) $(value ending how)" "beats reset"
    tap_is "$1: clocks of four processors never go back" \
        "$(value clocks cpus) $(value clocks tsc_back) $(value clocks kvmclock_back)" \
        "4 0 $([ "$(value ready kvmclock)" = 0 ] || echo 0)"
    for how in pm pit; do
        tap_check "$1: the counter is as fast by the $how" within 5 "$(value clocks "tsc_khz_by_$how")" \
            "$(value clocks tsc_khz)"
    done
    tap_is "$1: ring 0 and ring 3 see the same one" "$(value clocks ring0_between)" 1
    [ "$(value ready kvmclock)" = 0 ] ||
        tap_check "$1: so is KVM's clock" within 5 "$(value clocks kvmclock_ppm_of_pm)" 1000000

    ("$2" 3 32M 'dirty background=1 mode=random at_mb=8 mb=8 rate=20;check;beats mb=4;dirtyend;check;off') </dev/null
    tap_is "$1: memory changes while it beats" \
        "$(value busy command) $(value beats wrong) $(value dirtied wrong) $(value checked wrong)" "check 0 0 0"
    tap_check "$1: one beats" [ "$(value beats count)" -gt 0 ]
    tap_check "$1: the others write" [ "$(value dirtied written)" -gt 0 ]

    ("$2" 1 16M 'entropy bytes=2000;entropy bytes=128 masked=1;off' "${@:3}") </dev/null
    tap_check "$1: entropy comes, by its vector" [ "$(value entropy bytes)" -ge 2000 ]
    tap_check "$1: half of its bits are set" within 10 "$(value entropy ones)" $(($(value entropy bytes) * 4))
    tap_is "$1: no interrupt is lost, or it is seen" "$(value entropy late) $(value entropy late 2)" "0 2"
    [ "$tap_failed" -eq 0 ] || tap_comment "$(said)"
}

# disk_tests NAME RUN OPTION...: RUN has a disk by these options; its blocks of 4 KiB are those of $work/disk
disk_tests()
{
    local name=$1 run=$2 durable blocks='blocks=500 seed=7'
    shift 2
    ("$run" 1 32M "diskwrite $blocks count=1200 indirect=1;diskverify $blocks durable=1200;diskverify $blocks durable=1203;off" \
        "$@") </dev/null
    tap_is "$name: a disk holds what was written last on each block" \
        "$(value diskwritten written) $(value diskwritten durable) $(value diskwritten errors) $(value diskverified bad) $(value diskverified stale)" \
        "1200 1200 0 0 0"
    tap_is "$name: one that lost writes would not pass" "$(value diskverified bad 2) $(value diskverified stale 2)" "0 24"
    tap_is "$name: no interrupt is lost" "$(value diskwritten late)" 0

    ("$run" 1 32M "diskwrite $blocks start=1201 count=0 depth=32" "$@") </dev/null &
    PID=$!
    tap_check "$name: writes become durable" wait_until 60 said_durable 20
    kill -KILL "$(pgrep -P "$PID")"
    wait "$PID" 2>/dev/null
    PID=
    durable=$(guest_durable "$work/said")
    ("$run" 1 32M "diskverify $blocks durable=$durable;off" "$@") </dev/null
    tap_is "$name: and are there when the machine was killed" \
        "$(value diskverified durable) $(value diskverified bad) $(value diskverified stale)" "$durable 0 0"
    printf 'x' | dd of="$work/disk" bs=1 seek=$((4096 * 77 + 1000)) conv=notrunc status=none
    ("$run" 1 32M "diskverify $blocks durable=$durable;off" "$@") </dev/null
    tap_is "$name: a byte that changes is found" \
        "$(value diskverified bad) $(value diskverified first_block) $(value diskverified state)" "1 77 damaged"
    [ "$tap_failed" -eq 0 ] || tap_comment "$(said | grep -v ' durable ')"
}

# boot_tests NAME RUN OPTION...: RUN has the disk $work/boot by these options, and boots from it; it
# gets no kernel
boot_tests()
{
    local name=$1 run=$2
    shift 2
    cp "$IMAGE" "$work/boot"
    truncate -s 4M "$work/boot"
    printf 'fill;check;diskwrite first=256 blocks=100 count=300;diskverify first=256 blocks=100 durable=300;off' |
        dd of="$work/boot" bs=4096 seek=1 conv=notrunc status=none
    ("$run" 2 32M '' "$@") </dev/null
    tap_is "$name: it boots from a disk, which it writes to" \
        "$? $(value ready cpus) $(value checked wrong) $(value diskverified bad) $(value diskverified stale)" "0 2 0 0 0"
    tap_check "$name: with the firmware's map of memory" within 12 $(($(value ready pages) * 4)) "$(value ready memory_kb)"
    tap_check "$name: all pages" [ "$(value checked pages)" = "$(value ready pages)" ]
    [ "$tap_failed" -eq 0 ] || tap_comment "$(said | grep -v ' durable ')"
}

# echo_runs OPTION...: a guest with a network card that gives back what it gets; sets PID
echo_runs()
{
    : >"$work/said"
    (in_qemu 1 16M 'netecho;off' "$@") <"$work/in" &
    PID=$!
    exec 9>"$work/in"
    wait_until 60 has_begun
    said_running
}

# It runs, or has ended.
has_begun()
{
    said_running || ! kill -0 "$PID" 2>/dev/null
}

echo_ends()
{
    printf 'stop\n' >&9
    wait "$PID"
    PID=
    exec 9>&-
}

# udp_echo PORT TEXT: what comes back
udp_echo()
{
    local fd
    exec {fd}<>"/dev/udp/127.0.0.1/$1"
    printf '%s' "$2" >&"$fd"
    timeout 20 head -c "${#2}" <&"$fd"
    exec {fd}>&-
}

net_tests()
{
    local card=virtio-net-pci,netdev=net,disable-legacy=on wait=wait_us=30000000 port tries back
    if echo_runs -device "$card" -netdev "dgram,id=net,local.type=unix,local.path=$work/a,remote.type=unix,remote.path=$work/b"; then
        mv "$work/said" "$work/echo" # it goes on there
        (in_qemu 1 16M "netping count=300 $wait;netping count=50 bytes=1514 every_us=0 $wait;off" -device "$card" -netdev \
            "dgram,id=net,local.type=unix,local.path=$work/b,remote.type=unix,remote.path=$work/a") </dev/null
        tap_is "QEMU: frames between two guests" \
            "$(value pinged back) $(value pinged wrong) $(value pinged back 2) $(value pinged wrong 2)" "300 0 50 0"
        tap_is "QEMU: no interrupt is lost" "$(value pinged late)" 0
        echo_ends
        mv "$work/echo" "$work/said"
        tap_is "QEMU: as many as the other one had" "$(value echoed ours) $(value echoed no_room)" "350 0"
    else
        tap_not_ok "QEMU: a guest with a card" "$(said)"
        echo_ends
    fi
    for ((tries = 0; tries < 5; tries++)); do # the port may be taken
        port=$((20000 + RANDOM % 10000))
        echo_runs -device "$card" -netdev "user,id=net,hostfwd=udp:127.0.0.1:$port-:7" && break
        echo_ends 2>/dev/null
    done
    back=$(udp_echo "$port" "one two three")
    tap_is "QEMU: a datagram of the host's comes back" "$back" "one two three"
    echo_ends
    tap_is "QEMU: which asked where the guest is" "$(value echoed arp) $(value echoed udp)" "1 1"
}

if command -v qemu-system-x86_64 >/dev/null; then
    tests_in QEMU in_qemu -device virtio-rng-pci,disable-legacy=on
    truncate -s 4M "$work/disk"
    disk_tests QEMU in_qemu -drive "if=none,id=disk,file=$work/disk,format=raw" \
        -device virtio-blk-pci,drive=disk,disable-legacy=on
    boot_tests QEMU in_qemu -drive "if=none,id=disk,file=$work/boot,format=raw" \
        -device virtio-blk-pci,drive=disk,disable-legacy=on
    net_tests
else
    tap_skip "QEMU" "no qemu-system-x86_64"
fi
if [ -r /dev/kvm ] && [ -w /dev/kvm ]; then
    tests_in hawser-vmm in_vmm
else
    tap_skip "hawser-vmm" "no /dev/kvm that may be opened"
fi
tap_done
