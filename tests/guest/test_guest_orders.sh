#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Orders from outside as the test guest feels them: the power button (of QEMU's machine, too), a pause, a
# reset.
# shellcheck disable=SC2317
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=tests/guest/lines.sh
. "$(dirname "$0")/lines.sh"

VMM=$HW_TOP_BUILDDIR/vmm-core/run/hawser-vmm
GUEST=$HW_TOP_BUILDDIR/tests/guest/guest.elf
PID=
work=$(mktemp -d) || exit 1
trap 'kill $PID 2>/dev/null; rm -rf "$work"' EXIT
mkfifo "$work/in" || exit 1
trap '' PIPE # a guest that has ended reads no more

# value EVENT KEY [N]
value()
{
    guest_value "$work/said" "$@"
}

# said_times EVENT N: that it happened, so often
said_times()
{
    [ "$(grep -c "^@guest $1" "$work/said")" -ge "$2" ]
}

# begin COMMAND...: in the background, with what is written to 9 as its input; not in a subshell
begin()
{
    : >"$work/said"
    "$@" <"$work/in" >"$work/out" 2>"$work/err" &
    PID=$!
    exec 9>"$work/in"
}

# ended: by itself; sets STATUS
ended()
{
    wait "$PID"
    STATUS=$?
    PID=
    exec 9>&-
}

in_qemu()
{
    begin timeout 120 qemu-system-x86_64 -nodefaults -accel tcg -M pc -display none -m 16M \
        -serial "file:$work/said" -monitor stdio -kernel "$GUEST" -append 'beats seconds=0'
    tap_check "QEMU: a guest runs" wait_until 60 said_times running 1
    echo system_powerdown >&9
    ended
    tap_is "QEMU: its power button switches it off" "$STATUS $(value button ignored) $(value ending how)" "0 0 off"
}

order()
{
    "$VMM" ctl --api "unix:$work/api" "$1" >/dev/null
}

vmm()
{
    exec timeout 120 "$VMM" run --no-state --serial stdio --memory 16M --cpus 2 --kernel "$GUEST" --api "unix:$work/api" \
        --append "$1" >"$work/said"
}

in_vmm()
{
    begin vmm 'button do=ignore;beats seconds=0'
    tap_check "hawser-vmm: a guest runs" wait_until 60 said_times running 1
    tap_check "hawser-vmm: it is paused" order pause
    sleep 1 # that is what the guest shall feel
    tap_check "hawser-vmm: and goes on" order resume
    tap_check "hawser-vmm: its power button is pressed" order powerdown
    tap_check "hawser-vmm: which it ignores" wait_until 60 said_times 'button ignored=1' 1
    printf 'button\n' >&9
    tap_check "hawser-vmm: it has stopped" wait_until 60 said_times 'done command=button' 2
    tap_check "hawser-vmm: it felt that it stood still" [ "$(value beats longest_us)" -ge 900000 ]
    tap_check "hawser-vmm: so did its clock" [ "$(value beats longest_kvmclock_us)" -ge 900000 ]
    tap_is "hawser-vmm: no page was lost" "$(value beats wrong)" 0
    tap_check "hawser-vmm: it is reset" order reset
    tap_check "hawser-vmm: and boots again" wait_until 60 said_times running 2
    printf 'button\n' >&9
    tap_check "hawser-vmm: it listens" wait_until 60 said_times 'done command=button' 4
    tap_check "hawser-vmm: the power button is pressed again" order powerdown
    ended
    tap_is "hawser-vmm: and it switches itself off" "$STATUS $(value ending how)" "0 off"
    [ "$tap_failed" -eq 0 ] || tap_comment "$(cat "$work/said" "$work/err")"
}

if command -v qemu-system-x86_64 >/dev/null; then
    in_qemu
else
    tap_skip "QEMU" "no qemu-system-x86_64"
fi
if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
    tap_skip "hawser-vmm" "no /dev/kvm that may be opened"
elif ! "$VMM" --help | grep -q '^  ctl'; then
    tap_skip "hawser-vmm" "it takes no orders yet"
else
    in_vmm
fi
tap_done
