# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# The SAN that tests over kernel iSCSI share: target host t, initiator hosts h1 and h2, a cable
# from t to each; and the few words of TAP they report with. Needs hosts.sh.

SAN_IQN=iqn.2026-11.hawser.test:san
SAN_INITIATOR=iqn.2026-11.hawser.test # :h1, :h2
SAN_MB=${SAN_MB:-256}

# The portal of the target as host h1 or h2 sees it.
san_portal()
{
    echo "10.90.${1#h}.1:3260"
}

# The LUN's data as it lies on the build machine, to be read outside iSCSI.
san_lun_file()
{
    echo "$HOSTS_DIR/lun0"
}

# The URL of LUN 0 over the kernel's iSCSI of h1 or h2.
san_block_url()
{
    echo "block:/dev/disk/by-path/ip-$(san_portal "$1")-iscsi-$SAN_IQN-lun-0"
}

# The disk of LUN 0 in h1 or h2, which is logged in.
san_disk()
{
    host_run "$1" 60 "initiator_disk $SAN_IQN 0" && echo "$HOST_OUTPUT"
}

# Makes the target's disks: what it keeps through a power cut, and the LUN.
san_disks()
{
    SAN_KEPT=$HOSTS_DIR/kept
    truncate -s 16M "$SAN_KEPT"
    mkfs.ext4 -q -F "$SAN_KEPT"
    truncate -s "${SAN_MB}M" "$(san_lun_file)"
}

# Starts or restarts the target host; what its disks hold stays.
san_target()
{
    host_boot t cable=a:0:10.90.1.1/24 cable=b:0:10.90.2.1/24 "disk=$SAN_KEPT" \
        "disk=$(san_lun_file)"
    host_ready t
    host_run t 60 "target_start $SAN_IQN 0.0.0.0:3260 $SAN_INITIATOR:h1 $SAN_INITIATOR:h2" ||
        hosts_fail "the target did not start: $HOST_OUTPUT"
}

san_initiator()
{
    case $1 in
    h1) host_boot h1 cable=a:1:10.90.1.2/24 ;;
    h2) host_boot h2 cable=b:1:10.90.2.2/24 ${SAN_H2_OPTIONS[@]+"${SAN_H2_OPTIONS[@]}"} ;;
    esac
}

# Waits for the initiator host and starts its iscsid.
san_initiator_ready()
{
    host_ready "$1"
    host_run "$1" 60 "initiator_start $SAN_INITIATOR:$1" ||
        hosts_fail "$1: iscsid did not start: $HOST_OUTPUT"
}

# san_login HOST: logs in; the disk's device is in HOST_OUTPUT.
san_login()
{
    host_run "$1" 60 "initiator_login $(san_portal "$1") $SAN_IQN"
}

# All three hosts, the target serving, the initiators able to log in.
san_begin()
{
    san_disks
    san_initiator h1
    san_initiator h2
    san_target
    san_initiator_ready h1
    san_initiator_ready h2
}

# check TEXT COMMAND...: one test, in this shell (tap_check's subshell would lose the hosts' state);
# on failure says what the last host command printed.
check()
{
    local text=$1 status=0
    shift
    "$@" || status=$?
    if [ "$status" -eq 0 ]; then
        tap_ok "$text"
    else
        tap_not_ok "$text" "status $status: $*
$HOST_OUTPUT"
    fi
}

# refused HOST SECONDS COMMAND PATTERN: the command must fail, and say so in these words.
refused()
{
    if host_run "$1" "$2" "$3"; then
        return 1
    fi
    printf '%s\n' "$HOST_OUTPUT" | grep -qE "$4"
}

# answers HOST SECONDS COMMAND PATTERN: the command must succeed and print a line like this.
answers()
{
    host_run "$1" "$2" "$3" || return
    printf '%s\n' "$HOST_OUTPUT" | grep -qE "$4"
}
