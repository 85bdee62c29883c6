#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Access to LUNs over iSCSI against a real target: logins good and bad, CHAP, LUNs of all kinds, a second portal, data
# under load, and sessions that are lost in every way. Needs root, tgtd; network namespaces of its own.
# shellcheck disable=SC2317 # the checks are called by name
set -u

HW_TOP_SRCDIR=${HW_TOP_SRCDIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
export HW_TOP_SRCDIR
# shellcheck source=SCRIPTDIR/rig
. "$HW_TOP_SRCDIR/tests/lab/rig"
LAB_ACCESS=${LAB_ACCESS:-$LAB_BIN/access}
OPTIONS=()

# begin URL: a player in n1
begin()
{
    proc_start a n1 "$LAB_ACCESS" --initiator iqn.2026-11.lab:n1 "${OPTIONS[@]}" "$1" && proc_wait a 10 open &&
        [[ $LINE == *'"rc":"ok"'* ]]
}

# step COMMAND RC [WORDS]: say it, wait for its event, compare its rc, find the words in its detail
step()
{
    local event=${1%% *} wanted=$2 words=${3-}
    proc_say a "$1"
    proc_wait a 60 "$event" || { echo "no answer to $1"; return 1; }
    [ "$EVENT" = "$event" ] && [[ $LINE == *"\"rc\":\"$wanted\""* ]] && [[ $LINE == *"$words"* ]] && return 0
    echo "$1: wanted $wanted \"$words\", got $LINE"
    return 1
}

# up URL: begin, log both sessions in, identify
up()
{
    begin "$1" && step 'login data' ok && step 'login control' ok && step identify ok
}

# down WORDS: both sessions go down by themselves, in any order
down()
{
    local both=0
    while [ "$both" -lt 2 ]; do
        proc_wait a 30 down-data down-control || { echo "not down, last: ${LINE:-nothing}"; return 1; }
        [[ $LINE == *"$1"* ]] || { echo "wanted \"$1\", got $LINE"; return 1; }
        both=$((both + 1))
    done
}

finish()
{
    proc_say a quit
    proc_wait a 10 exited && [ "${PROC_STATUS[a]}" = 0 ]
    local status=$?
    proc_end a
    return "$status"
}

# check NAME FUNCTION: in this shell, since the player is its child
check()
{
    local name=$1
    shift
    OPTIONS=()
    if "$@" >why 2>&1; then
        tap_ok "$name"
    else
        tap_not_ok "$name" "$(cat why; tail -n 20 a.events a.err 2>/dev/null)"
    fi
    proc_end_all
    rm -f a.events a.err
}

secret()
{
    printf '%s\n' "$@" >secret
    chmod 600 secret
}

chap_url()
{
    printf 'iscsi://%s/%s-%s/1,secret-file=%s' "$LAB_PORTAL" "$LAB_IQN" "$1" "$LAB_DIR/secret"
}

data_in_flight()
{
    up "$(url 1)" && step 'write 1' ok && step 'verify 1' ok && step flush ok && step 'write 2' ok &&
        step 'verify 1' wrong-data && step 'verify 2' ok && step logout ok && finish
}

header_digest()
{
    up "$(url 1)?header-digest=crc32c" && step 'write 3' ok && step 'verify 3' ok && finish
}

chap_good()
{
    secret 'user labuser' 'password labsecret-12'
    up "$(chap_url chap)" && step 'write 1' ok && finish
}

chap_wrong()
{
    secret 'user labuser' 'password labsecret-13'
    begin "$(chap_url chap)" && step 'login data' login-refused 'wrong user or secret' && finish
}

chap_missing()
{
    begin "iscsi://$LAB_PORTAL/$LAB_IQN-chap/1" && step 'login data' login-refused 'asks for a secret' && finish
}

chap_open_file()
{
    secret 'user labuser' 'password labsecret-12'
    chmod 640 secret
    ! begin "$(chap_url chap)" && [[ $LINE == *'group or others'* ]]
}

mutual_good()
{
    secret 'user labuser' 'password labsecret-12' 'target-user labtarget' 'target-password targetsecret-34'
    up "$(chap_url mutual)" && finish
}

mutual_wrong()
{
    secret 'user labuser' 'password labsecret-12' 'target-user labtarget' 'target-password targetsecret-35'
    begin "$(chap_url mutual)" && step 'login data' login-refused 'target-password' && finish
}

# the target does not prove itself, since it was never told to
mutual_missing()
{
    secret 'user labuser' 'password labsecret-12' 'target-user labtarget' 'target-password targetsecret-34'
    begin "$(chap_url chap)" && step 'login data' login-refused 'login refused' && finish
}

wrong_target()
{
    begin "iscsi://$LAB_PORTAL/$LAB_IQN-none/1" && step 'login data' login-refused 'target not found' && finish
}

wrong_lun()
{
    begin "$(url 77)" && step 'login data' ok && step identify failed 'does not exist' && finish
}

controller_lun()
{
    begin "$(url 0)" && step 'login data' ok && step identify failed 'not a disk' && finish
}

read_only_lun()
{
    up "$(url 3)" && [[ $LINE == *read-only* ]] && step 'write 1' read-only && finish
}

# nobody answers for this address: bounded by our own deadline, and said so
unreachable()
{
    OPTIONS=(--connect-ms 300)
    begin "iscsi://10.77.0.250/$LAB_IQN/1" && step 'login data' not-sent && [[ $LINE == *'no answer'* || $LINE == *'no route'* ]] &&
        finish || return 1
    net_cut n1
    begin "$(url 1)" && step 'login data' not-sent 'no answer within' && finish
    local status=$?
    net_heal n1
    return "$status"
}

refused_port()
{
    begin "$(url 1 "$LAB_IP:3999")" && step 'login data' not-sent 'connection refused' && finish
}

second_portal()
{
    up "$(url 1 "$LAB_IP:3999;10.77.0.101:$LAB_PORT")" && step 'write 4' ok && step 'verify 4' ok && finish
}

# commands are not answered: each ends at its deadline, the session stays, late answers hurt nobody
target_offline()
{
    OPTIONS=(--io-ms 400 --nop-ms 60000)
    up "$(url 1)" && step 'write 5' ok || return 1
    san_offline
    step flush unknown-outcome 'timed out' && step flush unknown-outcome 'timed out'
    local status=$?
    san_ready
    [ "$status" -eq 0 ] && step flush ok && step 'verify 5' ok && finish
}

dropped_by_target()
{
    up "$(url 1)" && conn_drop n1 && down closed || return 1
    # lost is lost until somebody logs in
    step flush not-sent && step 'login data' ok && step identify ok && step 'write 6' ok && step 'verify 6' ok && finish
}

target_killed()
{
    up "$(url 1)" && san_stop && down '' && step 'login data' not-sent 'refused'
    local status=$?
    san_daemon && san_targets && wait_until 20 tgt_listens || return 1
    [ "$status" -eq 0 ] && step 'login data' ok && finish
}

# a stopped target still acknowledges in its kernel: only unanswered NOP-Outs tell
target_stopped()
{
    OPTIONS=(--nop-ms 100)
    up "$(url 1)" || return 1
    kill -STOP "$TGT_PID"
    down NOP-Out
    local status=$?
    kill -CONT "$TGT_PID"
    [ "$status" -eq 0 ] && step 'login data' ok && finish
}

reset_and_attention()
{
    up "$(url 1)" && step reset ok && step flush unit-attention && step flush ok && finish
}

# two LUNs of one host do not take each other's session for their own
two_of_one_host()
{
    up "$(url 1)" || return 1
    proc_start b n1 "$LAB_ACCESS" --initiator iqn.2026-11.lab:n1 "$(url 5)" && proc_wait b 10 open || return 1
    proc_say b 'login data'
    proc_wait b 10 login && [[ $LINE == *'"rc":"ok"'* ]] && step flush ok && step 'write 8' ok && finish
}

main()
{
    [ -x "$LAB_ACCESS" ] || tap_skip_all "$LAB_ACCESS is not built"
    lab_begin 16 "$@"
    check "data with 64 operations in flight" data_in_flight
    check "header digest" header_digest
    check "CHAP with the right secret" chap_good
    check "CHAP with a wrong secret" chap_wrong
    check "CHAP without a secret" chap_missing
    check "a secret that others can read is refused" chap_open_file
    check "mutual CHAP" mutual_good
    check "mutual CHAP, the target has another secret" mutual_wrong
    check "mutual CHAP, the target does not prove itself" mutual_missing
    check "a target that does not exist" wrong_target
    check "a LUN that does not exist" wrong_lun
    check "a LUN that is no disk" controller_lun
    check "a read-only LUN" read_only_lun
    check "a portal that does not answer is given up in time" unreachable
    check "a port that nobody listens on" refused_port
    check "the second portal when the first is dead" second_portal
    check "deadlines while the target answers nothing" target_offline
    check "connections dropped by the target" dropped_by_target
    check "the target is killed and comes back" target_killed
    check "a stopped target is noticed by NOP-Outs" target_stopped
    check "LUN reset, then its unit attention" reset_and_attention
    check "two LUNs from one host" two_of_one_host
    san_stop
    tap_done
}

main "$@"
