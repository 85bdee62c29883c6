#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# hawser-vmm with a guest of our own: its command line, both ways of its serial line, resets and signals.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
    tap_skip_all "no /dev/kvm that may be opened"
fi
VMM=$HW_TOP_BUILDDIR/vmm-core/run/hawser-vmm
ECHO=$HW_TOP_BUILDDIR/tests/guest/echo.elf
work=$(mktemp -d) || exit 1
PID=
trap 'kill $PID 2>/dev/null; rm -rf "$work"' EXIT

# vmm WORDS...: with the guest; takes the place of its shell
vmm()
{
    exec "$VMM" run --memory 16M --kernel "$ECHO" --no-state "$@"
}

# until_out TEXT: it is in the output
until_out()
{
    wait_until 30 grep -qs -- "$1" "$work/out"
}

# threads N: it has so many: its vCPUs are there
threads()
{
    [ "$(find "/proc/$PID/task" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l)" -ge "$1" ]
}

# ended: by SIGTERM; sets STATUS
ended()
{
    kill -TERM "$PID"
    wait "$PID"
    STATUS=$?
    PID=
}

text=$(seq -s ' ' 1 2000)
out=$(printf '%s!' "$text" | (vmm --append 'hello, guest' --serial stdio --no-reboot))
tap_is "it boots with its command line, takes 8 KiB and gives them back; its end is told" "$? $out" "10 hello, guest
$text"

before=$(date -u +%y%m%d%H%M%S)
out=$(printf '@!' | (vmm --append time --serial stdio --no-reboot) | sed -n 2p)
after=$(date -u +%y%m%d%H%M%S)
tap_check "its clock shows the time of the host" [ "$before" -le "${out:-0}" ]
tap_check "and not a later one" [ "${out:-$after}" -le "$after" ]

out=$(printf '%%!' | (vmm --append tick --serial stdio --no-reboot) | tr '\n' ' ')
tap_is "its clock interrupts it" "$out" "tick i"

out=$(printf '##!' | (vmm --append panic --serial stdio --no-reboot 2>"$work/err"))
tap_is "a panic is told once" "$out $(cat "$work/err")" "panic hawser-vmm: the guest's kernel has panicked"

(vmm --append x --cpus 4) &
PID=$!
tap_check "without a serial line, with four processors" wait_until 30 threads 5
ended
tap_is "until SIGTERM" "$STATUS" 12

mkfifo "$work/in"
(vmm --append again --serial stdio) <"$work/in" >"$work/out" 2>&1 &
PID=$!
exec 9>"$work/in"
tap_check "it waits for its input" until_out again
printf 'one!' >&9
tap_check "a reset boots it again" until_out '^oneagain$'
printf 'two?' >&9
tap_check "so does one by the keyboard controller" until_out '^twoagain$'
printf 'three$^' >&9
tap_check "or by port 92h" until_out '^threeagain$'
printf '@four' >&9
tap_check "and it goes on" until_out '^four'
tap_check "with the time that the guest has set" grep -q '^99[0-9]*$' "$work/out"
exec 9>&-
ended
tap_is "also when its input has ended" "$STATUS $(sed 's/^99[0-9]*$/99/' "$work/out" | tr '\n' ' ')" \
    "12 again oneagain twoagain threeagain 99 four"

out=$(printf '=&' | (vmm --append pci --serial stdio --no-reboot))
tap_is "a guest sees its PCI bus, and resets itself by it" "$? $out" "10 pci
P"
out=$(printf '*~' | (vmm --append power --serial stdio))
tap_is "its timer interrupts it, and it switches itself off" "$? $out" "0 power
T"

(vmm --append x --serial stdio) >/dev/full </dev/null 2>"$work/err" &
PID=$!
wait_until 30 threads 2
ended
tap_is "output that nobody takes does not end it" "$STATUS $(cat "$work/err")" "12 "

ctl()
{
    "$VMM" ctl --api "unix:$work/api" "$@" 2>&1
}
# asks ORDER WORDS: the answer has them
asks()
{
    # shellcheck disable=SC2086 # an order may have words
    ctl $1 | tr '\n' ' ' | grep -q -- "$2"
}
# boots N: it has booted so often
boots()
{
    [ "$(grep -o orders "$work/out" | wc -l)" -eq "$1" ]
}
: >"$work/out"
(vmm --append orders --serial stdio --api "unix:$work/api") <"$work/in" >"$work/out" 2>"$work/err" &
PID=$!
exec 9>"$work/in"
until_out orders
"$VMM" ctl --api "unix:$work/api" events >"$work/events" &
EVENTS=$!
tap_check "it tells what it is" asks status "^state: running panicked: no cpus: 1 memory-bytes: 16777216 "
tap_check "also as JSON" grep -q '^{"state":"running",.*"ok":true,' <<<"$(ctl status --json)"
tap_is "its socket is its user's alone" "$(stat -c %a "$work/api")" 600
tap_check "it pauses" asks pause "^state: paused "
tap_check "and may be told so again" asks pause "^state: paused "
printf 'a%.0s' {1..50} >&9
tap_is "and says nothing then" "$(asks status 'state: paused' && cat "$work/out")" "orders"
tap_check "it goes on" asks resume "^state: running "
tap_check "where it stood" until_out "a\{50\}"
out=$(ctl dance)
tap_is "an unknown order" "$? $out" "2 hawser-vmm: dance: is no order; see hawser-vmm(8)"
out=$(ctl status how=1)
tap_is "an unknown word" "$? $out" '2 hawser-vmm: how: is no word of "status"; see hawser-vmm(8)'
out=$(ctl status how)
tap_is "a word that is none" "$? $out" "2 hawser-vmm: how: is no NAME=VALUE; see hawser-vmm(8)"
out=$( (vmm --append x --api "unix:$work/api" 2>&1) )
tap_is "another VM does not take its socket" "$? $out" \
    "3 hawser-vmm: $work/api: another process listens there already; stop it, or choose another path"
tap_check "its balloon is told" asks "balloon bytes=1048576" "^target-bytes: 1048576 actual-bytes: 0 $"
tap_check "and never to be more than its memory" asks "balloon bytes=99999999999" "^target-bytes: 16777216 "
tap_check "or less than nothing" asks "balloon bytes=-1" "bytes: is no number of bytes; "
tap_check "it is asked after it" asks balloon "^target-bytes: 16777216 actual-bytes: 0 $"
tap_check "it counts what its processor does" asks metrics "^up-ms: [0-9]* .* port: [1-9].* out-bytes: [1-9]"
ctl pause >"$work/ctl"
tap_check "it is reset while it stands" asks reset "^state: paused .*resets: 1 .*last-reset: by order "
tap_is "and stands" "$(grep -c '^orders' "$work/out")" 1
ctl resume >"$work/ctl"
tap_check "then it boots again" wait_until 30 boots 2
ctl reset >"$work/ctl"
tap_check "or at once" wait_until 30 boots 3
tap_check "and counts on" asks metrics "resets: 2"
printf '?' >&9
tap_check "the guest can do that itself" wait_until 30 boots 4
tap_check "and is told of" asks status "resets: 3 .*last-reset: by the keyboard controller"
printf '#' >&9
tap_check "a panic is in its status" wait_until 30 asks status "panicked: yes"
tap_is "what it wrote last is kept" "$("$VMM" console --api "unix:$work/api" --last | tail -n 1)" "orders"
out=$(ctl console bytes=100000)
tap_is "but not for ever" "$? $out" "2 hawser-vmm: bytes: is no number from 0 to 16384; see hawser-vmm(8)"
: >"$work/console"
exec 8> >(exec "$VMM" console --api "unix:$work/api" >>"$work/console" 2>&1)
tap_check "a console is attached" wait_until 30 grep -q orders "$work/console"
seq -s ' ' 1 500 >&8
tap_check "what is typed there comes back, faster than it is read" wait_until 30 grep -q ' 499 500$' "$work/console"
printf 'gr\303\274\377.' >&8
tap_check "each byte of it" wait_until 30 grep -aq "$(printf 'gr\303\274\377\\.')" "$work/console"
out=$(ctl quit)
tap_is "it is told to end" "$? $out" "0 "
exec 8>&-
exec 9>&-
wait "$PID"
tap_is "and does" "$? $(cat "$work/err")" "12 hawser-vmm: the guest's kernel has panicked"
PID=
wait "$EVENTS"
tap_is "all of it was told" "$? $(cat "$work/events")" "0 paused
resumed
paused
reset: text by order
resumed
reset: text by order
reset: text by the keyboard controller
panicked
ended: reason quit, text by order, status 12"
out=$(ctl status)
tap_is "nobody answers then" "$? $out" \
    "1 hawser-vmm: $work/api: nobody answers: Connection refused; check the path, and that its process runs"
(vmm --append x --api "unix:$work/api") &
PID=$!
tap_check "what is left of its socket is in nobody's way" wait_until 30 asks status "^state: running "
ended

out=$(printf '#' | (vmm --append x --serial stdio --on-panic end 2>"$work/err"))
tap_is "a panic can end it" "$? $out $(cat "$work/err")" "11 x hawser-vmm: the guest's kernel has panicked"
(vmm --append x --serial stdio --api "unix:$work/api" --on-panic pause) <"$work/in" >/dev/null 2>&1 &
PID=$!
exec 9>"$work/in"
printf '#' >&9
tap_check "or pause it" wait_until 30 asks status "^state: paused panicked: yes "
exec 9>&-
ended

head -c 100000 /dev/zero >"$work/none"
out=$(timeout 60 "$VMM" run --memory 16M --kernel "$work/none" --no-state 2>&1)
tap_is "a kernel that is none" "$? $out" "3 hawser-vmm: $work/none: is no kernel for x86; give a bzImage, or a vmlinux with CONFIG_PVH"
head -c 20M /dev/zero >"$work/large"
out=$( (vmm --initrd "$work/large" 2>&1) )
tap_is "a ramdisk that does not fit" "$? $out" \
    "3 hawser-vmm: initrd: does not fit the guest's memory beside the kernel; give the guest more"
tap_done
