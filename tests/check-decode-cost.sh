#!/bin/sh
# What history costs on real traces: bytes a value, all in, and instructions to decode one, which is how a small board's
# speed is watched on any machine.
set -u

top=${top_srcdir:-$(dirname -- "$0")/..}
data=${METERGATE_SHARED:-$top/../shared}/data
instructions_max=22
counted_lines=10000     # of each trace: enough, and valgrind is slow

skip() {
        echo "1..0 # SKIP $1"
        exit 0
}

[ -d "$data" ] || skip 'the traces are not there'
program=$PWD/tests/trace_pages
[ -x "$program" ] || { echo "1..1"; echo "not ok 1 - $program is not built"; exit 1; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
number=0
result() {
        number=$((number + 1))
        if [ "$1" = 0 ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; fi
}

# at_most LIMIT PART WHOLE WHAT
at_most() {
        quotient=$(awk -v a="$2" -v b="$3" 'BEGIN { if (a > 0 && b > 0) printf "%.2f", a / b; else print "unknown" }')
        result "$(awk -v q="$quotient" -v max="$1" 'BEGIN { print (q == "unknown" || q + 0 > max + 0) }')" \
                "$4: $quotient, at most $1"
}

count_instructions() {
        gzip -dc "$1" 2>"$folder/stderr" | head -n "$counted_lines" | \
                valgrind --tool=callgrind --toggle-collect=codec_decode --callgrind-out-file=/dev/null \
                        "$program" >"$folder/counts" 2>"$folder/valgrind"
        collected=$(sed -n 's/.*Collected : *//p' "$folder/valgrind")
        read -r _ _ decoded _ <"$folder/counts"
}

for trace in "$data"/*.csv.gz; do
        name=$(basename "$trace" .csv.gz)
        case $name in
        *_1min_*) bytes_max=1.0 ;;
        *) bytes_max=0.8 ;;
        esac
        if ! gzip -dc "$trace" | "$program" >"$folder/counts" 2>"$folder/stderr"; then
                result 1 "$name: $(cat "$folder/stderr")"
                continue
        fi
        read -r values bytes _ build <"$folder/counts"
        at_most "$bytes_max" "$bytes" "$values" "$name: bytes a value"
        if [ "$build" = optimised ] && command -v valgrind >/dev/null; then
                count_instructions "$trace"
                at_most "$instructions_max" "${collected:-0}" "${decoded:-0}" "$name: instructions a value"
        fi
done
echo "1..$number"
