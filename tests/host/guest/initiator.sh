# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# The initiator's side of a whole host: the kernel's iSCSI, driven by iscsid and iscsiadm.

# initiator_start NAME: loads the drivers and starts iscsid under this initiator name.
initiator_start()
{
    modprobe iscsi_tcp && modprobe sd_mod && modprobe sg || return 1
    echo "InitiatorName=$1" >/etc/iscsi/initiatorname.iscsi
    iscsid
}

# initiator_login PORTAL IQN: logs in as an admin would; prints the disk of LUN 0.
initiator_login()
{
    iscsiadm -m discovery -t st -p "$1" >/dev/null &&
        iscsiadm -m node -T "$2" -p "$1" --login >/dev/null && initiator_disk "$2" 0
}

# initiator_disk IQN LUN: prints the disk's device once there is one. The order of sda, sdb is
# random: the session's target name decides.
initiator_disk()
{
    within 50 initiator_find "$1" "$2"
}

initiator_find()
{
    for session in /sys/class/iscsi_session/session*; do
        [ "$(cat "$session/targetname" 2>/dev/null)" = "$1" ] || continue
        for disk in "$session"/device/target*/*:"$2"/block/*; do
            [ -b "/dev/${disk##*/}" ] && echo "/dev/${disk##*/}" && return 0
        done
    done
    return 1
}
