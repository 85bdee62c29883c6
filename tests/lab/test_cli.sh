#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `hawser lun` over a real target: what an admin does in order, then everything that can be wrong. Each wrong input
# gives one line on stderr, with object, reason and remedy, the exit status of cli.md, and leaves every disk as it was.
set -u

HW_TOP_SRCDIR=${HW_TOP_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
export HW_TOP_SRCDIR
# shellcheck source=SCRIPTDIR/rig
. "$HW_TOP_SRCDIR/tests/lab/rig"

HAWSER=$HW_PLAIN_BUILDDIR/cli/hawser
OTHER=00000000-0000-4000-8000-000000000001
NODE=n1
MEMORY='--max-memory 16M'

# hawser WORDS: runs it on $NODE; sets STATUS, and leaves stdout and stderr in files
hawser()
{
    ns_run "$NODE" "$HAWSER" "$@" >stdout 2>stderr </dev/null
    STATUS=$?
}

disks()
{
    cksum disk1 disk5 disk-chap disk-mutual readonly small image 2>/dev/null
}

# good NAME PATTERN WORDS...: must end with 0, stdout must match
good()
{
    local name=$1 pattern=$2
    shift 2
    hawser "$@"
    if [ "$STATUS" -eq 0 ] && grep -qE -- "$pattern" stdout; then
        tap_ok "$name"
    else
        tap_not_ok "$name" "exit status $STATUS, wanted 0 and /$pattern/: hawser $*
$(cat stdout stderr)"
    fi
}

# bad NAME STATUS PATTERN WORDS...: one line "hawser: object: reason; remedy" that matches, nothing on stdout, this
# exit status, and no disk changed
bad()
{
    local name=$1 want=$2 pattern=$3 before why=''
    shift 3
    before=$(disks)
    hawser "$@"
    [ "$STATUS" -eq "$want" ] || why="exit status $STATUS, wanted $want"
    [ "$(wc -l <stderr)" -eq 1 ] || why="$why; not one line on stderr"
    grep -qE '^hawser: [^ ].*: .+; .+' stderr || why="$why; not object, reason and remedy"
    grep -qE -- "$pattern" stderr || why="$why; does not match /$pattern/"
    [ ! -s stdout ] || why="$why; something on stdout"
    [ "$before" = "$(disks)" ] || why="$why; a disk was changed"
    if [ -z "$why" ]; then
        tap_ok "$name"
    else
        tap_not_ok "$name" "${why#; }: hawser $*
$(cat stdout stderr)"
    fi
}

# json NAME FILTER WORDS...: hawser WORDS --json is one JSON value of which FILTER is true
json()
{
    local name=$1 filter=$2
    shift 2
    hawser "$@" --json
    if jq -es "length == 1 and (.[0] | $filter)" stdout >/dev/null 2>jq.err; then
        tap_ok "$name"
    else
        tap_not_ok "$name" "not so: $filter: hawser $* --json
$(cat stdout stderr jq.err)"
    fi
}

secrets()
{
    (umask 077 && printf 'user labuser\npassword labsecret-12\n' >secret &&
        printf 'user labuser\npassword wrongsecret-1\n' >wrong)
    cp secret open && chmod 644 open
}

admin_in_order()
{
    local url
    url=$(url 1)
    good "an empty portal's LUNs are listed" 'san/1 .* IET .* empty' lun scan "$LAB_IP"
    json "scan as JSON" 'type == "array" and ([.[] | select(.url | endswith("san/1"))][0].facts.capacity_bytes > 0)' \
        lun scan "$LAB_IP"
    # shellcheck disable=SC2086 # words
    good "init" 'laid out: disk .* 38 MiB reserved' lun init "$url" $MEMORY --cluster "$LAB_CLUSTER"
    tap_check "other tools read its table" sgdisk -v disk1
    good "show" 'saved state +38 MiB reserved' lun show "$url"
    good "the probe found what is known of tgtd" 'reservations hold, discards pass by' lun show "$url"
    json "show as JSON" '.layout.copies == "both" and .record.state == "free" and .owner.text == "nobody"
        and .description.max_memory_bytes == 16777216 and (.keys | length) == 0' lun show "$url"
    good "verify" 'ok +layout +both copies' lun verify "$url"
    # shellcheck disable=SC2046 # words
    good "verify --probe" 'kept-out' lun verify "$url" --probe $(as 1 1)
    bad "a size without a unit" 2 'name a unit, e.g. 64M' lun init "$url" --max-memory 64 --cluster "$LAB_CLUSTER"
    head -c 5000001 /dev/urandom >image
    # shellcheck disable=SC2046
    good "import" 'imported .* read back' lun import "$url" image $(as 1 20)
    tap_check "the image is in the guest disk" cmp -n 5000001 -i 0:2097152 image disk1
    json "the history tells it" '.record.state == "free" and (.history | length) >= 3 and .history[0].node == 1' \
        lun show "$url"
    # shellcheck disable=SC2046
    good "claim" 'claimed, node 1, generation 40' lun claim "$url" $(as 1 40)
    # shellcheck disable=SC2046
    good "claim again by the same node goes behind its own key" 'generation 41' lun claim "$url" $(as 1 40)
    NODE=n2
    good "another node sees the owner" 'owner +node 1, generation 41' lun show "$url"
    good "list" 'owner node 1, generation 41' lun list "$url"
    json "verify as JSON, from beside" '.bad == 0 and ([.checks[] | select(.check == "layout")][0].result == "watch")' \
        lun verify "$url"
    # shellcheck disable=SC2046
    bad "claim of an owned LUN" 3 'another node owns the LUN.*lun takeover' lun claim "$url" $(as 2 60)
    # shellcheck disable=SC2046
    bad "release of another's LUN" 3 'node 2 does not own it: node 1 does .generation 41.; release it on node 1' lun release "$url" $(as 2 60)
    # shellcheck disable=SC2046
    bad "takeover with a stale generation" 3 'stale' lun takeover "$url" $(as 2 30)
    # shellcheck disable=SC2086
    bad "init of an owned LUN" 3 'node 1 owns it .generation 41.; release it first' \
        lun init "$url" $MEMORY --cluster "$LAB_CLUSTER"
    # shellcheck disable=SC2086
    bad "init --force of an owned LUN" 3 'node 1 owns it .generation 41.; release it first' \
        lun init "$url" $MEMORY --cluster "$LAB_CLUSTER" --force --generation 5000
    # shellcheck disable=SC2046
    bad "probe of an owned LUN" 3 'node 1 owns it .generation 41.; release it first' \
        lun verify "$url" --probe $(as 2 60)
    # shellcheck disable=SC2046
    bad "import into another's LUN" 3 'reserved by another node' lun import "$url" image $(as 2 60)
    bad "bench of another's LUN" 3 'reserved by another node' lun bench "$url" --seconds 1
    # shellcheck disable=SC2046
    good "takeover" 'taken over, node 2, generation 60' lun takeover "$url" $(as 2 60)
    # shellcheck disable=SC2046
    good "handover" 'ready to be taken over by node 1' lun handover "$url" --to 1 $(as 2 60)
    NODE=n1
    # shellcheck disable=SC2046
    json "takeover by the node it was handed to" '.result == "taken over" and .generation == 80' \
        lun takeover "$url" $(as 1 80)
    # shellcheck disable=SC2046
    good "release" 'released' lun release "$url" $(as 1 80)
    good "the history tells to whom it was handed" 'handed over to node 1 by node 2' lun show "$url"
    # shellcheck disable=SC2046
    bad "a stale claim of a free LUN names the generation to beat" 3 'stale: generation 8[01] was there; use a higher' \
        lun claim "$url" $(as 1 50)
    # shellcheck disable=SC2046
    bad "release of what nobody owns" 3 'node 1 does not own it' lun release "$url" $(as 1 80)
    json "bench reads" '.results | length == 2' lun bench "$url" --seconds 1
    # shellcheck disable=SC2046
    json "bench writes under ownership" '.results | length == 4' lun bench "$url" --seconds 1 --write $(as 1 100)
    alive
    robbed
    handed_to_another
    printf '# all\n%s\n\n' "$url" >list
    ns_run "$NODE" "$HAWSER" lun list "$url" --json >/dev/full 2>stderr
    tap_is "JSON that cannot be written is told as such" "$? $(cat stderr)" \
        "1 hawser: standard output: could not be written; see where it goes to"
    json "list from a file" 'length == 1 and .[0].record.state == "free"' lun list --from list
}

# what node 1 owns is not laid out anew by node 1 either; what it handed to node 3 is no secret from node 2
handed_to_another()
{
    # shellcheck disable=SC2046
    good "claim, to be handed over" 'claimed' lun claim "$url" $(as 1 200)
    # shellcheck disable=SC2046,SC2086
    hawser lun init "$url" $MEMORY --force $(as 1 216)
    tap_is "init --force by its own node" "$STATUS $(grep -c 'node 1 owns it .*; release it first' stderr)" "3 1"
    # shellcheck disable=SC2046
    good "handover to node 3" 'ready to be taken over by node 3' lun handover "$url" --to 3 $(as 1 232)
    NODE=n2
    # shellcheck disable=SC2046
    bad "claim by another node says what else may be" 3 'if it was handed over to this node' lun claim "$url" $(as 2 248)
    # shellcheck disable=SC2046
    hawser lun takeover "$url" $(as 2 248)
    tap_is "takeover by another node is told for whom it was" \
        "$STATUS $(grep -c 'warning: node 1 had handed it over to node 3, not to node 2; ' stderr)" "0 1"
    # shellcheck disable=SC2046
    good "handover back" 'ready to be taken over by node 1' lun handover "$url" --to 1 $(as 2 248)
    san_stop
    san_daemon && san_targets
    NODE=n3
    # shellcheck disable=SC2086
    bad "init --force of what is owned by its record" 3 'node 2 owns it .generation 2[0-9]+.; release it first' \
        lun init "$url" $MEMORY --cluster "$LAB_CLUSTER" --force
    # shellcheck disable=SC2046
    bad "probe of what is owned by its record" 3 'node 2 owns it by its record.*; release it first' \
        lun verify "$url" --probe $(as 3 280)
    good "the target forgets the reservation: show says to whom" 'owner +handed over to node 1 by node 2' lun show "$url"
    # shellcheck disable=SC2046
    bad "and so does a third node's claim" 3 'handed over to node 1 by node 2' lun claim "$url" $(as 3 280)
    NODE=n1
    # shellcheck disable=SC2046
    good "the one that it was handed to claims it" 'claimed, node 1' lun claim "$url" $(as 1 280)
    # shellcheck disable=SC2046
    good "and releases it" 'released' lun release "$url" $(as 1 280)
}

# a process of this node that owns the LUN is not robbed by another one of the same node
alive()
{
    local bench verb
    # shellcheck disable=SC2046
    ns_run "$NODE" "$HAWSER" lun bench "$url" --seconds 2 --write $(as 1 120) >bench.txt 2>&1 </dev/null &
    bench=$!
    wait_until 20 holds_it || tap_not_ok "bench owns the LUN" "$(cat bench.txt)"
    for verb in claim release; do
        # shellcheck disable=SC2046
        hawser lun "$verb" "$url" $(as 1 140)
        if [ "$STATUS" -eq 3 ] && grep -qE 'process [0-9]+ .hawser. of this node acts on it' stderr; then
            tap_ok "$verb beside a living owner of this node"
        else
            tap_not_ok "$verb beside a living owner of this node" "exit status $STATUS: $(cat stdout stderr)"
        fi
    done
    tap_check "it is named by URL and by WWID" \
        [ "$(ns_run "$NODE" grep -o '@hawser/.*' /proc/net/unix | sort -u | wc -l)" -eq 2 ]
    good "the layout of a held LUN is not called broken" 'layout +not readable while another' lun show "$url"
    wait "$bench"
    tap_check "the living owner goes on to its end" [ "$?" -eq 0 ]
}

# an owner that is robbed by another node says so, and does not wait for what will not come
robbed()
{
    local bench status
    # shellcheck disable=SC2046
    ns_run n1 "$HAWSER" lun bench "$url" --seconds 10 --write $(as 1 160) >robbed.txt 2>&1 </dev/null &
    bench=$!
    wait_until 20 holds_it || tap_not_ok "bench owns the LUN" "$(cat robbed.txt)"
    NODE=n2
    # shellcheck disable=SC2046
    good "takeover from a working owner" 'taken over, node 2' lun takeover "$url" $(as 2 180)
    SECONDS=0
    wait "$bench"
    status=$?
    if [ "$status" -eq 3 ] && [ "$SECONDS" -lt 10 ] &&
        grep -qE '^hawser: .*(reserved by another node|reservation was taken away|newer generation).*; .+' robbed.txt; then
        tap_ok "the robbed one says so"
    else
        tap_not_ok "the robbed one says so" "exit status $status after $SECONDS s: $(cat robbed.txt)"
    fi
    # shellcheck disable=SC2046
    good "and the new owner gives it up" 'released' lun release "$url" $(as 2 180)
    NODE=n1
}

holds_it()
{
    hawser lun list "$url"
    grep -q 'owner node 1' stdout
}

wrong_words()
{
    local url
    url=$(url 1)
    bad "no such verb" 2 'lunch' lunch
    bad "a URL of no scheme" 2 'nonsense' lun show nonsense
    bad "a password in the URL" 2 'secret-file' lun show "iscsi://user%pass@$LAB_IP/$LAB_IQN/1"
    bad "a part of a LUN" 2 'names a part' lun show "$url#disk"
    bad "a time-out that is none" 2 'timeout' lun show "$url" --timeout soon
    bad "a node number that is none" 2 'node' lun claim "$url" --cluster "$LAB_CLUSTER" --node 0 --generation 1
    bad "a cluster that is no UUID" 2 'is not a UUID' lun claim "$url" --cluster lab --node 1 --generation 1
    bad "a generation beyond the last" 2 'generation' lun claim "$url" --cluster "$LAB_CLUSTER" --node 1 --generation 16777216
    bad "nobody says who acts" 3 'clusterd is not part of this version yet.*--cluster' lun claim "$url"
    bad "init for no cluster" 3 'which cluster' lun init "$url" --max-memory 16M
    bad "init without a size" 2 'max-memory.*missing' lun init "$url" --cluster "$LAB_CLUSTER"
    bad "list of nothing" 2 'no LUN is named' lun list
    bad "a block device that is not there" 1 'nonexist: .*; check the path' lun show block:/dev/nonexist
    bad "no such file of a secret" 1 'name a file that is there' lun show "$url" --secret-file /nope
    bad "no such list" 1 'name a file that is there' lun list --from /nonexist
    bad "scan of no portal" 2 'is not a portal' lun scan "$url"
    # shellcheck disable=SC2046
    bad "import of no file" 1 'missing.*cannot be read' lun import "$url" missing $(as 1 200)
    mkfifo pipe
    # shellcheck disable=SC2046
    bad "import of a pipe that nobody writes to" 2 'is not a regular file' lun import "$url" pipe $(as 1 200)
    # shellcheck disable=SC2046
    bad "handover to nobody" 2 'missing' lun handover "$url" $(as 1 200)
}

# a wait is told of, and a signal ends it at once, whatever the target does
says_what_it_waits_for()
{
    local pid status
    (in_ns n1 "$HAWSER" lun show "$(url 5)" --timeout 10m) >waits.out 2>&1 </dev/null &
    pid=$!
    wait_until 20 grep -q 'waits for the answer of its target, at most 600 s; Ctrl-C ends it' waits.out
    tap_check "a wait says what for and how long" test $? -eq 0
    kill -TERM "$pid" 2>/dev/null # a shell's background job ignores INT
    wait "$pid"
    status=$?
    tap_check "a wait ends when it is told to" test "$status" -gt 128
}

wrong_places()
{
    bad "a portal that does not answer" 5 'no answer' lun show "iscsi://10.77.0.99/$LAB_IQN/1" --timeout 700ms
    bad "scan of a portal that does not answer" 5 'no answer' lun scan 10.77.0.99 --timeout 700ms
    bad "a port that nobody listens on" 1 'connection refused' lun show "iscsi://$LAB_IP:3261/$LAB_IQN/1"
    bad "scan of a port that nobody listens on" 1 'refused' lun scan "$LAB_IP:3261"
    bad "no such target" 1 'target not found' lun show "iscsi://$LAB_IP/$LAB_IQN-none/1"
    bad "no such LUN" 1 'does not exist' lun show "$(url 77)"
    bad "no secret" 1 'asks for a secret' lun show "iscsi://$LAB_IP/$LAB_IQN-chap/1"
    bad "a wrong secret" 1 'wrong user or secret' lun show "iscsi://$LAB_IP/$LAB_IQN-chap/1" --secret-file wrong
    bad "a secret that others may read" 3 'open: .*chmod' lun show "iscsi://$LAB_IP/$LAB_IQN-chap/1" --secret-file open
    good "the right secret" 'holds no hawser layout' lun show "iscsi://$LAB_IP/$LAB_IQN-chap/1" --secret-file secret
    san_offline
    bad "a target that is offline" 1 'Target error' lun show "$(url 5)"
    san_ready
    kill -STOP "$TGT_PID"
    bad "a target that hangs" 5 'no answer' lun show "$(url 5)" --timeout 700ms
    says_what_it_waits_for
    kill -CONT "$TGT_PID"
    wait_until 20 tgt_listens
}

wrong_luns()
{
    # shellcheck disable=SC2086
    bad "a LUN too small" 3 'too small: it has 64 KiB, and needs 41 MiB' lun init "$(url 2)" $MEMORY --cluster "$LAB_CLUSTER"
    # shellcheck disable=SC2086
    bad "a read-only LUN" 3 'read-only' lun init "$(url 3)" $MEMORY --cluster "$LAB_CLUSTER"
    bad "a state area larger than the LUN" 3 'too small' lun init "$(url 5)" --max-memory 1G --cluster "$LAB_CLUSTER"
    # shellcheck disable=SC2046
    bad "claim of a LUN without layout" 3 'holds no hawser layout.*lun init' lun claim "$(url 5)" $(as 1 1)
    # shellcheck disable=SC2086
    bad "init of what is laid out" 3 'gpt partition table, hawser ownership record of this cluster' \
        lun init "$(url 1)" $MEMORY --cluster "$LAB_CLUSTER"
    # shellcheck disable=SC2086
    bad "init of another cluster's LUN" 3 'ownership record of another cluster' \
        lun init "$(url 1)" $MEMORY --cluster "$OTHER"
    bad "claim for another cluster" 3 "record is another cluster's|not this cluster's" \
        lun claim "$(url 1)" --cluster "$OTHER" --node 1 --generation 500
    truncate -s 60M image
    # shellcheck disable=SC2046
    bad "an image that does not fit" 3 'does not fit' lun import "$(url 1)" image $(as 1 200)
    : >image
    # shellcheck disable=SC2046
    bad "an image that is empty" 2 'is empty' lun import "$(url 1)" image $(as 1 200)
}

foreign_things()
{
    local url
    url=$(url 5)
    printf 'something' | dd of=disk5 bs=1 seek=1000000 conv=notrunc status=none
    # shellcheck disable=SC2086
    bad "data of no known format" 3 'data of no known format' lun init "$url" $MEMORY --cluster "$LAB_CLUSTER"
    if command -v mkfs.ext4 >/dev/null; then
        mkfs.ext4 -qF -L precious disk5
        # shellcheck disable=SC2086
        bad "a file system" 3 'ext4 filesystem "precious"' lun init "$url" $MEMORY --cluster "$LAB_CLUSTER"
    else
        tap_skip "a file system" "mkfs.ext4 is not installed"
    fi
    dd if=/dev/zero of=disk5 bs=1M count="$LAB_DISK_MIB" status=none
    sgdisk -n 1:2048:4096 -c 1:other disk5 >/dev/null 2>&1
    # shellcheck disable=SC2086
    bad "another's partition table" 3 'gpt partition table' lun init "$url" $MEMORY --cluster "$LAB_CLUSTER"
    dd if=/dev/zero of=disk5 bs=1M count="$LAB_DISK_MIB" status=none
    foreign_key "$url"
    # shellcheck disable=SC2086
    bad "another's reservation" 3 'held by 0x0000000000001234 .not a hawser key' lun init "$url" $MEMORY --cluster "$LAB_CLUSTER"
    # shellcheck disable=SC2086
    good "init --force takes it away" 'laid out' lun init "$url" $MEMORY --cluster "$LAB_CLUSTER" --force
    json "and leaves no key" '(.keys | length) == 0 and .record.state == "free"' lun show "$url"
    foreign_key "$url"
    # shellcheck disable=SC2046
    bad "claim against a foreign key" 3 "not this cluster's is registered: 0x0000000000001234" lun claim "$url" $(as 1 1)
    # shellcheck disable=SC2046
    bad "takeover from a foreign owner" 3 "not this cluster's is registered" lun takeover "$url" $(as 1 1)
    # shellcheck disable=SC2046
    good "takeover --force" 'taken over' lun takeover "$url" --force $(as 1 1)
    # shellcheck disable=SC2046
    good "release" 'released' lun release "$url" $(as 1 17)
    copy_of_a_lun "$url"
}

# a copy names another LUN, and another cluster's names that: once forced, either is ours in every respect
copy_of_a_lun()
{
    local url=$1
    # shellcheck disable=SC2086
    hawser lun init "$url" $MEMORY --cluster "$OTHER" --force
    tap_is "init for another cluster" "$STATUS" 0
    # shellcheck disable=SC2046
    bad "claim of another cluster's LUN" 3 "record is another cluster's" lun claim "$url" $(as 1 40)
    # shellcheck disable=SC2046
    good "takeover --force of it" 'taken over' lun takeover "$url" --force $(as 1 40)
    # shellcheck disable=SC2046
    good "release of it" 'released' lun release "$url" $(as 1 56)
    json "nothing is wrong with it" '.bad == 0' lun verify "$url"
    dd if=disk1 of=disk5 bs=1M conv=notrunc status=none
    # shellcheck disable=SC2046
    bad "claim of a copy" 3 'WWID is not the one.*--force' lun claim "$url" $(as 1 500)
    # shellcheck disable=SC2046
    good "takeover --force of a copy" 'taken over' lun takeover "$url" --force $(as 1 500)
    # shellcheck disable=SC2046
    good "release of a copy" 'released' lun release "$url" $(as 1 516)
    json "a copy is a LUN of its own then, not probed yet" \
        '.bad == 0 and ([.checks[] | select(.check == "probe")][0].words | test("never run"))' lun verify "$url"
}

# foreign_key URL: another initiator registers 1234h and reserves, then goes away; tgtd keeps it as a ghost
foreign_key()
{
    ns_run n3 "$LAB_BIN/foreign" "$1" 1234
}

damaged_tables()
{
    local url
    url=$(url 1)
    dd if=/dev/zero of=disk1 bs=512 count=40 conv=notrunc status=none
    good "a LUN whose first table is gone is still read" 'only its last copy is good' lun show "$url"
    hawser lun verify "$url"
    tap_is "verify says so" "$STATUS $(grep -c 'BAD.*only its last copy' stdout)" "1 1"
    dd if=/dev/zero of=disk1 bs=1M seek=$((LAB_DISK_MIB - 1)) count=1 conv=notrunc status=none
    # shellcheck disable=SC2046
    bad "claim without any table" 3 'holds no hawser layout' lun claim "$url" $(as 1 300)
}

# a target whose PREEMPT answers GOOD and removes another's registration: the probe finds it
wrong_target()
{
    if ! command -v istgt >/dev/null; then
        tap_skip "a target that cannot be trusted" "istgt is not installed"
        return
    fi
    san_stop
    rm -f disk1
    istgt_start
    # shellcheck disable=SC2086
    hawser lun init "$(url 1)" $MEMORY --cluster "$LAB_CLUSTER"
    tap_is "a target that cannot be trusted is refused" \
        "$STATUS $(grep -c 'reservations of this target cannot be trusted: PREEMPT' stderr)" "3 1"
    # its broken reservation may keep the probe's scratch place (64 KiB at 1.5 MiB) from being put back
    tap_check "and nothing but the scratch place was written" \
        eval 'cmp -n 1572864 disk1 /dev/zero && cmp -i 1638400 -n 60000000 disk1 /dev/zero'
}

files()
{
    rm -f own.img
    truncate -s 64M own.img
    hawser lun init "file:$PWD/own.img" --max-memory 16M --cluster "$LAB_CLUSTER"
    tap_is "init of a file says that it cannot be fenced" \
        "$STATUS $(grep -c 'cannot be fenced by reservations' stderr)" "0 1"
    # shellcheck disable=SC2046
    bad "claim of a file" 3 'cannot be fenced by reservations' lun claim "file:$PWD/own.img" $(as 1 1)
    head -c 100000 /dev/urandom >image
    good "import into a file" 'read back' lun import "file:$PWD/own.img" image
    good "show of a file" 'cannot be fenced' lun show "file:$PWD/own.img"
    bad "a file that is not there" 1 'none.img.*; check the path' lun show "file:$PWD/none.img"
}

main()
{
    lab_need sgdisk jq cksum
    lab_begin 64 "$@"
    secrets
    admin_in_order
    wrong_words
    wrong_places
    wrong_luns
    foreign_things
    damaged_tables
    files
    wrong_target
    tap_done
}

main "$@"
