#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every lint on this tree, and first on a bad sample: a lint that cannot fail is no lint. Run by
# make check-lint.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

lints=$HW_TOP_SRCDIR/tests/lint
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
HW_WARNING_FLAGS="-D_GNU_SOURCE -I$HW_TOP_BUILDDIR ${HW_LIBRARY_CFLAGS-}"
export HW_WARNING_FLAGS

# have PROGRAM...: all of them are there
have()
{
    command -v "$@" >/dev/null && [ "$(command -v "$@" | wc -l)" -eq $# ]
}

# sample PATH: a file of the bad sample, from standard input
sample()
{
    mkdir -p "$work/bad/$(dirname "$1")"
    cat >"$work/bad/$1"
}

# must_find LINT PATTERN: the lint fails on the bad sample and says PATTERN; the next sample is new
must_find()
{
    local output
    if output=$("$lints/lint-$1" "$work/bad" 2>&1); then
        tap_not_ok "$1 finds: $2" "it found nothing wrong"
    elif grep -qE -- "$2" <<<"$output"; then
        tap_ok "$1 finds: $2"
    else
        tap_not_ok "$1 finds: $2" "$output"
    fi
    rm -rf "$work/bad"
}

# lints that the tree does not pass yet; they are run and their findings shown, until it does
not_yet=""

# on_tree LINT NAME COMMAND...: the lint on this tree
on_tree()
{
    local lint=$1 name=$2
    shift 2
    if [[ " $not_yet " == *" $lint "* ]]; then
        tap_comment "$("$@" 2>&1)"
        tap_skip "$name" "not enforced yet"
    else
        tap_check "$name" "$@"
    fi
}

# lines N: N lines of C
lines()
{
    printf '/* SPDX-License-Identifier: GPL-2.0-or-later */\n/*\n * Job.%s\n */\n' "${2-}"
    yes 'int sto_x(void);' | head -n "$(($1 - 4))"
}

lines 401 | sample storage/a.c
must_find sizes 'a.c:1: 401 lines'
lines 801 ' over 400: it is a table' | sample storage/a.c
must_find sizes 'a.c:1: 801 lines; above 800'
{ printf 'void f(void)\n{\n'; yes '    g();' | head -n 119; printf '}\n'; } | sample cli/a.c
must_find sizes 'a.c:2: function of 121 lines'
on_tree sizes "sizes: the tree" "$lints/lint-sizes" "$HW_TOP_SRCDIR"

printf 'int a;\n' | sample common/a.c
must_find heads 'a.c:1: the licence'
printf '/* SPDX-License-Identifier: GPL-2.0-or-later */\nint a;\n' | sample common/a.h
must_find heads 'a.h:2: no head comment'
on_tree heads "heads: the tree" "$lints/lint-heads" "$HW_TOP_SRCDIR"

printf '#include "storage/sto_lun.h"\n' | sample common/a.c
must_find includes 'a.c:1: common may not include from storage'
printf '#include "hw_error.h"\n' | sample common/a.c
must_find includes 'a.c:1: "hw_error.h" is not spelled with its folder'
printf '#include <stdio.h>\n#include <config.h>\n' | sample common/a.c
must_find includes 'a.c:2: config.h comes first'
printf '#include "common/hw_error.h"\n#include "clusterd/io/ipc.h"\n' | sample clusterd/core/a.c
must_find includes 'a.c:2: clusterd/core may not include from clusterd'
on_tree includes "includes: the tree" "$lints/lint-includes" "$HW_TOP_SRCDIR"

printf '/* Job. */\n\nint sto_a(int a,\n          int b);\n' | sample storage/a.h
must_find documented 'a.h:3: this function is not documented'
printf '/* Fine. */\nint sto_a(void);\n\nstatic inline int sto_b(void)\n{\n}\n' | sample storage/a.h
must_find documented 'a.h:4: this function is not documented'
on_tree documented "documented: the tree" "$lints/lint-documented" "$HW_TOP_SRCDIR"

printf 'void f(char *to)\n{\n    strcpy(to, "x");\n}\n' | sample common/a.c
must_find banned 'a.c:3:.*strcpy'
printf 'void f(void)\n{\n    usleep(5);\n}\n' | sample cli/a.c
must_find banned 'a.c:3:.*usleep'
on_tree banned "banned: the tree" "$lints/lint-banned" "$HW_TOP_SRCDIR"

if have "${HW_CLANG_FORMAT:-none}"; then
    printf 'int f( void ) { return 1; }\n' | sample common/a.c
    must_find format 'a.c:1:.*clang-format'
    on_tree format "format: the tree" "$lints/lint-format" "$HW_TOP_SRCDIR"
else
    tap_skip "format" "no clang-format-14; apt-get install clang-format-14"
fi

printf 'int f(void);\n' | sample storage/sto_a.c
printf '/* storage/sto_ab */\n' | sample tests/unit/test_sto_ab.c
printf 'unit_tests += dir/test_sto_ab\n' | sample tests/unit/module.am
must_find tested 'sto_a.c:1: no unit test names storage/sto_a'
printf '/* storage/sto_a */\n' | sample tests/unit/test_sto_a.c
printf 'unit_tests += dir/test_sto_ab\n' | sample tests/unit/module.am
must_find tested 'test_sto_a.c:1: not registered'
on_tree tested "tested: the tree" "$lints/lint-tested" "$HW_TOP_SRCDIR"

# compile FILE: the sample's object beside it
compile()
{
    ${HW_CC:-cc} -c -fno-common -o "$work/bad/${1%.c}.o" "$work/bad/$1"
}

printf 'static int count;\nint f(void) { return ++count; }\n' | sample storage/a.c
compile storage/a.c
must_find globals 'a.o:1: mutable data: count in .bss'
printf 'int f(void) { static int next = 7; return next++; }\n' | sample cli/a.c
compile cli/a.c
must_find globals 'a.o:1: mutable data: next.* in .data'
on_tree globals "globals: the build" "$lints/lint-globals" "$HW_TOP_BUILDDIR"

core_objects=$HW_CORE_OBJECTS
printf '#include <time.h>\nlong f(void) { return (long)time(0); }\n' | sample storage/a.c
compile storage/a.c
HW_CORE_OBJECTS=storage/a.o must_find core 'a.o:1: a core object may not use time'
on_tree core "core: the build" env HW_CORE_OBJECTS="$core_objects" "$lints/lint-core" "$HW_TOP_BUILDDIR"

# pages: the build's own, with one verb, one option, one word too few
bad_pages()
{
    rm -rf "$work/bad"
    mkdir -p "$work/bad/cli"
    cp -r "$HW_TOP_BUILDDIR/doc" "$work/bad/doc"
    cp "$HW_TOP_BUILDDIR/cli/hawser" "$work/bad/cli/hawser"
    sed -i "$2" "$work/bad/doc/$1"
}
bad_pages hawser-lun.1 's/^\.Ss hawser lun takeover$/.Ss hawser lun other/'
must_find pages 'hawser-lun.1: no verb "lun takeover"'
bad_pages hawser-lun.1 '/^\.It Fl .-max-memory/d'
must_find pages 'hawser-lun.1: no --max-memory of "lun init"'
bad_pages hawser.1 '/^\.It Nm Ar lun show$/d'
must_find pages 'hawser.1: no verb "lun show"'
bad_pages bash-completion/hawser 's/ claim / /'
must_find pages 'completion: no verb "lun claim"'
bad_pages bash-completion/hawser 's/--generation //'
must_find pages 'completion: no --generation of'
on_tree pages "pages: the build" "$lints/lint-pages" "$HW_TOP_BUILDDIR"

if have shellcheck; then
    # shellcheck disable=SC2016
    printf '#!/bin/sh\nif [ $1 == a ]; then echo; fi\n' | sample tests/a
    must_find shell 'tests/a:2:.*SC3014'
    # shellcheck disable=SC2016
    printf '#!/bin/sh\nif [ $1 == a ]; then echo; fi\n' | sample tests/fuzz/corpus/a
    printf '#!/bin/sh\necho\n' | sample tests/a
    on_tree shell "shell: what fuzzers made up is no script" "$lints/lint-shell" "$work/bad"
    rm -rf "$work/bad"
    on_tree shell "shell: the tree" "$lints/lint-shell" "$HW_TOP_SRCDIR"
else
    tap_skip "shell" "no shellcheck; apt-get install shellcheck"
fi

if have gcc clang; then
    printf 'int f(long a);\nint f(long a)\n{\n    return a;\n}\n' | sample common/a.c
    must_find warnings 'a.c:4:.*conversion'
    on_tree warnings "warnings: the tree, gcc and clang" "$lints/lint-warnings" "$HW_TOP_SRCDIR"
else
    tap_skip "warnings" "not both of gcc and clang; apt-get install gcc clang"
fi

if have git && [ -e "$HW_TOP_SRCDIR/.git" ]; then
    printf 'int a;\n' | sample common/forgotten.c
    (cd "$work/bad" && git init -q . && git add .)
    HW_DISTFILES="common/other.c storage" must_find dist 'forgotten.c:1: not in the distribution'
    on_tree dist "dist: the tree" "$lints/lint-dist" "$HW_TOP_SRCDIR"
else
    tap_skip "dist" "this tree is not under git"
fi

tap_done
