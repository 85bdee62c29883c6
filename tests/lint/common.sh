# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the lints share: which files of a tree are looked at. A lint is run as
#   lint-NAME TREE
# prints one line "FILE:LINE: what is wrong" for each finding and exits 1 if there is any.

lint_folders="common storage fencing clusterd vm-adapter vmm-core resource-agent cli"

# the C files of the product's folders ($1 = product) or of the tests too ($1 = all), below $tree
c_files()
{
    local folders=$lint_folders folder
    [ "$1" = product ] || folders="$folders tests"
    for folder in $folders; do
        [ ! -d "$tree/$folder" ] || (cd "$tree" && find "$folder" -name '*.[ch]')
    done | sort
}

tree=${1:?usage: lint-NAME TREE}
findings=0

finding()
{
    printf '%s\n' "$*"
    findings=$((findings + 1))
}

# each line of a command's output is a finding
findings_from()
{
    local line
    while IFS= read -r line; do
        finding "$line"
    done < <("$@")
}

lint_done()
{
    [ "$findings" -eq 0 ]
    exit
}
