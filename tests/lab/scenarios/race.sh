# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Two nodes are told to take the same LUN under the same generation at the same moment: exactly one wins, each time.

# race GENERATION: both run until each has said owned, refused or not proven
race()
{
    local generation=$1 name winners=0 losers=0
    owner_start B n2 2 "$generation" "${OWNER_OPTIONS[@]}" || return 1
    dice 4
    [ "$DICE" -ne 0 ] || pause_ms 3
    owner_start C n3 3 "$generation" "${OWNER_OPTIONS[@]}" || return 1
    for name in B C; do
        proc_wait "$name" "$LAB_WAIT" owned refused not-proven || { fail "$name never answered"; return 1; }
        case $EVENT in
        owned) winners=$((winners + 1)) ;;
        *) losers=$((losers + 1)) ;;
        esac
    done
    [ "$winners" -eq 1 ] || fail "race at generation $generation: $winners owners, $losers losers"
    proc_end B KILL
    proc_end C KILL
    [ -z "$WHY" ]
}

# the first race is for a LUN that nobody holds; each later one against the dead winner's reservation
scenario_races()
{
    local generation=16 round
    for ((round = 0; round < RACES; round++)); do
        race "$generation" || return 1
        generation=$((generation + 16))
    done
}
