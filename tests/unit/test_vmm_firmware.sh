#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# hawser-vmm with the distribution's SeaBIOS, unchanged: its console is on the serial line, it finds
# the machine, offers its menu, and begins anew when there is nothing to boot.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

if [ ! -r /dev/kvm ] || [ ! -w /dev/kvm ]; then
    tap_skip_all "no /dev/kvm that may be opened"
fi
[ -r /usr/share/seabios/bios-256k.bin ] || tap_skip_all "SeaBIOS is not installed"
VMM=$HW_TOP_BUILDDIR/vmm-core/run/hawser-vmm
work=$(mktemp -d) || exit 1
PID='' LUN=''
trap 'kill $PID $LUN 2>/dev/null; rm -rf "$work"' EXIT

# vmm WORDS...: takes the place of its shell
vmm()
{
    exec "$VMM" run --serial stdio --no-state "$@"
}

# until_out TEXT: it is in the output, or nothing comes any more
until_out()
{
    wait_until 60 said_or_gone "$1" && grep -aqs -- "$1" "$work/out"
}

said_or_gone()
{
    grep -aqs -- "$1" "$work/out" || ! kill -0 "$PID" 2>/dev/null
}

# begins WORDS...: in the background, with descriptor 9 for its input
begins()
{
    rm -f "$work/in"
    mkfifo "$work/in"
    (vmm "$@") <"$work/in" >"$work/out" 2>"$work/err" &
    PID=$!
    exec 9>"$work/in"
}

# ends: by SIGTERM; sets STATUS
ends()
{
    exec 9>&-
    kill -TERM "$PID" 2>/dev/null
    wait "$PID"
    STATUS=$?
    PID=
}

begins --memory 32M --no-reboot --firmware-log "$work/log" --cpus 2
tap_check "it writes on the serial line" until_out 'SeaBIOS (version'
tap_check "and tries the disk" until_out 'Booting from Hard Disk'
tap_check "it says that there is nothing to boot, and when it begins anew" \
    until_out 'No bootable device.  Retrying in 10 seconds'
exec 9>&-
wait "$PID"
tap_is "then it resets the machine" "$? $(cat "$work/err")" "10 "
PID=
for line in 'Running on QEMU (i440fx)' 'QEMU fw_cfg DMA interface supported' \
    'qemu/e820: addr 0x0000000000000000 len 0x0000000002000000 \[RAM\]' \
    'Moving pm_base to 0x600' 'Found 2 cpu(s) max supported 2 cpu(s)' \
    'table(50434146)=.* (via xsdt)' 'sercon: using ioport 0x3f8' 'PS2 keyboard initialized'; do
    tap_check "its log: $line" grep -aq "$line" "$work/log"
done

begins --memory 5G --firmware-log "$work/large"
tap_check "a guest with more than 3 GiB" until_out 'SeaBIOS (version'
ends
tap_is "has a hole in its memory" "$(grep -a '^qemu/e820' "$work/large")" \
    "qemu/e820: addr 0x0000000000000000 len 0x00000000c0000000 [RAM]
qemu/e820: addr 0x0000000100000000 len 0x0000000080000000 [RAM]"

begins --boot menu --firmware /usr/share/seabios/bios-256k.bin
tap_check "it offers its menu" until_out 'Press ESC for boot menu'
printf '\033' >&9
tap_check "and shows it" until_out 'Select boot device'
ends
tap_is "it ends with SIGTERM" "$STATUS" 12

cp "$HW_TOP_BUILDDIR/tests/guest/bootdisk.img" "$work/disk"
chmod 666 "$work/disk"
chmod 755 "$work"
"$HW_TOP_BUILDDIR/storage/serve/hawser-lun" --lun "file:$work/disk,socket=$work/disk.sock" \
    --control "unix:$work/disk.control" >"$work/lun" 2>&1 &
LUN=$!
wait_until 60 test -S "$work/disk.sock" || tap_comment "$(cat "$work/lun")"
out=$( (vmm --memory 32M --disk "vhost:$work/disk.sock" --firmware-log "$work/disk.log" </dev/null) | tr -d '\r')
tap_is "it boots from a disk, again after a reset, and what is written there is kept" \
    "$(grep -a '^boot [01]' <<<"$out")" "boot 0: the disk says hello
boot 1: the disk says hello"
tap_check "the first disk is the first to be tried" grep -aqF '1: /pci@i0cf8/scsi@3/disk@0,0' "$work/disk.log"
kill "$LUN"
wait "$LUN"
LUN=

head -c 262144 /dev/zero >"$work/none"
out=$( (vmm --firmware "$work/none" 2>&1) )
tap_is "a firmware that is none" "$? $out" \
    "3 hawser-vmm: $work/none: is no firmware of a PC of at most 256 KiB; name SeaBIOS's bios-256k.bin"
out=$( (vmm --firmware-log /dev 2>&1) )
tap_is "a log that cannot be written" "$? $out" \
    "1 hawser-vmm: /dev: cannot be written: Is a directory; check that it may be written"
tap_done
