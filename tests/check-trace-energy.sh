#!/bin/sh
# Power of real traces, integrated by the history's code and by awk: a value holds until the next, at most a minute.
set -u

top=${top_srcdir:-$(dirname -- "$0")/..}
data=${METERGATE_SHARED:-$top/../shared}/data
program=$PWD/tests/trace_energy

[ -d "$data" ] || { echo '1..0 # SKIP the traces are not there'; exit 0; }
[ -x "$program" ] || { echo "1..1"; echo "not ok 1 - $program is not built"; exit 1; }

# Column of the power and how many of its steps make 0.1 W.
powers() {
        gzip -dc "$1" | awk -F, '
                NR == 1 {
                        for (i = 2; i <= NF; i++) {
                                if ($i == "power_dW" || $i == "power_1s_dW") { column = i; factor = 1 }
                                if ($i == "power_W") { column = i; factor = 10 }
                        }
                        next
                }
                $column != "" { print $1, $column * factor }'
}

# Every product is far below 2^53, so awk is exact; only whole mWh count: 36000 mW times 0.1 s.
expected() {
        awk -v hold=60 '
                $1 == last { next }
                last != "" {
                        dt = $1 - last; if (dt > hold) dt = hold
                        if (p > 0) import += p * 100 * dt * 10; else export -= p * 100 * dt * 10
                }
                { last = $1; p = $2 }
                END { printf "%d %d\n", int(import / 36000), int(export / 36000) }'
}

number=0
for trace in "$data"/*.csv.gz; do
        number=$((number + 1))
        want=$(powers "$trace" | expected)
        got=$(powers "$trace" | "$program")
        name=$(basename "$trace" .csv.gz)
        if [ "$want" = "$got" ] && [ "$want" != "0 0" ]; then
                echo "ok $number - $name: $got mWh"
        elif [ "$want" = "$got" ] && powers "$trace" | awk '$2 != 0 { found = 1 } END { exit found }'; then
                echo "ok $number - $name: no power at all"
        else
                echo "not ok $number - $name: $got mWh, not $want"
        fi
done
echo "1..$number"
