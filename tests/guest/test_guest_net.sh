#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# hawser-vmm's network cards, driven by two test guests on a bridge in a network namespace of their
# own (root): frames between them, ARP, ICMP and UDP of the host's kernel.
# shellcheck disable=SC2317
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=tests/guest/lines.sh
. "$(dirname "$0")/lines.sh"

VMM=$HW_PLAIN_BUILDDIR/vmm-core/run/hawser-vmm
GUEST=$HW_PLAIN_BUILDDIR/tests/guest/guest.elf
GUEST_IP=10.0.2.15

if [ "$(id -u)" -ne 0 ]; then
    tap_skip_all "only root makes network namespaces"
fi
if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
    tap_skip_all "no /dev/kvm that may be opened"
fi
if [ ! -c /dev/net/tun ]; then
    tap_skip_all "no /dev/net/tun"
fi
"$VMM" run --help | grep -q -- --net || tap_skip_all "hawser-vmm has no network yet"
[ -n "${GUEST_NET_INSIDE-}" ] || GUEST_NET_INSIDE=1 exec unshare --net "$0" "$@"

PID=
work=$(mktemp -d) || exit 1
trap 'kill $PID 2>/dev/null; wait; rm -rf "$work"' EXIT
mkfifo "$work/in" || exit 1
trap '' PIPE # a guest that has ended reads no more

# guest TAP NUMBER COMMANDS; takes the place of its shell
guest()
{
    exec timeout 120 "$VMM" run --no-state --serial stdio --no-reboot --memory 32M --kernel "$GUEST" \
        --net "tap=$1,mac=52:54:00:00:00:0$2" --append "$3" >"$work/said$2" 2>"$work/err$2"
}

# value NUMBER EVENT KEY [N]: of that guest
value()
{
    guest_value "$work/said$1" "${@:2}"
}

network()
{
    ip link set lo up && ip link add bridge type bridge && ip link set bridge up &&
        ip addr add 10.0.2.1/24 dev bridge &&
        ip tuntap add tap1 mode tap && ip link set tap1 master bridge up &&
        ip tuntap add tap2 mode tap && ip link set tap2 master bridge up
}

udp_echo()
{
    local fd
    exec {fd}<>"/dev/udp/$GUEST_IP/7"
    printf '%s' "$1" >&"$fd"
    timeout 20 head -c "${#1}" <&"$fd"
    exec {fd}>&-
}

tap_check "a bridge and two taps" network
: >"$work/said1"
(guest tap1 1 "netecho ip=$GUEST_IP;off") <"$work/in" &
PID=$!
exec 9>"$work/in"
tap_check "a guest gives back what it gets" wait_until 60 grep -q '^@guest running' "$work/said1"
tap_is "a datagram of the host's" "$(udp_echo 'one two three')" "one two three"
text=$(seq -s ' ' 1 350)
tap_is "a large one" "$(udp_echo "$text")" "$text"
if command -v busybox >/dev/null; then
    tap_check "a ping" busybox ping -c 1 -W 20 "$GUEST_IP"
else
    tap_skip "a ping" "no busybox"
fi
wait=wait_us=30000000
(guest tap2 2 "netping count=300 $wait;netping count=200 bytes=1514 every_us=0 $wait;off") </dev/null
tap_is "frames of another guest, and as many at once as fit" \
    "$(value 2 pinged back) $(value 2 pinged wrong) $(value 2 pinged back 2) $(value 2 pinged wrong 2)" "300 0 200 0"
tap_is "with their interrupts" "$(value 2 pinged late) $(value 2 pinged late 2)" "0 0"
printf 'stop\n' >&9
wait "$PID"
PID=
exec 9>&-
tap_is "the first one has counted them" \
    "$(value 1 echoed ours) $(value 1 echoed udp) $(value 1 echoed icmp) $(value 1 echoed late) $(value 1 echoed no_room)" \
    "500 2 $(command -v busybox >/dev/null && echo 1 || echo 0) 0 0"
tap_check "and was asked where it is" [ "$(value 1 echoed arp)" -ge 1 ]
[ "$tap_failed" -eq 0 ] || tap_comment "$(cat "$work"/said? "$work"/err?)"
tap_done
