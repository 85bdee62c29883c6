#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# bootstrap deps: on a Debian (of pretence: its tools are fakes that write down how they are called)
# it installs what is missing and nothing else, asks for root only for that, and says what to do
# when it cannot; on another system it lists the packages by purpose.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
echo 'ID=debian' >"$work/debian"
echo 'ID=fedora' >"$work/fedora"

# fake NAME: a program of that name with this text
fake()
{
    { echo '#!/bin/sh'; cat; } >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}

# every package asked for is installed, but those named in the file "missing"
fake dpkg-query <<EOF
shift 3
for package; do
    grep -qxF "\$package" "$work/missing" || echo "installed \$package"
done
EOF
fake apt-get <<EOF
echo "apt-get \$*" >>"$work/calls"
[ ! -e "$work/apt-fails" ]
EOF
fake sudo <<EOF
echo "sudo \$1" >>"$work/calls"
exec "\$@"
EOF

# deps UID [SYSTEM]: run bootstrap deps as this user; its words and calls are kept
deps()
{
    fake id <<<"echo $1"
    : >"$work/calls"
    PATH=$work/bin:$PATH HAWSER_OS_RELEASE=$work/${2:-debian} \
        "$HW_TOP_SRCDIR/bootstrap" deps >"$work/output" 2>&1
}

: >"$work/missing"
tap_check "nothing is missing" deps 1000
tap_is "then nothing is called and nothing said" "$(cat "$work/calls" "$work/output")" ""

printf 'liburing-dev\ntgt\n' >"$work/missing"
tap_check "two packages are missing, as root" deps 0
tap_is "then just these are installed" "$(grep install "$work/calls")" \
    "apt-get -y -qq --no-install-recommends install liburing-dev tgt"
tap_is "without sudo" "$(grep -c sudo "$work/calls")" 0

tap_check "two packages are missing, as a user" deps 1000
tap_is "then sudo is asked" "$(grep -c '^sudo apt-get\|^sudo env' "$work/calls")" 2

touch "$work/apt-fails"
tap_check "apt-get fails" bash -c '! "$@"' - env PATH="$work/bin:$PATH" \
    HAWSER_OS_RELEASE="$work/debian" "$HW_TOP_SRCDIR/bootstrap" deps
deps 0
tap_is "then the remedy is the last line" "$(tail -n 1 "$work/output")" \
    "bootstrap: apt-get failed; as root: apt-get install liburing-dev tgt "
rm "$work/apt-fails"

tap_check "another system" deps 0 fedora
tap_is "gets nothing installed" "$(cat "$work/calls")" ""
tap_is "and a list by purpose" "$(grep -cE 'compiler |libraries |tests |lab |hosts ' \
    "$work/output")" 5
tap_check "with what is missing here in it" grep -q liburing-dev "$work/output"

wrong_usage()
{
    "$HW_TOP_SRCDIR/bootstrap" "$@" >"$work/output" 2>&1
    [ $? -eq 2 ] && grep -q '^usage:' "$work/output"
}
tap_check "no command is wrong usage" wrong_usage
tap_check "an unknown command is wrong usage" wrong_usage fly
tap_done
