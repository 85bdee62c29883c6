#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The ACPI tables of a machine as ACPICA reads them: it takes them apart and puts them together again
# without a complaint, and what it found is what the machine has.
# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

command -v iasl >/dev/null || tap_skip_all "no iasl; apt-get install acpica-tools"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

# apart CPUS: the tables into $work/CPUS, each taken apart
apart()
{
    mkdir "$work/$1" && "$HW_TOP_BUILDDIR/tests/unit/write_acpi" "$work/$1" "$1" || return 1
    (cd "$work/$1" && iasl -d DSDT FACP APIC FACS RSDT XSDT) >"$work/log" 2>&1
}

# quiet FILE: ACPICA says nothing against it
quiet()
{
    ! grep -E 'Error|Warning|Invalid|Incorrect|Unknown|Remark' "$1" || return 1
}

# again TABLE: compiled, with no complaint
again()
{
    iasl -oa -p "$work/again" "$work/4/$1.dsl" >"$work/again.log" 2>&1
    grep -E 'Compilation (successful|complete)\. 0 Errors, 0 Warnings' "$work/again.log" ||
        ! cat "$work/again.log"
}

# same TABLE: and it is what it was, but for the compiler's own name in the header
same()
{
    cmp <(tail -c +37 "$work/4/$1") <(tail -c +37 "$work/again.aml")
}

# counts NUMBER PATTERN FILE
counts()
{
    local found
    found=$(grep -cE "$2" "$work/4/$3.dsl")
    [ "$found" -eq "$1" ] || ! echo "$found times '$2'"
}

tap_check "the tables of four processors are taken apart" apart 4
tap_check "without a complaint" quiet "$work/log"
for table in DSDT FACP APIC; do
    tap_check "$table: none within" quiet "$work/4/$table.dsl"
done
tap_check "the definitions are compiled again" again DSDT
tap_check "to the same code" same DSDT
tap_check "four processors" counts 4 '_HID, "ACPI0007"' DSDT
tap_check "and their interrupt controllers" counts 4 'Processor Enabled : 1' APIC
tap_check "four interrupt links" counts 4 'Device \(LNK[A-D]\)' DSDT
tap_check "interrupts that are levels" counts 4 'Trigger Mode : 3' APIC
tap_check "a bus, and what is behind its bridge" counts 4 'PNP0A03|PNP0501|PNP0303|PNP0B00' DSDT
tap_check "soft off" counts 1 'Name \(._S5' DSDT
tap_check "the timer" counts 1 'PM Timer Block Address : 00000608' FACP
tap_check "no SMI" counts 1 'SMI Command Port : 00000000' FACP
tap_check "as many processors as there can be" apart 254
tap_check "also without a complaint" quiet "$work/log"
tap_done
