#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tests/bench/bench.sh: medians, rows for people, JSON lines, and aims that are met or not.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"
# shellcheck source=tests/bench/bench.sh
. "$HW_TOP_SRCDIR/tests/bench/bench.sh"

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
HW_BENCH_RESULTS=$work/results.jsonl

last()
{
    tail -n 1 "$HW_BENCH_RESULTS"
}

tap_is "median of an odd number" "$(bench_median 30 1 7)" 7
tap_is "median of an even number" "$(bench_median 4 1 10 2)" 3
tap_is "median compares numbers, not text" "$(bench_median 9 10 100)" 10

tap_check "a row with a peer" bench_row seq-read MiB/s 190 200 fio "ratio >= 0.95"
tap_is "its JSON" "$(last)" '{"name":"seq-read","unit":"MiB/s","ours":190,"peer":200,"peer_name":"fio","ratio":0.950,"aim":"ratio >= 0.95","met":true}'
tap_check "a row whose aim is not met" bench_row seq-read MiB/s 180 200 fio "ratio >= 0.95"
tap_is "its JSON" "$(last)" '{"name":"seq-read","unit":"MiB/s","ours":180,"peer":200,"peer_name":"fio","ratio":0.900,"aim":"ratio >= 0.95","met":false}'
tap_check "a row with the ratio of its pairs" bench_row seq-read MiB/s 180 200 fio "ratio >= 0.95" 0.9512
tap_is "its JSON" "$(last)" '{"name":"seq-read","unit":"MiB/s","ours":180,"peer":200,"peer_name":"fio","ratio":0.951,"aim":"ratio >= 0.95","met":true}'
tap_check "a row without a peer" bench_row takeover ms 3.5 - 'none: "takeover" is ours alone' "ours < 10"
tap_is "its JSON" "$(last)" '{"name":"takeover","unit":"ms","ours":3.5,"peer":null,"peer_name":"none: \"takeover\" is ours alone","ratio":null,"aim":"ours < 10","met":true}'
tap_check "a row without an aim" bench_row p50 ms 1 - none -
tap_is "its JSON" "$(last)" '{"name":"p50","unit":"ms","ours":1,"peer":null,"peer_name":"none","ratio":null,"aim":null,"met":null}'

lines=$(wc -l <"$HW_BENCH_RESULTS")
tap_check "what is no number is refused" bash -c ". '$HW_TOP_SRCDIR/tests/bench/bench.sh'
    ! HW_BENCH_RESULTS='$HW_BENCH_RESULTS' bench_row a b c 1 d -"
tap_check "a ratio without a peer is refused" bash -c ". '$HW_TOP_SRCDIR/tests/bench/bench.sh'
    ! HW_BENCH_RESULTS='$HW_BENCH_RESULTS' bench_row a b 1 - d 'ratio > 1'"
tap_is "and leaves no line behind" "$(wc -l <"$HW_BENCH_RESULTS")" "$lines"
tap_done
