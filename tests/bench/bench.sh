# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What benchmarks share: our side and the peer's are run in turn, several times, and medians are
# reported. Source this, call the functions:
#   bench_title TEXT                  the table's head
#   bench_median NUMBER...            prints the median
#   bench_row NAME UNIT OURS PEER PEER_NAME AIM [RATIO]
# PEER "-" means that there is none, PEER_NAME then says why. AIM is a comparison that is met or not,
# of the ratio ours/peer or of our own number: "ratio >= 0.95", "ours < 10", or "-" for no aim.
# RATIO: instead of OURS / PEER, the median of each turn's ratio to the peer's turn beside it, which
# what else the machine does changes less than the medians of all turns.
# Each row is one line for people and one JSON object appended to HW_BENCH_RESULTS
# (bench-results.jsonl).

: "${HW_BENCH_RESULTS:=bench-results.jsonl}"

bench_title()
{
    printf '%s\n' "$1"
    printf '%-32s %-8s %12s %12s  %-20s %7s  %-18s %s\n' name unit ours peer 'peer is' ratio aim met
}

bench_median()
{
    printf '%s\n' "$@" | sort -g | awk '
        { value[NR] = $1 }
        END {
            if (NR == 0) exit 1
            print NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2
        }'
}

bench_row()
{
    awk -v name="$1" -v unit="$2" -v ours="$3" -v peer="$4" -v peer_name="$5" -v aim="${6:--}" -v given="${7:-}" \
        -v results="$HW_BENCH_RESULTS" '
        function text(value) {
            gsub(/\\/, "\\\\", value)
            gsub(/"/, "\\\"", value)
            return "\"" value "\""
        }
        function is_number(value) { return value ~ /^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$/ }
        function holds(value, comparison, bound) {
            if (comparison == ">=") return value >= bound
            if (comparison == "<=") return value <= bound
            if (comparison == ">") return value > bound
            if (comparison == "<") return value < bound
            return -1
        }
        BEGIN {
            if (!is_number(ours) || (peer != "-" && !is_number(peer)) || (given != "" && !is_number(given))) {
                print "bench: " name ": not a number: " ours ", " peer > "/dev/stderr"
                exit 1
            }
            ratio = peer != "-" && peer + 0 != 0 ? sprintf("%.3f", given != "" ? given : ours / peer) : "null"
            met = "null"
            if (aim != "-") {
                split(aim, part, " ")
                value = part[1] == "ratio" ? ratio : ours
                if ((part[1] != "ratio" && part[1] != "ours") || value == "null" ||
                    (verdict = holds(value + 0, part[2], part[3] + 0)) < 0) {
                    print "bench: " name ": an aim nobody can meet: " aim > "/dev/stderr"
                    exit 1
                }
                met = verdict ? "true" : "false"
            }
            printf "%-32s %-8s %12s %12s  %-20s %7s  %-18s %s\n", name, unit, ours, peer, peer_name,
                ratio == "null" ? "-" : ratio, aim, met == "null" ? "-" : (verdict ? "yes" : "NO")
            printf "{\"name\":%s,\"unit\":%s,\"ours\":%s,\"peer\":%s,\"peer_name\":%s," \
                "\"ratio\":%s,\"aim\":%s,\"met\":%s}\n", text(name), text(unit), ours,
                peer == "-" ? "null" : peer, text(peer_name), ratio,
                aim == "-" ? "null" : text(aim), met >> results
        }'
}
