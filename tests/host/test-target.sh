#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The whole hosts and their SAN do what the ownership tests rest on, shown with other people's
# programs only: kernel iSCSI between real hosts, reservations by sg_persist enforced by LIO, a
# conflict seen as EBADE, LUN RESET, and reservations that outlive a power cut of the target
# (APTPL). No code of ours takes part.
# shellcheck disable=SC2119,SC2317
set -u
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tap.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/hosts.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/san.sh"

hosts_begin
san_begin

check "h1 logs in" san_login h1
D1=$HOST_OUTPUT
check "h2 logs in" san_login h2
D2=$HOST_OUTPUT

# The first command after a login may answer with a unit attention only.
host_run h1 60 "sg_turs $D1; sg_turs $D1" || true
host_run h2 60 "sg_turs $D2; sg_turs $D2" || true
out="sg_persist -n --out --prout-type=3"
WRITE="dd if=/dev/zero bs=4096 count=1 oflag=direct conv=notrunc"

check "the target keeps reservations over a power cut" answers h1 60 "sg_persist -n -c $D1" \
    'PTPL_C.*: 1'
check "h1 registers" host_run h1 60 "$out --register --param-aptpl --param-sark=0xa1 $D1"
check "h1 reserves, exclusive access" host_run h1 60 "$out --reserve --param-rk=0xa1 $D1"
check "h2 registers" host_run h2 60 "$out --register --param-aptpl --param-sark=0xb1 $D2"
check "h2 cannot reserve" refused h2 60 "$out --reserve --param-rk=0xb1 $D2" 'conflict'
check "h1 writes" host_run h1 60 "$WRITE of=$D1"
check "h2's write is a reservation conflict" refused h2 60 "$WRITE of=$D2" 'Invalid exchange'

stamp()
{
    head -c 4096 "$(san_lun_file)" | grep -q "^$1$"
}
check "h1 writes a stamp" host_run h1 60 \
    "yes stamped-by-h1 | head -c 4096 | dd bs=4096 count=1 oflag=direct conv=notrunc of=$D1"
check "the build machine finds it in the LUN's file" stamp stamped-by-h1

host_cut t
san_target
check "h1 writes after the target's power cut" host_run h1 60 "within 50 $WRITE of=$D1"
check "h1 still holds the reservation" answers h1 60 "sg_persist -n -r $D1" 'Key=0xa1'
check "h2's write is still a conflict" refused h2 60 \
    "within 50 sg_turs $D2; $WRITE of=$D2" 'Invalid exchange'

check "h2 preempts h1" host_run h2 60 \
    "$out --preempt --param-rk=0xb1 --param-sark=0xa1 $D2"
check "a LUN reset is answered" host_run h2 60 "sg_reset -d $D2"
check "h1's write is a conflict now" refused h1 60 "$WRITE of=$D1; $WRITE of=$D1" \
    'Invalid exchange'
check "h2 holds the reservation after the reset" answers t 60 'target_holder 0' ':h2'
host_cut h1
check "a watchdog that nobody feeds resets the host" host_run h2 60 \
    'modprobe softdog soft_margin=2 && : >/dev/watchdog'
check "h2 was reset" host_gone h2 120

tap_done
