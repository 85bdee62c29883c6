# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
#
# The owner program (../lab/owner) inside a host: its commands go in through a FIFO, its events
# come out into a file; each event is waited for once, in order.

# owner_start NAME PROGRAM ARGUMENT...: runs it in the background.
owner_start()
{
    owner_name=$1
    shift
    rm -f "/run/$owner_name.in"
    mkfifo "/run/$owner_name.in"
    echo 0 >"/run/$owner_name.seen"
    : >"/run/$owner_name.out"
    {
        # Opened for both, the FIFO never ends.
        "$@" <>"/run/$owner_name.in" >>"/run/$owner_name.out" 2>&1 3>&-
        echo "{\"event\": \"exited\", \"status\": $?}" >>"/run/$owner_name.out"
    } &
}

# owner_say NAME WORD...: one command.
owner_say()
{
    owner_name=$1
    shift
    # Opened for both, this does not wait for a reader that may be gone.
    echo "$*" 1<>"/run/$owner_name.in"
}

# owner_next NAME EVENT...: prints the first line with one of these events that was not seen yet.
owner_next()
{
    owner_name=$1
    shift
    owner_seen=$(cat "/run/$owner_name.seen")
    owner_at=$owner_seen
    owner_pattern=$(printf '%s\n' "$@" | tr '\n' '|')
    sed -n "$((owner_seen + 1)),\$p" "/run/$owner_name.out" >"/run/$owner_name.new"
    while IFS= read -r owner_line; do
        owner_at=$((owner_at + 1))
        if echo "$owner_line" | grep -qE "\"event\": \"(${owner_pattern%|})\""; then
            echo "$owner_at" >"/run/$owner_name.seen"
            echo "$owner_line"
            return 0
        fi
    done <"/run/$owner_name.new"
    return 1
}

# owner_wait NAME SECONDS EVENT...: waits for one of the events, prints its line. Says everything
# when it does not come.
owner_wait()
{
    owner_name=$1
    owner_seconds=$2
    shift 2
    within "$owner_seconds" owner_next "$owner_name" "$@" && return 0
    cat "/run/$owner_name.out"
    return 1
}
