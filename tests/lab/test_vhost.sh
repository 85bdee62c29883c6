#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# hawser's vhost-user-blk front end against somebody else's server: qemu-storage-daemon on a file.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

command -v qemu-storage-daemon >/dev/null ||
    tap_skip_all "no qemu-storage-daemon; apt-get install qemu-system-common"

sectors=8192
work=$(mktemp -d) || exit 1
trap 'stop_server 2>/dev/null; rm -rf "$work"' EXIT

# returns when the disk is served
start_server()
{
    truncate -s $((sectors * 512)) "$work/disk"
    qemu-storage-daemon --daemonize --pidfile "$work/pid" \
        --blockdev "driver=file,node-name=disk,filename=$work/disk" \
        --export "type=vhost-user-blk,id=disk,node-name=disk,addr.type=unix,addr.path=$work/socket,writable=on" \
        >"$work/log" 2>&1 </dev/null
}

# the server's own file says who it is: tap_check starts it in a subshell
stop_server()
{
    local pid
    pid=$(cat "$work/pid" 2>/dev/null) || return 0
    kill "$pid" && timeout 20 tail --pid="$pid" -f /dev/null && ! kill -0 "$pid" 2>/dev/null
}

# the disk's first MiB is what vhdrive says that it writes
expected()
{
    local i
    for i in $(seq 0 255); do
        head -c 4096 /dev/zero | tr '\0' "\\$(printf '%03o' $((i % 251 + 1)))"
    done
}

tap_check "the server starts" start_server
tap_check "the front end drives it" \
    timeout 60 "$HW_TOP_BUILDDIR/tests/lab/vhdrive" "$work/socket" "$sectors"
expected >"$work/expected"
tap_check "the disk's file has what was written" cmp -n 1048576 "$work/expected" "$work/disk"
tap_is "and nothing behind it" "$(tail -c +1048577 "$work/disk" | tr -d '\0' | wc -c)" 0
tap_check "a second front end is served after the first" \
    timeout 60 "$HW_TOP_BUILDDIR/tests/lab/vhdrive" "$work/socket" "$sectors"
tap_check "the server ends" stop_server
tap_done
