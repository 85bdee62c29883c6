#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The table of reservation sequences (tests/lab/sequences.table) over LIO in a whole host.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
: "${HW_TOP_SRCDIR:=$(cd "$here/../.." && pwd)}"
export HW_TOP_SRCDIR
program=${HW_PLAIN_BUILDDIR:-$HW_TOP_SRCDIR/build}/tests/lab/sequences
if [ ! -x "$program" ]; then
    echo "1..0 # SKIP $program is not built"
    exit 77
fi
# shellcheck disable=SC2016 # the URL is known in there only
exec "$here/lio-portal" bash -c 'program=$1; shift; exec "$program" "$@" "lio=$LIO_URL"' \
    - "$program" "$@"
