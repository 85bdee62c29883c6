#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Ownership over kernel iSCSI: the owner program on two hosts, LIO on a third. The old owner's host
# floods the LUN on the same nexus all the time and ignores every error; the target's disk is slow;
# the build machine reads the LUN's file outside iSCSI. Takeover, also with the old owner's host
# standing still; the loser's conflicts; a cut network; a target that loses its power; somebody
# else's registrations; a stale grant; release.
# shellcheck disable=SC2317
set -u
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tap.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/hosts.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/san.sh"

BIN=$HW_PLAIN_BUILDDIR/tests
CLUSTER=6b1f0c5e-8f0a-4d1e-9d5a-0c2b7a3e4f11
SAN_MB=16
LONG_S=120
hosts_begin "$BIN/host/flood" "$BIN/lab/owner" "$BIN/lab/owner-no-barrier" \
    "$BIN/../cli/hawser"
san_begin

# owns HOST NODE GENERATION [WORD...]: starts the owner program under this grant.
owns()
{
    local host=$1 node=$2 generation=$3
    shift 3
    host_run "$host" 60 "owner_start own /tests/owner --lun $(san_block_url "$host") --cluster $CLUSTER \
        --node $node --generation $generation $*"
}

# event HOST EVENT [PATTERN]: the next of all the events that end something is this one.
event()
{
    local ends='owned refused not-proven lost left exited'
    case " $ends " in
    *" $2 "*) ;;
    *) ends="$2 failed exited" ;;
    esac
    host_run "$1" $((LONG_S + 10)) "owner_wait own $LONG_S $ends" || return
    [[ $HOST_OUTPUT == *"\"event\": \"$2\""* ]] && [[ $HOST_OUTPUT =~ ${3:-.} ]]
}

say()
{
    host_run "$1" 60 "owner_say own ${*:2}"
}

# What the build machine reads from the LUN's file.
copy_file()
{
    "$BIN/lab/checker" save "$(san_lun_file)" "$HOSTS_DIR/copy" >/dev/null
}

same_file()
{
    HOST_OUTPUT=$("$BIN/lab/checker" diff "$(san_lun_file)" "$HOSTS_DIR/copy" 2>&1)
}

changed_file()
{
    ! same_file
}

# Every block is this owner's (NODE:GENERATION), whole, in its place.
all_of()
{
    HOST_OUTPUT=$("$BIN/lab/checker" fill-expect "$(san_lun_file)" "$1" 2>&1)
}

floods()
{
    host_run "$1" 60 "killall flood 2>/dev/null; (flood $(san_disk "$1") $2 $3 64 >/run/flood 2>&1 \
        &) ; within 50 grep -q '^good [1-9]' /run/flood"
}

# The flood goes on and gets conflicts.
flood_conflicts()
{
    host_run "$1" 60 "wc -l </run/flood >/run/lines; \
        within 50 sh -c 'sed \"1,\$(cat /run/lines)d\" /run/flood | grep -q \"conflicts [1-9]\"'"
}

pause()
{
    host_run t 60 "sleep $1"
}

# --- a first owner, and one that takes over from it on a slow disk ---

check "h1 is told to own the LUN" owns h1 1 16
check "h1 owns it" event h1 owned
check "h1 fills it" say h1 fill
check "h1 filled it" event h1 filled
check "every block is h1's" all_of 1:16
check "the target's disk is slow" host_run t 60 'target_delay 0 0 1000'
check "h1 floods the LUN" floods h1 1 16
check "h2 is told to take over" owns h2 2 32
check "h2 owns it" event h2 owned
copy_file
check "h1's owner knows" event h1 lost
pause 2
check "nothing of h1 landed after h2 owned the LUN" same_file
check "h1's writes are conflicts" flood_conflicts h1
check "the disk is quick again" host_run t 60 'target_delay 0 0 0'
check "h2 fills it" say h2 fill
check "h2 filled it" event h2 filled
check "every block is h2's, h1's flood goes on" all_of 2:32
check "the loser cannot write" say h1 write 0 8 1
check "its write fails" event h1 failed
check "h1's program ends" say h1 quit

# --- a grant that is too old ---

check "h1 is told to take over with an old grant" owns h1 1 24
check "it is refused as stale" event h1 refused STALE
check "h2 still holds the reservation" answers t 60 'target_holder 0' ':h2'

# --- the old owner's host stands still, and goes on later ---

check "h2's disk is slow" host_run t 60 'target_delay 0 0 1000'
check "h2 floods the LUN" floods h2 2 32
host_run h1 60 'killall flood'
host_stop h2
check "h1 is told to take over from a host that stands still" owns h1 1 48
check "h1 owns it" event h1 owned
copy_file
host_continue h2
check "h2's owner knows when it goes on" event h2 lost
check "h2's writes are conflicts" flood_conflicts h2
pause 2
check "nothing of h2 landed" same_file
check "the disk is quick again" host_run t 60 'target_delay 0 0 0'

# --- the guard taken out: the same must be seen to fail ---

host_run h2 60 'killall flood'
say h2 quit
check "the disk is slow" host_run t 60 'target_delay 0 0 5000'
check "h1 floods the LUN again" floods h1 1 48
check "an owner without the barrier takes over" owns h2 2 64 --mutation no-barrier
check "it believes that it owns the LUN" event h2 owned
copy_file
pause 6
check "old writes land in a LUN without a barrier" changed_file
host_run h1 60 'killall flood'
say h1 quit
say h2 quit
check "the disk is quick again" host_run t 60 'target_delay 0 0 0'

# --- the owner's network is cut for longer than the kernel waits ---

check "h2 is told to own the LUN again" owns h2 2 80
check "h2 owns it" event h2 owned
check "h2's network is cut" host_run h2 60 'ip link set eth0 down'
say h2 write 64 8 1001
check "its ownership is suspended" event h2 suspended
check "the network is back" host_run h2 60 'ip link set eth0 up'
check "h2 owns it again" event h2 owned
check "the write of that time is done" event h2 written 1001
number_is()
{
    HOST_OUTPUT=$("$BIN/lab/checker" numbers "$(san_lun_file)" 2 --first 64 --count 8 2>&1) || true
    [ "$(printf '%s\n' "$HOST_OUTPUT" | grep -c " $1\$")" -eq 8 ]
}
check "it is in the LUN's file" number_is 1001

# --- the target loses its power; the reservation stays (APTPL) ---

host_cut t
san_target
say h2 write 64 8 1002
check "a write after the target's power cut" event h2 written 1002
check "it is in the LUN's file" number_is 1002
check "the reservation is h2's" answers t 60 'target_holder 0' ':h2'

# --- somebody else's registrations ---

check "h1 logs in" host_run h1 60 "iscsiadm -m session || \
    initiator_login $(san_portal h1) $SAN_IQN"
D1=$(san_disk h1)
# the session may still be recovering: its disk answers (a unit attention is an answer too) or is not there yet
check "h1's disk answers" host_run h1 60 \
    "(i=0; while [ \$i -lt 100 ]; do sg_turs $D1; case \$? in 0|6) exit 0 ;; esac; i=\$((i + 1)); sleep 0.2; done; exit 1)"
check "a foreign program registers behind h2's back" host_run h1 60 \
    "sg_turs $D1; sg_persist -n --out --register-ignore --param-sark=0x1234 $D1"
check "it cannot write" refused h1 60 \
    "dd if=/dev/zero of=$D1 bs=4096 count=1 oflag=direct conv=notrunc" 'Invalid exchange'
say h2 write 64 8 1003
check "h2 writes on" event h2 written 1003
check "the foreign program leaves" host_run h1 60 \
    "sg_persist -n --out --register --param-rk=0x1234 --param-sark=0 $D1"
say h2 release
check "h2 releases the LUN" event h2 left RELEASED
check "no reservation is left" answers t 60 'target_holder 0' 'No SPC-3 Reservation holder'
# The agent itself needs python; a key of its format (four digits of a hash, four of the node) is
# registered and reserved as it does it.
check "a key of fence_scsi" host_run h1 60 "sg_persist -n --out --register-ignore \
    --param-sark=0x7b2a0001 $D1 && sg_persist -n --out --reserve --param-rk=0x7b2a0001 \
    --prout-type=5 $D1"
check "h2 is told to take over" owns h2 2 96
check "it is refused: the key is not hawser's" event h2 refused 'FOREIGN_KEY.*7b2a0001'
check "the foreign reservation is untouched" answers t 60 'target_holder 0' ':h1'
check "it is taken away" host_run h1 60 "sg_persist -n --out --clear --param-rk=0x7b2a0001 $D1"

tap_done
