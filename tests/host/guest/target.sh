# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# The target's side of a whole host: LIO, set up by writing to configfs. /dev/vda holds what must
# live through a power cycle (reservations kept by APTPL), each further disk is one LUN's data,
# behind a delay that can be changed while it is used.
CORE=/sys/kernel/config/target
SAVED=/var/target

# target_start IQN PORTAL INITIATOR...: exports each of /dev/vdb.. as LUN 0.. to the initiators
# named; to everybody when there is none.
target_start()
{
    target_iqn=$1 target_portal=$2
    shift 2
    modprobe ext4 && modprobe dm_delay && modprobe target_core_iblock &&
        modprobe iscsi_target_mod || return 1
    mount -t configfs config /sys/kernel/config
    # LIO writes its reservation file without fsync: the mount must do it.
    mount -t ext4 -o sync,dirsync /dev/vda $SAVED || return 1
    mkdir -p $SAVED/pr $SAVED/alua
    echo $SAVED >$CORE/dbroot
    mkdir -p "$CORE/iscsi"
    tpg=$CORE/iscsi/$target_iqn/tpgt_1
    mkdir -p "$tpg" "$tpg/np/$target_portal" || return 1
    echo 0 >"$tpg/attrib/authentication"
    target_luns "$tpg" || return 1
    if [ $# -eq 0 ]; then
        echo 1 >"$tpg/attrib/generate_node_acls"
        echo 0 >"$tpg/attrib/demo_mode_write_protect"
        echo 1 >"$tpg/attrib/cache_dynamic_acls"
    fi
    for name in "$@"; do
        target_allow "$tpg" "$name" || return 1
    done
    echo 1 >"$tpg/enable"
}

# Each disk behind a delay of 0 ms, with its kept reservations, as a LUN of the portal group.
target_luns()
{
    lun=0
    for disk in /dev/vd[b-z]; do
        [ -b "$disk" ] || continue
        echo "0 $(blockdev --getsz "$disk") delay $disk 0 0" |
            dmsetup create "lun$lun" || return 1
        dmsetup mknodes
        device=$CORE/core/iblock_0/lun$lun
        mkdir -p "$device" || return 1
        echo "udev_path=/dev/mapper/lun$lun" >"$device/control"
        echo "hawser-lun-$lun" >"$device/wwn/vpd_unit_serial"
        echo 1 >"$device/enable"
        target_restore "$device" "$SAVED/pr/aptpl_hawser-lun-$lun"
        mkdir -p "$1/lun/lun_$lun"
        ln -s "$device" "$1/lun/lun_$lun/device" || return 1
        lun=$((lun + 1))
    done
    [ $lun -gt 0 ]
}

# Gives LIO back the registrations that APTPL kept; it does not read its own file.
target_restore()
{
    [ -s "$2" ] || return 0
    entry=''
    while IFS= read -r line; do
        case $line in
        PR_REG_START*) entry='' ;;
        PR_REG_END*) echo "$entry" >"$1/pr/res_aptpl_metadata" ;;
        *=*) entry="${entry:+$entry,}$line" ;;
        esac
    done <"$2"
}

# Lets an initiator use every LUN; a dead one is dropped after 3 + 3 seconds.
target_allow()
{
    acl=$1/acls/$2
    mkdir -p "$acl" || return 1
    echo 3 >"$acl/attrib/nopin_timeout"
    echo 3 >"$acl/attrib/nopin_response_timeout"
    for path in "$1"/lun/lun_*; do
        mkdir -p "$acl/${path##*/}"
        ln -s "$path" "$acl/${path##*/}/lun" || return 1
    done
}

# target_delay LUN READ_MS WRITE_MS: from now on each command of the backend takes so long.
target_delay()
{
    delay_table=$(dmsetup table "lun$1") || return 1
    # shellcheck disable=SC2086 # START LENGTH delay DEVICE ...
    set -- "$1" "$2" "$3" $delay_table
    dmsetup suspend --noflush --nolockfs "lun$1" &&
        echo "$4 $5 delay $7 0 $2 $7 0 $3" | dmsetup load "lun$1" && dmsetup resume "lun$1"
}

# target_holder LUN: LIO's own word on who holds the reservation.
target_holder()
{
    cat "$CORE/core/iblock_0/lun$1/pr/res_holder"
}

# target_registrants LUN: LIO's own list of registrations.
target_registrants()
{
    cat "$CORE/core/iblock_0/lun$1/pr/res_pr_registered_i_pts"
}
