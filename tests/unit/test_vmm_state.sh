#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# hawser-vmm and hawser-lun --state, each a process: a guest is saved by order and restored, a server is killed and comes back,
# what must not begin is refused.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
    tap_skip_all "no /dev/kvm that may be opened"
fi
VMM=$HW_TOP_BUILDDIR/vmm-core/run/hawser-vmm
LUN=$HW_TOP_BUILDDIR/storage/serve/hawser-lun
ECHO=$HW_TOP_BUILDDIR/tests/guest/echo.elf
work=$(mktemp -d) || exit 1
PID='' SERVER=''
trap 'kill -KILL $PID $SERVER 2>/dev/null; rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work" || exit 1

# serve SIZE WORDS...: the state area
serve()
{
    rm -f disk state
    "$LUN" --lun "file:$work/img?offset=0&size=1M,socket=$work/disk" \
        --state "file:$work/img?offset=4M&size=$1,socket=$work/state" --no-sandbox "${@:2}" >lun.out 2>&1 &
    SERVER=$!
    wait_until 30 test -S state
}

unserve()
{
    kill -KILL "$SERVER"
    wait "$SERVER" 2>/dev/null
    SERVER=
}

# vmm VERB WORDS...: with the guest; takes the place of its shell
vmm()
{
    [[ " $* " == *" --memory "* ]] || set -- "$@" --memory 16M
    exec "$VMM" "$@" --kernel "$ECHO" --state "vhost:$work/state" --uuid 11111111-2222-3333-4444-555555555555
}

# begin VERB WORDS...: and what is written to descriptor 9 comes to its serial line
begin()
{
    rm -f in api
    : >out
    mkfifo in
    (vmm "$@" --serial stdio --api "unix:$work/api" --append hello) <in >out 2>err &
    PID=$!
    exec 9>in
}

ctl()
{
    "$VMM" ctl --api "unix:$work/api" "$@" >ctl.out 2>&1
}

# says TEXT: on its serial line
says()
{
    wait_until 30 grep -qs -- "$1" out
}

# echoes TEXT: what it is sent comes back
echoes()
{
    printf '%s' "$1" >&9
    says "$1"
}

# ended: waits for it; sets STATUS
ended()
{
    wait "$PID"
    STATUS=$?
    PID=
    exec 9>&-
}

inspect()
{
    "$VMM" inspect --state "$1" "${@:2}"
}

truncate -s 64M img
out=$( (vmm run) 2>&1)
tap_is "a state area that nobody serves" "$? $out" \
    "1 hawser-vmm: $work/state: no state area is served there: No such file or directory; start hawser-lun with --state there, or give --no-state"
serve 30M
out=$( (vmm run) 2>&1)
tap_is "one that is too small, and how large it has to be" "$? $out" \
    "3 hawser-vmm: state area: has 30 MiB, and 38 MiB are needed to save this VM; make a larger one (hawser lun init --max-memory), or give --no-state"
unserve
serve 40M
begin run
tap_check "a guest begins" says hello
tap_check "and talks" echoes one
tap_check "it is saved by order" ctl save
ended
tap_is "and ends with the status that says so" "$STATUS" 15
tap_is "which is seen from outside" "$(inspect "vhost:$work/state" | head -n 3 | tail -n 2 | tr '\n' ' ')" \
    "state: committed vm: 11111111-2222-3333-4444-555555555555 "
out=$( (vmm run) 2>&1)
tap_is "it is not started cold" "$? $out" \
    "3 hawser-vmm: saved state: one waits to be restored; use restore, or give it up with --discard-state"
out=$( (vmm restore --memory 32M) 2>&1)
tap_is "nor restored with more memory" "$? ${out%%;*}" "3 hawser-vmm: state area: has 40 MiB, and 54 MiB are needed to save this VM"
out=$( (vmm restore --cpus 2) 2>&1)
tap_is "or with more processors" "$? ${out%%;*}" "3 hawser-vmm: saved state: is of a guest of another size"
begin restore
tap_check "restored, it goes on where it was" echoes two
tap_is "without booting anew" "$(grep -c hello out)" 0
unserve
tap_is "and its state is consumed" "$(inspect "file:$work/img?offset=4M&size=40M" | head -n 2 | tr '\n' ' ')" \
    "verdict: clean: nothing waits to be restored state: consumed "
tap_check "its server is killed: it goes on" echoes three
ctl save
tap_is "but it cannot be saved now" "$? $(cat ctl.out)" "1 hawser-vmm: save: the state area is not served; see hawser-lun"
serve 40M
tap_check "when the server is back" wait_until 30 ctl save-live downtime-ms=200
ended
tap_is "it is saved while it runs" "$STATUS" 15
tap_check "and all of it is right" inspect "vhost:$work/state" --verify
unserve
tap_check "also in the file" inspect "file:$work/img?offset=4M&size=40M" --verify
serve 40M
begin restore
tap_check "restored again" echoes four
ctl pause
ctl save
ended
tap_is "it is saved while it is paused, too" "$STATUS" 15
begin run --discard-state
tap_check "what waits is given up by order" says hello
printf '?' >&9
tap_check "it resets itself" wait_until 30 sh -c '[ "$(grep -c hello out)" -ge 2 ]'
tap_check "and can be saved still" wait_until 30 ctl save
ended
tap_is "with its status" "$STATUS" 15
begin restore
tap_check "and restored" echoes five
printf '~' >&9
ended
tap_is "until it switches itself off" "$STATUS" 0
out=$( (vmm restore) 2>&1)
tap_is "then there is nothing to restore" "$? $out" "3 hawser-vmm: saved state: there is none; start the VM with run"
tap_done
