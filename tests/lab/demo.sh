#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A takeover on a local SAN, told step by step: node 1 stalls with writes in flight, node 2 takes its LUN, node 1 wakes up
# and is shut out; then an old order, and a planned handover; then a Linux in QEMU whose LUN is taken while it writes. Everything happens in private namespaces and ends with them.
# Each claim is measured here; the first that does not hold ends the demonstration with exit status 1. Needs root.
# LAB_OWNER: the program that plays both nodes; the mutants beside it (test_demo.sh) must make the demonstration fail.
set -u

HW_TOP_SRCDIR=${HW_TOP_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
export HW_TOP_SRCDIR LAB_DISK_MIB=64
# shellcheck source=SCRIPTDIR/rig
. "$HW_TOP_SRCDIR/tests/lab/rig"
# shellcheck source=SCRIPTDIR/../host/hosts.sh
. "$HW_TOP_SRCDIR/tests/host/hosts.sh"
# shellcheck source=SCRIPTDIR/qemu
. "$HW_TOP_SRCDIR/tests/lab/qemu"

HAWSER=$HW_PLAIN_BUILDDIR/cli/hawser
LAB_OWNER=${LAB_OWNER:-$LAB_BIN/owner}
DELAY_MS=1500
# the guest's blocks: the first MiB of hawser-disk, in units of 512 bytes
LAB_DISK_FIRST=4096
LAB_DISK_COUNT=2048
# what tgtd lets pass by reservations (`hawser lun show`, "probe"); hawser never sends it
UNGUARDED=WRITESAME10,WRITESAME16,UNMAP
BOLD='' GREEN='' RED='' PLAIN=''

# --- words -----------------------------------------------------------------------------------------

step()
{
    printf '\n%s%s%s\n' "$BOLD" "$*" "$PLAIN"
}

say()
{
    printf '  %s\n' "$*"
}

kept()
{
    printf '  %sok%s  %s\n' "$GREEN" "$PLAIN" "$*"
}

die()
{
    printf '\n  %sNOT as promised%s: %s\n' "$RED" "$PLAIN" "$*" >&2
    tail -n 5 ./*.err ./*.events 2>/dev/null | sed 's/^/    /' >&2
    exit 1
}

# the rig's word for "this cannot run here"
tap_skip_all()
{
    printf 'demo: cannot run here: %s\n' "$1" >&2
    exit 1
}

ms()
{
    printf '%d.%d ms' $(($1 / 1000)) $(($1 % 1000 / 100))
}

# --- hawser's command line on a node ---------------------------------------------------------------

# hawser NODE STATUS WORDS...: shows the command and what it prints; it must end with this exit status
hawser()
{
    local node=$1 want=$2 status
    shift 2
    printf '  n%s$ %shawser %s%s\n' "$node" "$BOLD" "${*//"$URL"/\$LUN}" "$PLAIN" | sed "s/ --cluster $LAB_CLUSTER/ \$C/"
    ns_run "n$node" "$HAWSER" "$@" >out 2>&1 </dev/null
    status=$?
    sed -e "s|^iscsi://[^ ]*/1|\$LUN|; s|^hawser: iscsi://[^ ]*/1|hawser: \$LUN|" -e 's/^/      /' out
    [ "$status" -eq "$want" ] || die "exit status $status, not $want"
}

# owner_is TEXT: what the LUN itself tells a third node
owner_is()
{
    ns_run n3 "$HAWSER" lun show "$URL" >out 2>&1 || die "hawser lun show: $(cat out)"
    OWNER=$(sed -n 's/^ *owner  *//p' out)
    KEY=$(sed -n 's/^ *key  *\(0x[0-9a-f]*\).*/\1/p' out)
    [ "$OWNER" = "$1" ] || die "the LUN's owner is \"$OWNER\", not \"$1\""
}

# event NAME EVENT...: the next of these must be the first
event()
{
    local name=$1 wanted=$2
    shift
    proc_wait "$name" 20 "$@" || die "$name: no \"$wanted\" within 20 s"
    [ "$EVENT" = "$wanted" ] || die "$name: wanted \"$wanted\", got $LINE"
}

# number NAME: of the event in LINE
number()
{
    NUMBER=
    [[ $LINE =~ \"$1\":\ *([0-9]+) ]] && NUMBER=${BASH_REMATCH[1]}
    [ -n "$NUMBER" ] || die "no $1 in $LINE"
}

checker()
{
    local verb=$1
    shift
    "$LAB_BIN/checker" "$verb" disk1 "$@" --first "$LAB_DISK_FIRST" --count "$LAB_DISK_COUNT" >checked 2>&1
}

# --- the story -------------------------------------------------------------------------------------

prepare()
{
    step "1. A SAN and its LUN"
    lab_setup && san_start || die "the target does not start: $(tail -n 2 tgtd.log)"
    URL=$(url 1)
    OWNER_URL=$URL
    say "an iSCSI target and the nodes n1, n2, n3, all on this machine, in namespaces of their own"
    say "\$LUN is $URL"
    say "\$C is --cluster $LAB_CLUSTER"
    hawser 1 0 lun init "$URL" --max-memory 16M --cluster "$LAB_CLUSTER"
    hawser 3 0 lun show "$URL"
}

node_1_works()
{
    step "2. Node 1 owns the LUN, its guest writes without pause"
    shim_set node=1 permille=1000
    owner_start node-1 n1 1 16 --record --claim || die "node 1 does not start"
    event node-1 owned refused not-proven
    proc_say node-1 flood
    wait_until 20 shim_at_least landed 1000 || die "node 1 does not write"
    owner_is "node 1, generation 16"
    OLD_KEY=$KEY
    kept "the LUN says: $OWNER, key $KEY; $(shim_get landed) writes so far"
}

node_1_stalls()
{
    step "3. The target turns slow, and node 1 stalls with writes in flight (SIGSTOP)"
    shim_set mode=2 "delay_us=$((DELAY_MS * 1000))"
    wait_until 20 shim_at_least waiting 16 || die "no writes in flight"
    proc_signal node-1 STOP
    WAITING=$(shim_get waiting)
    [ "$WAITING" -ge 1 ] || die "no writes in flight"
    say "$WAITING writes of node 1 are inside the target and not yet on the disk (each takes $DELAY_MS ms)"
}

node_2_takes_over()
{
    local at_register verified opened waiting
    step "4. Node 2 is told to take over, under a higher generation"
    at_register=$(shim_get waiting)
    owner_start node-2 n2 2 32 --record || die "node 2 does not start"
    event node-2 owned refused not-proven
    waiting=$(shim_get waiting)
    LANDED=$(shim_get seen)
    checker save at-owned || die "the disk cannot be read"
    number takeover_us
    verified=$NUMBER
    number open_us
    opened=$NUMBER
    number generation
    GENERATION=$NUMBER
    say "REGISTER, PREEMPT of node 1's key, LUN RESET as a barrier, look again, record:"
    say "  REGISTER to verified   $(ms "$verified")   (the barrier waits for the old writes)"
    say "  REGISTER to gate open  $(ms "$opened")   (with the record written; now its guest may write)"
    owner_is "node 2, generation $GENERATION"
    say "  before   node 1, generation 16, key $OLD_KEY"
    say "  after    $OWNER, key $KEY"
    [ "$at_register" -ge 1 ] || die "nothing was in flight when the takeover began"
    [ "$waiting" -eq 0 ] || die "$waiting old writes were still under way when node 2 became the owner"
    kept "$at_register old writes were under way when it began, none when node 2 became the owner"
}

node_1_wakes_up()
{
    step "5. Node 1 continues as if nothing had happened (SIGCONT)"
    shim_set mode=0
    proc_signal node-1 CONT
    event node-1 lost
    kept "its hawser: ownership lost, the reservation was taken away; its guest's writes go nowhere"
    say "and if node 1 did not care? a program that writes with node 1's key and asks nobody:"
    adv_start rogue n1 1 16 1 --url "$URL" --no-own --pr-every 0 --without "$UNGUARDED" ||
        die "the rogue does not start"
    event rogue conflict
    checker diff at-owned || die "a block changed after node 2 became the owner: $(head -n 1 checked)"
    kept "the backing file, read outside iSCSI: unchanged since node 2 became the owner"
    proc_say node-2 fill
    event node-2 filled lost refused
    sleep 1
    proc_signal rogue TERM
    event rogue "done"
    refused_and_accepted
}

refused_and_accepted()
{
    local refused accepted
    refused=$(jq '[.ops[].conflict // 0] | add' <<<"$LINE")
    accepted=$(jq '[.ops[] | .good // 0] | add' <<<"$LINE")
    [ "$refused" -ge 1 ] || die "the rogue never tried"
    [ "$accepted" -eq 0 ] || die "the target took $accepted writes of the rogue"
    kept "$refused writes of node 1 refused by the target (RESERVATION CONFLICT), none accepted"
    checker fill-expect "2:$GENERATION" || die "a block that is not node 2's: $(head -n 1 checked)"
    [ "$(shim_get seen)" -eq "$LANDED" ] || die "a write of node 1 reached the disk after the takeover"
    kept "the backing file: $LAB_DISK_COUNT blocks written by node 2, every one is whole and node 2's: not one stale block"
}

stale_order()
{
    step "6. An order of an older generation arrives late"
    # shellcheck disable=SC2046 # words
    hawser 1 3 lun takeover "$URL" $(as 1 20)
    owner_is "node 2, generation $GENERATION"
    kept "refused with exit status 3; the LUN still says: $OWNER"
}

planned_handover()
{
    step "7. A planned handover: node 2 to node 1"
    proc_say node-2 verify
    event node-2 verified
    number foreign
    [ "$NUMBER" -eq 0 ] || die "node 2 read $NUMBER blocks that are not its own"
    proc_say node-2 quit
    event node-2 exited
    # shellcheck disable=SC2046 # words
    hawser 2 0 lun handover "$URL" --to 1 $(as 2 48)
    # shellcheck disable=SC2046
    hawser 1 0 lun takeover "$URL" $(as 1 64)
    owner_is "node 1, generation 64"
    checker fill-expect "2:$GENERATION" || die "the disk changed on the way: $(head -n 1 checked)"
    kept "node 1 owns it again, and finds the $LAB_DISK_COUNT blocks as node 2 left them"
    # shellcheck disable=SC2046
    hawser 1 0 lun release "$URL" $(as 1 64)
    hawser 3 0 lun show "$URL"
    owner_is nobody
}

# guest COMMAND: its output, in HOST_OUTPUT
guest()
{
    host_run q 30 "$1" || die "the guest does not answer: $(tail -n 3 "$HOSTS_DIR/q.console")"
}

serve_a_guest()
{
    step "8. A Linux guest: QEMU on node 1, its disk by hawser-lun"
    export TMPDIR=$PWD
    hosts_begin "$HW_PLAIN_BUILDDIR/tests/host/flood"
    printf '  n1$ %shawser lun serve $LUN $C --node 1 --generation 80%s\n' "$BOLD" "$PLAIN"
    # shellcheck disable=SC2046 # words
    (in_ns n1 "$HAWSER" lun serve "$URL" $(as 1 80) --directory "$PWD/serve") >serve.out 2>&1 </dev/null &
    SERVE_PID=$!
    wait_until 30 grep -q 'vhost-user-blk-pci' serve.out || die "$(tail -n 1 serve.out)"
    grep chardev serve.out | sed 's/^ */      /'
    guest_boot q "$PWD/serve/disk"
    host_ready q
    guest 'uname -sr'
    say "$HOST_OUTPUT runs in it, and writes without pause"
}

guest_loses_its_lun()
{
    local waiting seen old
    shim_set node=1 mode=1 permille=1000 "delay_us=$((DELAY_MS * 1000))"
    guest "flood /dev/vda 1 80 16 $LAB_DISK_FIRST >/run/flood 2>&1 & sleep 0.1"
    wait_until 30 shim_at_least waiting 8 || die "no write of the guest is under way"
    old=$(shim_get waiting)
    # shellcheck disable=SC2046
    hawser 2 0 lun takeover "$URL" $(as 2 112)
    waiting=$(shim_get waiting) seen=$(shim_get seen)
    checker save at-owned || die "the disk cannot be read"
    shim_set mode=0
    [ "$waiting" -eq 0 ] || die "$waiting writes of the guest were still under way when node 2 became the owner"
    kept "$old of its writes were under way when it began, none when node 2 became the owner"
    wait_until 30 grep -q 'lost:' serve.out || die "the server does not say that the LUN is lost: $(tail -n 1 serve.out)"
    say "n1: $(grep -m 1 'lost:' serve.out | sed 's|iscsi://[^ ]*/1|$LUN|' | cut -c 1-110)"
    sleep 1
    checker diff at-owned || die "a block changed after node 2 became the owner: $(head -n 1 checked)"
    [ "$(shim_get seen)" -eq "$seen" ] || die "a write of the guest reached the disk after the takeover"
    kept "the backing file: unchanged since node 2 became the owner, while the guest still wants to write"
    guest 'dmesg | grep -ciE "I/O error"; true'
    [ "$HOST_OUTPUT" = 0 ] || die "the guest was told an I/O error"
    kept "the guest waits; it was told no error"
    hosts_end
    kill -TERM "$SERVE_PID"
    wait "$SERVE_PID"
}

# The guest's kernel is got before the lab, which has no network; without it the story ends a step earlier.
if [ -z "${LAB_INSIDE-}" ]; then
    GUEST_MISSING=$("$HW_TOP_SRCDIR/tests/host/build-image" 2>&1 >/dev/null) && GUEST_MISSING=''
    export GUEST_MISSING
fi

main()
{
    [ ! -t 1 ] || BOLD=$'\e[1m' GREEN=$'\e[32m' RED=$'\e[31m' PLAIN=$'\e[0m'
    [ -x "$LAB_OWNER" ] || die "$LAB_OWNER is not built; ./bootstrap demo builds it"
    prepare
    node_1_works
    node_1_stalls
    node_2_takes_over
    node_1_wakes_up
    stale_order
    planned_handover
    if [ -z "$GUEST_MISSING" ]; then
        serve_a_guest
        guest_loses_its_lun
    else
        step "8. A Linux guest in QEMU is left out: $GUEST_MISSING"
    fi
    step "All as promised, in $SECONDS s. Nothing is left behind. The tests do this hundreds of times: make check-lab"
}

trap 'exit 130' INT
trap 'exit 143' TERM
lab_need jq
lab_enter "$@"
main
