# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Whole hosts for a test on the build machine: emulated machines (TCG, no privileges needed) with
# the distribution's kernel, joined by cables that are Unix sockets in the test's own folder.
# A test drives them command by command, so one script tells the whole story in order:
#
#   . hosts.sh; hosts_begin [PROGRAM...]
#   host_boot t cable=a:0:10.90.1.1/24 disk=FILE ...; host_run t 30 'target_start ...'; host_cut t
#
# Everything lives in $HOSTS_DIR and ends with the script. A host that outlives its time is killed.
# The library prints nothing but errors (and host_ending, what the programs said); it must not know
# what is tested.

HOSTS_HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
HOST_LIFE_S=${HOST_LIFE_S:-900} # no host lives longer, whatever happens to the test
declare -A HOST_PID HOST_IN HOST_OUT HOST_SERIAL
HOST_OUTPUT=''

hosts_fail()
{
    echo "hosts: $1" >&2
    exit 1
}

# hosts_begin [PROGRAM...]: makes the image, with these programs in every host's /tests. Where there
# can be no hosts the script ends with 77 and the reason.
hosts_begin()
{
    local status=0
    HOSTS_IMAGE=$("$HOSTS_HERE/build-image") || status=$?
    [ "$status" -eq 0 ] || exit "$status"
    HOSTS_DIR=$(mktemp -d "${TMPDIR:-/tmp}/hawser-hosts.XXXXXX")
    trap hosts_end EXIT
    trap 'exit 130' INT TERM HUP
    local root=$HOSTS_DIR/root
    mkdir -p "$root/tests"
    cp "$HOSTS_HERE"/guest/*.sh "$root/tests/"
    cp "$HOSTS_HERE/guest/init" "$root/init"
    if [ $# -gt 0 ]; then
        cp -L "$@" "$root/tests/"
        "$HOSTS_HERE/copy-libraries" "$root" "$@"
    fi
    { cat "$HOSTS_IMAGE/base.cpio" && (cd "$root" && find . | cpio -o -H newc -R 0:0 --quiet); } \
        >"$HOSTS_DIR/initrd"
    rm -rf "$root"
}

# Ends every host and removes the folder; keeps it where HOSTS_KEEP is set.
hosts_end()
{
    local name
    for name in "${!HOST_PID[@]}"; do
        host_cut "$name"
    done
    if [ -n "${HOSTS_KEEP:-}" ]; then
        echo "hosts: consoles are kept in $HOSTS_DIR" >&2
    else
        rm -rf "$HOSTS_DIR"
    fi
}

# host_boot NAME [cable=CABLE:END:ADDRESS/BITS] [disk=FILE] [memory=MB] [kernel=OPTIONS]
# [arg=QEMU-ARGUMENT]...: starts a host and returns at once; host_ready waits for it. A cable has
# the ends 0 and 1. `forward=PORT` gives it a user network (the next device) with that port on the
# build machine's loopback, see host_forwarded.
host_boot()
{
    local name=$1 option memory=512 kernel='' net='' nics=0 rest at
    local -a arguments=()
    shift
    at=$HOSTS_DIR/$name
    for option in "$@"; do
        rest=${option#*=}
        case $option in
        cable=*)
            local cable=${rest%%:*} end address=${rest##*:}
            end=${rest#*:} end=${end%%:*}
            rm -f "$HOSTS_DIR/cable-$cable.$end"
            arguments+=(-netdev "dgram,id=n$nics,local.type=unix,remote.type=unix,$(
            )local.path=$HOSTS_DIR/cable-$cable.$end,$(
            )remote.path=$HOSTS_DIR/cable-$cable.$((1 - end))")
            arguments+=(-device "$(host_nic "$nics" "$cable$end")")
            net+=${net:+,}eth$nics:$address
            nics=$((nics + 1))
            ;;
        forward=*)
            arguments+=(-netdev "user,id=n$nics,restrict=on,hostfwd=tcp:127.0.0.1:0-:$rest")
            arguments+=(-device "$(host_nic "$nics" "$name")")
            net+=${net:+,}eth$nics:10.0.2.15/24
            nics=$((nics + 1))
            ;;
        disk=*) arguments+=(-drive "if=virtio,format=raw,file=$rest") ;;
        memory=*) memory=$rest ;;
        kernel=*) kernel=$rest ;;
        arg=*) arguments+=("$rest") ;;
        *) hosts_fail "host_boot: unknown option $option" ;;
        esac
    done
    rm -f "$at.in" "$at.out" "$at.pid"
    mkfifo "$at.in" "$at.out"
    [ -p "$at.monitor.in" ] || mkfifo "$at.monitor.in" "$at.monitor.out"
    timeout -s KILL "$HOST_LIFE_S" qemu-system-x86_64 -accel tcg,thread=multi -cpu max \
        -m "$memory" -smp 1 -nodefaults -display none -no-reboot -no-user-config \
        -kernel "$HOSTS_IMAGE/vmlinux" -initrd "$HOSTS_DIR/initrd" \
        -append "console=ttyS0 panic=1 quiet host=$name net=$net $kernel" \
        -serial "file:$at.console" -serial "pipe:$at" \
        -chardev "pipe,id=monitor,path=$at.monitor" -mon chardev=monitor,mode=readline \
        -pidfile "$at.pid" "${arguments[@]}" </dev/null >"$at.log" 2>&1 &
    HOST_PID[$name]=$!
    HOST_SERIAL[$name]=0
    local in out
    exec {in}<>"$at.in" {out}<>"$at.out"
    HOST_IN[$name]=$in HOST_OUT[$name]=$out
}

# A network device whose address follows from a name, so that it is the same after a restart.
host_nic()
{
    local sum
    sum=$(printf '%s' "$2" | sha256sum)
    echo "virtio-net-pci,romfile=,netdev=n$1,mac=52:54:00:${sum:0:2}:${sum:2:2}:${sum:4:2}"
}

host_alive()
{
    [ -n "${HOST_PID[$1]:-}" ] && kill -0 "${HOST_PID[$1]}" 2>/dev/null
}

# One line from the host into the variable named; fails at the deadline or when the host is gone.
host_line()
{
    local name=$1 deadline=$2 ret_line=$3 part='' whole=''
    while :; do
        if IFS= read -r -t 1 -u "${HOST_OUT[$name]}" part; then
            printf -v "$ret_line" '%s' "$whole$part"
            return 0
        fi
        whole+=$part
        [ "$SECONDS" -lt "$deadline" ] && host_alive "$name" || return 1
    done
}

# host_ready NAME...: waits until the hosts take commands.
host_ready()
{
    local name line deadline=$((SECONDS + 180))
    for name in "$@"; do
        line=''
        until [[ $line == @ready* ]]; do
            host_line "$name" "$deadline" line || {
                tail -n 20 "$HOSTS_DIR/$name".{console,log} >&2
                hosts_fail "$name did not come up"
            }
        done
    done
}

# host_run NAME SECONDS COMMAND: runs a shell command in the host. Output in HOST_OUTPUT; returns
# its status, 124 when it took too long, 125 when the host is gone (its command may have run).
host_run()
{
    local name=$1 deadline=$((SECONDS + $2)) id line=''
    host_send "$name" "$3"
    id=${HOST_SERIAL[$name]}
    HOST_OUTPUT=''
    while host_line "$name" "$deadline" line; do
        case $line in
        "@done $id "*)
            HOST_OUTPUT=${HOST_OUTPUT%$'\n'}
            return "${line##* }"
            ;;
        ' '*) HOST_OUTPUT+=${line# }$'\n' ;;
        esac
    done
    host_alive "$name" && return 124
    return 125
}

# host_ending NAME: the script's end; what the programs in the host said, if something failed.
host_ending()
{
    # shellcheck disable=SC2016,SC2154
    if [ "$tap_failed" -gt 0 ]; then
        host_run "$1" 30 'for log in /run/*.log /run/*.serial /run/*.console; do [ ! -f $log ] || { echo "$log:"; tail -n 20 $log; }; done'
        tap_comment "$HOST_OUTPUT"
    fi
    tap_done
}

# host_send NAME COMMAND: starts a command without waiting; host_run's answer is then this one's
# successor's, the outputs of both in HOST_OUTPUT.
host_send()
{
    HOST_SERIAL[$1]=$((HOST_SERIAL[$1] + 1))
    [[ $2 != *$'\n'* ]] || hosts_fail "a command is one line: $2"
    printf '%s %s\n' "${HOST_SERIAL[$1]}" "$2" >&"${HOST_IN[$1]}"
}

# host_cut NAME: the host loses its power.
host_cut()
{
    local name=$1
    [ -n "${HOST_PID[$name]:-}" ] || return 0
    if [ -s "$HOSTS_DIR/$name.pid" ] && host_alive "$name"; then
        kill -KILL "$(cat "$HOSTS_DIR/$name.pid")" 2>/dev/null || true
    elif host_alive "$name"; then
        kill -TERM "${HOST_PID[$name]}" 2>/dev/null || true
    fi
    wait "${HOST_PID[$name]}" 2>/dev/null || true
    host_forget "$name"
}

# host_gone NAME SECONDS: waits for the host to end by itself (power off, watchdog).
host_gone()
{
    local deadline=$((SECONDS + $2))
    while host_alive "$1"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
    host_forget "$1"
}

host_forget()
{
    local in=${HOST_IN[$1]} out=${HOST_OUT[$1]}
    exec {in}>&- {out}>&-
    unset "HOST_PID[$1]" "HOST_IN[$1]" "HOST_OUT[$1]"
}

# host_stop NAME / host_continue NAME: the host stands still, as under a paused hypervisor.
host_stop()
{
    kill -STOP "$(cat "$HOSTS_DIR/$1.pid")"
}

host_continue()
{
    kill -CONT "$(cat "$HOSTS_DIR/$1.pid")"
}

# host_forwarded NAME: prints ADDRESS:PORT where the host's forwarded port is reached.
host_forwarded()
{
    local at=$HOSTS_DIR/$1.monitor line deadline=$((SECONDS + 60)) in out
    exec {in}<>"$at.in" {out}<>"$at.out"
    echo 'info usernet' >&"$in"
    while [ "$SECONDS" -lt "$deadline" ]; do
        IFS= read -r -t 1 -u "$out" line || continue
        if [[ $line =~ TCP.HOST_FORWARD.*\ 127\.0\.0\.1\ +([0-9]+)\  ]]; then
            echo "127.0.0.1:${BASH_REMATCH[1]}"
            return 0
        fi
    done
    return 1
}
