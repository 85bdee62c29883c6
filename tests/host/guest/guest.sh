# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC1091
#
# Functions for commands inside a whole host: waiting, and the roles. Read anew before each
# command, so nothing is kept between two commands but what lies in files.
. /tests/target.sh
. /tests/initiator.sh
. /tests/owner.sh
. /tests/migration.sh
. /tests/vmm.sh
. /tests/vmm-disk.sh

# within SECONDS COMMAND...: repeats the command until it succeeds; fails when the time is up. (In a
# shell of its own: the command may call it too.)
within()
(
    within_end=$(($(cut -d. -f1 /proc/uptime) + $1))
    shift
    until "$@"; do
        [ "$(cut -d. -f1 /proc/uptime)" -lt "$within_end" ] || exit 1
        sleep 0.05
    done
)

# reachable ADDRESS: whether the host answers on the network.
reachable()
{
    ping -c 1 -W 1 "$1" >/dev/null 2>&1
}
