#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The test guest's disk is served by hawser-lun: to QEMU, and to hawser-vmm. The server is killed while
# the guest writes, again and again, and then the guest: nothing that was durable is lost. The guest counts its
# writes by itself, and what became durable is read from its serial line.
# ROUNDS=N: the server is killed N times (3)
# shellcheck disable=SC2317
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=tests/guest/lines.sh
. "$(dirname "$0")/lines.sh"

VMM=$HW_PLAIN_BUILDDIR/vmm-core/run/hawser-vmm
GUEST=$HW_PLAIN_BUILDDIR/tests/guest/guest.elf
HAWSER=$HW_PLAIN_BUILDDIR/cli/hawser
KILLS=${ROUNDS:-3}
KILLS=$((KILLS < 20 ? KILLS : 20))
WORDS='blocks=500 seed=5'
PID=
SERVE_PID=
work=$(mktemp -d) || exit 1
trap 'kill $PID 2>/dev/null; kill -TERM $SERVE_PID 2>/dev/null; wait; rm -rf "$work"' EXIT
mkfifo "$work/in" || exit 1
trap '' PIPE # a guest that has ended reads no more

# in_qemu COMMANDS, in_vmm COMMANDS: the guest with the disk; takes the place of its shell
in_qemu()
{
    exec timeout 300 qemu-system-x86_64 -nodefaults -accel tcg -M pc,memory-backend=ram -m 32M \
        -object memory-backend-memfd,id=ram,size=32M,share=on -display none -serial stdio -no-reboot \
        -chardev "socket,id=disk,path=$work/serve/disk,reconnect=1" \
        -device vhost-user-blk-pci,chardev=disk,disable-legacy=on -kernel "$GUEST" -append "$1" \
        >"$work/said" 2>"$work/err"
}

in_vmm()
{
    exec timeout 300 "$VMM" run --no-state --serial stdio --no-reboot --memory 32M \
        --disk "vhost:$work/serve/disk" --kernel "$GUEST" --append "$1" >"$work/said" 2>"$work/err"
}

# value EVENT KEY [N]
value()
{
    guest_value "$work/said" "$@"
}

durable()
{
    guest_durable "$work/said"
}

durable_after()
{
    [ "$(durable)" -gt "$1" ] 2>/dev/null
}

said()
{
    grep -v '^@guest durable' "$work/said"
    cat "$work/err" "$work/serve.out"
}

begin_serving()
{
    truncate -s 8M "$work/lun.img"
    "$HAWSER" lun serve "file:$work/lun.img" --directory "$work/serve" >"$work/serve.out" 2>&1 </dev/null &
    SERVE_PID=$!
    wait_until 60 grep -q vhost-user-blk-pci "$work/serve.out"
}

end_serving()
{
    kill -TERM "$SERVE_PID"
    wait "$SERVE_PID"
    SERVE_PID=
}

started_again()
{
    [ "$(grep -c 'started again' "$work/serve.out")" -ge "$1" ]
}

# tests_in NAME RUN
tests_in()
{
    local name=$1 run=$2 kill last=0
    : >"$work/said"
    if ! begin_serving; then
        tap_not_ok "$name: a disk is served" "$(said)"
        return
    fi
    ("$run" "diskwrite $WORDS count=0 depth=16;off") <"$work/in" &
    PID=$!
    exec 9>"$work/in"
    for ((kill = 1; kill <= KILLS; kill++)); do
        tap_check "$name: writes become durable, $kill" wait_until 60 durable_after "$last"
        kill -KILL "$(pgrep -P "$SERVE_PID" -x hawser-lun)"
        tap_check "$name: the server is started again" wait_until 60 started_again "$kill"
        last=$(durable)
    done
    tap_check "$name: and goes on" wait_until 60 durable_after "$((last + 100))"
    printf 'stop\n' >&9
    wait "$PID"
    exec 9>&-
    tap_is "$name: the guest saw no error" \
        "$(value diskwritten errors) $(value diskwritten late) $(($(value diskwritten durable) - $(value diskwritten written)))" \
        "0 0 0"
    last=$(value diskwritten durable)
    ("$run" "diskverify $WORDS durable=$last;off") </dev/null
    tap_is "$name: all is there" "$(value diskverified durable) $(value diskverified bad) $(value diskverified stale)" "$last 0 0"
    : >"$work/said"
    ("$run" "diskwrite $WORDS start=$((last + 1)) count=0 depth=16") </dev/null &
    PID=$!
    tap_check "$name: more is written" wait_until 60 durable_after $((last + 200))
    kill -KILL "$(pgrep -P "$PID")"
    wait "$PID" 2>/dev/null
    PID=
    last=$(durable)
    ("$run" "diskverify $WORDS durable=$last;off") </dev/null
    tap_is "$name: what was durable is there when the machine was killed" \
        "$(value diskverified durable) $(value diskverified bad) $(value diskverified stale)" "$last 0 0"
    end_serving
    [ "$tap_failed" -eq 0 ] || tap_comment "$(said)"
}

if command -v qemu-system-x86_64 >/dev/null; then
    tests_in QEMU in_qemu
else
    tap_skip QEMU "no qemu-system-x86_64"
fi
if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
    tap_skip hawser-vmm "no /dev/kvm that may be opened"
elif ! "$VMM" run --help | grep -q -- --disk; then
    tap_skip hawser-vmm "it has no disks yet"
else
    tests_in hawser-vmm in_vmm
fi
tap_done
