# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the test guest said, for scripts: source this behind tap.sh.

# guest_value FILE EVENT KEY [N]: in the N-th line of this kind (1)
guest_value()
{
    tr -d '\r' <"$1" | awk -v event="$2" -v key="$3" -v n="${4:-1}" '
        $1 == "@guest" && $2 == event && ++seen == n {
            for (i = 3; i <= NF; i++)
                if (index($i, key "=") == 1)
                    print substr($i, length(key) + 2)
        }'
}

# guest_durable FILE: the last write that is durable; a line that is cut off does not count
guest_durable()
{
    tr '\r' ' ' <"$1" | sed -n '$!s/^@guest durable .*sequence=\([0-9]*\) *$/\1/p' | tail -n 1
}
