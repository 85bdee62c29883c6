#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bench-lunserver, as short as it can be: both servers take every kind of load, and each figure is there. What the
# figures are is not judged here.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

[ "$(id -u)" -eq 0 ] || tap_skip_all "needs root"
for program in qemu-storage-daemon tgtd sgdisk jq; do
    command -v "$program" >/dev/null || tap_skip_all "$program is not installed"
done
qemu-storage-daemon --blockdev driver=iscsi,node-name=x 2>&1 </dev/null | grep -q "Unknown driver" &&
    tap_skip_all "qemu-storage-daemon has no driver=iscsi; apt-get install qemu-block-extra"

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export HW_BENCH_RESULTS=$work/results.jsonl BENCH_ROUNDS=1 BENCH_SECONDS=1 BENCH_MEMORY_SECONDS=4 BENCH_STARTS=1

# each row again, without its figures
names()
{
    jq -r '"\(.name) \(.aim // "-")"' "$HW_BENCH_RESULTS"
}

expected_rows()
{
    local on load
    for on in iscsi file; do
        for load in "random read 4 KiB x 1" "random write 4 KiB x 1" "random read 4 KiB x 32" "random write 4 KiB x 32" \
            "seq. read 1 MiB x 4" "seq. write 1 MiB x 4"; do
            printf '%s\n' "$on $load ratio >= 0.95" "$on $load, CPU ratio <= 1.0"
        done
        echo "$on Private_Dirty ours <= 4096"
        [ "$on" = file ] || printf '%s\n' "$on exec to first read -" "$on login answer to first read ours <= 20"
        [ "$on" = iscsi ] || echo "$on exec to first read ours <= 20"
    done
}

tap_check "the benchmark of the LUN server runs" "$HW_TOP_SRCDIR/tests/bench/bench-lunserver"
tap_is "every figure is there, with its aim" "$(names 2>&1)" "$(expected_rows)"
tap_is "each is more than nothing, of ours and of the peer" \
    "$(jq -r 'select((.ours > 0 and .peer > 0) | not) | .name' "$HW_BENCH_RESULTS" 2>&1)" ""
tap_done
