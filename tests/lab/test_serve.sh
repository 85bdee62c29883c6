#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `hawser lun serve` over a real target, with hawser's own front end as its QEMU: served, killed and started again, also
# without its target, taken over by another node, also while nothing serves, released; and what it refuses.
set -u

HW_TOP_SRCDIR=${HW_TOP_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
# shellcheck source=SCRIPTDIR/rig
. "$HW_TOP_SRCDIR/tests/lab/rig"

HAWSER=$HW_PLAIN_BUILDDIR/cli/hawser
SERVE_PID=
FRONT_END_PID=

# serve NODE WORDS...: in the background; its output is in serve.out
serve()
{
    local node=$1
    shift
    : >serve.out
    (in_ns "$node" "$HAWSER" lun serve "$@" --directory "$PWD/serve") >serve.out 2>&1 </dev/null &
    SERVE_PID=$!
}

says()
{
    wait_until 30 grep -q -- "$1" serve.out
}

# serve_ends SIGNAL: sets STATUS
serve_ends()
{
    [ "$1" = none ] || kill "-$1" "$SERVE_PID"
    wait "$SERVE_PID"
    STATUS=$?
}

# serve_is_over SECONDS: it ends by itself; sets STATUS
serve_is_over()
{
    wait_until "$1" serve_is_gone || kill -KILL "$SERVE_PID"
    serve_ends none
}

serve_is_gone()
{
    ! kill -0 "$SERVE_PID" 2>/dev/null
}

# said COUNT PATTERN: at least so many lines say it
said()
{
    [ "$(grep -cE -- "$2" serve.out)" -ge "$1" ]
}

# server_pid: of hawser-lun, whose parent is the command
server_pid()
{
    pgrep -P "$SERVE_PID" -x hawser-lun
}

# serves [BUT]: the server passes requests, and is not the process BUT
serves()
{
    [ "$(server_pid)" != "${1-}" ] &&
        "$LAB_BIN/ask" "$PWD/serve/control" '{"command":"status"}' | grep -q '"gate": *"open"'
}

drive()
{
    timeout 60 "$LAB_BIN/vhdrive" "$PWD/serve/disk" "$1"
}

# attached: a front end that only connects; sets FRONT_END_PID
attached()
{
    perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; sleep 600' "$PWD/serve/disk" &
    FRONT_END_PID=$!
    says 'a QEMU connected'
}

show()
{
    ns_run n3 "$HAWSER" lun show "$url"
}

nobody_owns()
{
    [ "$(ns_run n3 "$HAWSER" lun show "$url" --json | jq -r '.owner.node // "nobody"')" = nobody ]
}

# refused NAME STATUS PATTERN WORDS...: one line, and the sockets' folder is gone again
refused()
{
    local name=$1 want=$2 pattern=$3
    shift 3
    ns_run n1 "$HAWSER" lun serve "$@" --directory "$PWD/refused" >refused.out 2>&1 </dev/null
    STATUS=$?
    if [ "$STATUS" -eq "$want" ] && grep -qE -- "$pattern" refused.out && [ ! -e refused ]; then
        tap_ok "$name"
    else
        tap_not_ok "$name" "exit status $STATUS, wanted $want and /$pattern/
$(cat refused.out)"
    fi
}

a_file()
{
    truncate -s 8M file.img
    serve n1 "file:$PWD/file.img"
    tap_check "a file is served, and the lines for a QEMU are printed" says 'vhost-user-blk-pci,chardev=hawser0'
    tap_check "libvirt's too" says "<source type='unix' path='$PWD/serve/disk'>"
    tap_check "what is served of it, and how to end it" says 'serves the whole file; Ctrl-C ends it$'
    tap_check "a front end drives it" drive 16384
    tap_check "it came" says "^$PWD/serve/disk: a QEMU connected"
    tap_check "it is gone" says "^$PWD/serve/disk: a QEMU is gone"
    tap_is "a second one of the same folder is refused" \
        "$(ns_run n1 "$HAWSER" lun serve "file:$PWD/file.img" --directory "$PWD/serve" 2>&1)" \
        "hawser: $PWD/serve: is used by another 'hawser lun serve'; name another one with --directory"
    refused "a second one of the same file" 3 'acts on it on this host' "file:$PWD/file.img"
    serve_ends TERM
    tap_is "it ends in order, and leaves nothing" "$STATUS $([ -e serve ] && echo left)" "0 "
    : >no-directory
    tap_is "a --directory that is none" \
        "$(ns_run n1 "$HAWSER" lun serve "file:$PWD/file.img" --directory "$PWD/no-directory" 2>&1)" \
        "hawser: $PWD/no-directory: cannot be used: Not a directory; name a directory with --directory"
    refused "a file that is not there" 1 'cannot be opened|No such file|does not exist' "file:$PWD/none.img"
}

# More sessions are lost than a block has generations.
uses_up()
{
    local drop before
    for ((drop = 0; drop < 20; drop++)); do
        before=$(grep -c 'open: requests pass' serve.out)
        conn_drop n1
        wait_until 30 opened_again "$before" || break
    done
    tap_is "20 times its sessions are lost: it owns the LUN each time" "$drop" 20
    tap_is "why is told each time" \
        "$(grep -c 'suspended: ' serve.out)" "$(grep -cE 'suspended: the target cannot be reached: .' serve.out)"
    tap_check "with a second block of generations" says 'goes on with generation 32'
}

opened_again()
{
    [ "$(grep -c 'open: requests pass' serve.out)" -gt "$1" ]
}

# Signals that end it: two at once are one, the second one after a while does not wait.
signals()
{
    # shellcheck disable=SC2046
    serve n1 "$url" $(as 1 240)
    says 'vhost-user-blk-pci'
    kill -INT "$SERVE_PID"
    serve_ends INT
    tap_is "two signals at once are one: it ends in order" "$STATUS" 0
    tap_check "and has released the LUN" nobody_owns
    # shellcheck disable=SC2046
    serve n1 "$url" $(as 1 272)
    says 'vhost-user-blk-pci'
    kill -STOP "$TGT_PID"
    kill -INT "$SERVE_PID"
    tap_check "the target hangs: what a second one does is told" says 'Ctrl-C once more ends it at once'
    serve_ends INT
    kill -CONT "$TGT_PID"
    tap_is "while the target hangs a second one does not wait" "$STATUS $(grep -c 'is not released, as wished: it stays claimed; ' serve.out)" "1 1"
    show >show.out 2>&1
    tap_check "and leaves it claimed" grep -q 'node 1' show.out
}

# The block is used up, and somebody else owned the LUN before the next one is taken: nothing goes on.
owned_in_between()
{
    local before
    # shellcheck disable=SC2046
    serve n1 "$url" $(as 1 128)
    says 'vhost-user-blk-pci'
    kill -STOP "$SERVE_PID"
    while wait_until 3 conn_drop n1; do :; done
    show >show.out 2>&1
    tap_check "its block is used up while it stands still" grep -q 'generation 143' show.out
    # shellcheck disable=SC2046
    {
        ns_run n2 "$HAWSER" lun takeover "$url" $(as 2 144) >/dev/null 2>&1
        ns_run n2 "$HAWSER" lun release "$url" $(as 2 160) >/dev/null 2>&1
    }
    before=$(sha256sum <disk1)
    kill -CONT "$SERVE_PID"
    tap_check "another node owned the LUN meanwhile: it is lost, not claimed anew" says 'lost: .*taken away'
    tap_is "nothing is written any more" "$(sha256sum <disk1)" "$before"
    tap_check "and nobody owns it" nobody_owns
    kill -KILL "$(server_pid)"
    serve_is_over 20
    tap_is "its server dies: it is not started again" "$STATUS $(grep -c '^hawser: .*was taken over' serve.out)" "3 1"
}

# What goes on and on is told once in a while.
target_deleted()
{
    # shellcheck disable=SC2046
    serve n1 "$url" $(as 1 288)
    says 'vhost-user-blk-pci'
    tgt --op delete --force --mode target --tid 1
    says 'held-up: '
    sleep 3 # what is measured: how often it is told meanwhile
    tap_is "its target is deleted: no line is told twice in 10 s" "$(grep 'held-up: ' serve.out | sort | uniq -d)" ''
    tap_is "nor ends in a line feed that is spelled" "$(grep -c 'x0a' serve.out)" 0
    kill -INT "$SERVE_PID"
    tap_check "what a second signal does is told" says 'Ctrl-C once more ends it at once'
    serve_ends TERM
    tap_is "and it does so" "$STATUS" 1
    san_kill_restart
}

# A server that finds no target: tried again until there is one, or nobody wants it any more.
without_its_target()
{
    local pid
    # shellcheck disable=SC2046
    serve n1 "$url" $(as 1 304)
    says 'vhost-user-blk-pci'
    pid=$(server_pid)
    san_stop
    kill -KILL "$pid"
    tap_check "its server dies, and the target is away: it is tried again, and again" \
        wait_until 30 said 3 'ended \(status [15]\): started again in [0-9.]+ s'
    tap_check "why is said, with a remedy" says 'cannot be reached: .*; check that the target is up'
    san_daemon && san_targets
    tap_check "the target is back: it serves again" wait_until 30 serves "$pid"
    damaged_record
    net_cut n1
    kill -KILL "$(server_pid)"
    tap_check "the network is cut, too" says '10.77.0.100:3260: no answer; check'
    kill -INT "$SERVE_PID"
    serve_is_over 20
    tap_is "nobody wants it any more: it ends, and says that the LUN stays claimed" \
        "$STATUS $(grep -c 'stays claimed; see its owner' serve.out)" "1 1"
    net_heal n1
    show >show.out 2>&1
    tap_check "as it does" grep -q 'node 1' show.out
}

# What the server is told to be unable for, not by its end: no copy of the record can be read for a while.
damaged_record()
{
    local at=256
    kill -STOP "$SERVE_PID"
    kill -KILL "$(server_pid)"
    dd if=disk1 of=record bs=4096 skip="$at" count=2 status=none
    tr '\0-\377' '\377' <record | dd of=disk1 bs=4096 seek="$at" conv=notrunc status=none
    kill -CONT "$SERVE_PID"
    tap_check "no ownership record can be read: it is tried again, and again" \
        wait_until 30 said 2 '^hawser: .*no copy of the ownership record can be read.*; see what is left'
    kill -STOP "$SERVE_PID"
    dd if=record of=disk1 bs=4096 seek="$at" conv=notrunc status=none
    kill -CONT "$SERVE_PID"
    tap_check "it can: it owns the LUN again" wait_until 30 serves
}

# While nothing serves another node becomes the owner: it stays that.
taken_over_meanwhile()
{
    local pid
    # shellcheck disable=SC2046
    {
        ns_run n2 "$HAWSER" lun takeover "$url" $(as 2 336) >/dev/null 2>&1
        serve n1 "$url" $(as 1 368) --takeover
    }
    says 'vhost-user-blk-pci'
    pid=$(server_pid)
    kill -KILL "$pid"
    tap_check "what was taken over is served again when its server dies" wait_until 30 serves "$pid"
    tap_is "by one that takes nothing over" "$(tr '\0' '\n' <"/proc/$(server_pid)/cmdline" | grep -cx -- --takeover)" 0
    kill -STOP "$SERVE_PID"
    kill -KILL "$(server_pid)"
    # shellcheck disable=SC2046
    tap_check "nothing serves: another node takes the LUN over" ns_run n2 "$HAWSER" lun takeover "$url" $(as 2 400)
    kill -CONT "$SERVE_PID"
    serve_is_over 20
    tap_is "it says by whom, and ends" \
        "$STATUS $(grep -c '^hawser: .*was taken over by .*(node 2, generation 400).*; stop its QEMU here' serve.out)" "3 1"
    show >show.out 2>&1
    tap_check "and leaves the LUN to it" grep -q 'node 2' show.out
    # shellcheck disable=SC2046
    ns_run n2 "$HAWSER" lun release "$url" $(as 2 416) >/dev/null 2>&1
}

a_shared_lun()
{
    local sectors pid
    ns_run n1 "$HAWSER" lun init "$url" --max-memory 16M --cluster "$LAB_CLUSTER" >init.out 2>&1
    tap_is "the LUN is laid out" "$?" 0
    kill -STOP "$TGT_PID"
    # shellcheck disable=SC2046
    refused "a target that hangs" 5 'no answer' "$url" $(as 1 16)
    kill -CONT "$TGT_PID"
    refused "nobody says who acts" 3 'no --cluster --node --generation' "$url"
    # shellcheck disable=SC2046
    serve n1 "$url" $(as 1 16)
    tap_check "it is served" says 'vhost-user-blk-pci'
    sectors=$(ns_run n3 "$HAWSER" lun show "$url" --json | jq -r '.areas.disk.bytes // empty')
    : "${sectors:=$(sgdisk -i 2 -p disk1 2>/dev/null | awk '/Partition size/ { print $3 * 512 }')}"
    tap_check "what is served of it, and how to end it" says 'serves its guest disk (#disk); Ctrl-C ends it and releases'
    tap_check "that it is owned and open is told, whenever it was" \
        test "$(grep -c ': owned, generation 16, key 0xc7' serve.out) $(grep -c ': open: requests pass' serve.out)" = '1 1'
    tap_is "every line says something" "$(grep -c ': $' serve.out)" 0
    tap_is "nothing waits behind 'owned'" "$(sed '1,/: owned,/d' serve.out | grep -c 'requests wait')" 0
    tap_check "a front end drives it" drive $((sectors / 512))
    show >show.out 2>&1
    tap_check "its owner is seen" grep -q 'node 1' show.out
    # shellcheck disable=SC2046
    refused "another node's serve" 3 'node 1.*; --takeover takes it away' "$url" $(as 2 32)
    pid=$(server_pid)
    kill -KILL "$pid"
    tap_check "it dies and is started again" says 'hawser-lun ended (signal 9): started again'
    tap_check "and serves again" wait_until 30 drive $((sectors / 512))
    tap_check "and says so" says ': serves again$'
    uses_up
    tap_check "and serves on" wait_until 30 drive $((sectors / 512))
    # shellcheck disable=SC2046
    tap_check "another node takes the LUN over" ns_run n2 "$HAWSER" lun takeover "$url" $(as 2 64)
    tap_check "that is told" says 'lost:'
    tap_comment "$(tail -n 3 serve.out | tr '\n' ' ')"
    tap_check "a release of what is not owned says what to do" \
        grep -q '"remedy": *"see their owner' <("$LAB_BIN/ask" "$PWD/serve/control" '{"command":"release"}')
    serve_ends TERM
    tap_is "stopped, it ends with that" \
        "$STATUS $(grep -c '^hawser: .*was taken over by .*(node 2, generation 64)' serve.out)" "3 1"
    show >show.out 2>&1
    tap_check "the new owner keeps it" grep -q 'node 2' show.out
    # shellcheck disable=SC2046
    ns_run n2 "$HAWSER" lun release "$url" $(as 2 80) >/dev/null 2>&1
    # shellcheck disable=SC2046
    serve n1 "$url" $(as 1 96)
    says 'vhost-user-blk-pci'
    attached
    serve_ends TERM
    kill "$FRONT_END_PID"
    tap_is "stopped, it releases the LUN" "$STATUS $(grep -c ': released$' serve.out)" "0 1"
    tap_check "and says that a QEMU is still attached" \
        grep -q 'a QEMU is still attached: stop it: it must not go on when another node has had the LUN' serve.out
    tap_check "nobody owns it then" nobody_owns
}

# No server is there when it is to end: one is started once more, since the LUN is claimed until somebody releases it.
ends_without_a_server()
{
    # shellcheck disable=SC2046
    serve n1 "$url" $(as 1 592)
    says 'vhost-user-blk-pci'
    kill -KILL "$(server_pid)"
    says 'started again in'
    kill -INT "$SERVE_PID" # in the gap, or while the next one is on its way to the LUN
    serve_is_over 30
    tap_is "its server is dead when it is ended: it releases the LUN all the same" \
        "$STATUS $(grep -c ': released$' serve.out)" "0 1"
    tap_check "nobody owns it then" nobody_owns
    # shellcheck disable=SC2046
    serve n1 "$url" $(as 1 608)
    says 'vhost-user-blk-pci'
    kill -STOP "$SERVE_PID"
    kill -KILL "$(server_pid)"
    kill -INT "$SERVE_PID"
    kill -CONT "$SERVE_PID"
    serve_is_over 30
    tap_is "both at once: the same" "$STATUS $(grep -c ': released$' serve.out)" "0 1"
    # shellcheck disable=SC2046
    serve n1 "$url" $(as 1 624)
    says 'vhost-user-blk-pci'
    kill -STOP "$TGT_PID"
    kill -INT "$SERVE_PID"
    says 'Ctrl-C once more ends it at once'
    kill -KILL "$(server_pid)"
    kill -CONT "$TGT_PID"
    serve_is_over 30
    tap_is "it dies over the release: another one does it" "$STATUS $(grep -c ': released$' serve.out)" "0 1"
    tap_check "nobody owns it then, either" nobody_owns
}

# stays: its guest is there, and its writes are answered anew
goes_on()
{
    local before
    before=$(wc -l <stay.out)
    wait_until 20 more_than "$before" stay.out
}

# stale_is COUNT: so many guests of the disk are of before
stale_is()
{
    [ "$("$LAB_BIN/ask" "$PWD/serve/control" '{"command":"statistics"}' | jq '.disks[0].stale')" = "$1" ]
}

more_than()
{
    [ "$(wc -l <"$2")" -gt "$1" ]
}

# A guest that nobody stopped: it goes on when its LUN comes back to this node, not when another node had it meanwhile.
of_before()
{
    local sectors guest before
    sectors=$(sgdisk -i 2 disk1 | awk '/Partition size/ { print $3 }')
    # shellcheck disable=SC2046
    serve n1 "$url" $(as 1 512)
    says 'open: requests pass'
    "$LAB_BIN/vhdrive" "$PWD/serve/disk" "$sectors" stay >stay.out 2>&1 &
    guest=$!
    tap_check "a guest writes" goes_on
    serve_ends TERM
    # shellcheck disable=SC2046
    serve n1 "$url" $(as 1 528)
    tap_check "its LUN was given up and is back: it goes on" goes_on
    serve_ends TERM
    # shellcheck disable=SC2046
    {
        ns_run n2 "$HAWSER" lun claim "$url" $(as 2 544) >/dev/null 2>&1
        dd if=/dev/urandom of=disk1 bs=1M seek=2 count=1 conv=notrunc status=none # what that node wrote
        ns_run n2 "$HAWSER" lun release "$url" $(as 2 560) >/dev/null 2>&1
        before=$(head -c 4M disk1 | tail -c 2M | sha256sum)
        serve n1 "$url" $(as 1 576)
    }
    tap_check "another node had it: the guest of before is told of" says 'ran before another node or a tool had the LUN'
    tap_check "and counted" wait_until 20 stale_is 1
    tap_is "it writes nothing" "$(head -c 4M disk1 | tail -c 2M | sha256sum)" "$before"
    kill "$guest"
    wait "$guest" 2>/dev/null
    tap_check "one that is started anew may" wait_until 20 drive "$sectors"
    serve_ends TERM
}

# Ctrl-C when a block is used up and the next one is not claimed yet.
ends_between_blocks()
{
    # shellcheck disable=SC2046
    serve n1 "$url" $(as 1 640)
    says 'vhost-user-blk-pci'
    kill -STOP "$SERVE_PID"
    while wait_until 3 conn_drop n1; do :; done
    kill -STOP "$TGT_PID"
    kill -CONT "$SERVE_PID"
    tap_check "the next block is asked for, and the target hangs" says 'goes on with generation 656'
    kill -INT "$SERVE_PID"
    says 'Ctrl-C once more ends it at once'
    kill -CONT "$TGT_PID"
    serve_is_over 60
    tap_is "ended there, it ends in order" "$STATUS" 0
    tap_check "and releases the LUN as soon as it has it" nobody_owns
}

main()
{
    lab_need sgdisk jq pgrep perl
    lab_begin 64 "$@"
    url=$(url 1)
    a_file
    a_shared_lun
    owned_in_between
    signals
    target_deleted
    without_its_target
    taken_over_meanwhile
    of_before
    ends_without_a_server
    ends_between_blocks
    tap_done
}

main "$@"
