#!/bin/sh
# metergate decode from outside: every form of input, exit codes, what it says to bad input. One TAP result each.
set -u

metergate=${METERGATE:-./metergate}
shared=${METERGATE_SHARED-$(dirname -- "$0")/../../../shared}
captures=$shared/captures/tuyamcu
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
number=0

if ! command -v jq >/dev/null; then
        echo "1..0 # SKIP jq is missing"
        exit 0
fi

result() {
        number=$((number + 1))
        if [ "$1" = 0 ]; then
                echo "ok $number - $2"
        else
                echo "not ok $number - $2"
                sed 's/^/# /' "$work/out" "$work/err"
        fi
}

skipped() {
        number=$((number + 1))
        echo "ok $number - $1 # SKIP no folder of captures"
}

# decode ARGS: stdin and arguments as given; output in $work/out, errors in $work/err, status in $work/status, because
# behind a pipe no variable comes back.
decode() {
        ${METERGATE_RUN-} "$metergate" decode "$@" >"$work/out" 2>"$work/err"
        echo $? >"$work/status"
}

ended_with() {
        [ "$(cat "$work/status")" = "$1" ]
}

# expect NAME STATUS FILTER: the output as one array must satisfy the filter.
expect() {
        ended_with "$2" && jq -se "$3" "$work/out" >/dev/null
        result $? "$1"
}

# refuse NAME STATUS PATTERN: that status, one line of error that matches.
refuse() {
        ended_with "$2" && [ "$(wc -l <"$work/err")" = 1 ] && grep -q -- "$3" "$work/err"
        result $? "$1"
}

current='55 AA 03 07 00 08 12 02 00 04 00 00 00 4D 76'
product='55AA0301002A7B2270223A22646A66657039733673336232716B3839222C2276223A22312E302E30222C226D223A327D63'

# --- the examples of the format ---------------------------------------------------------------------------------

echo "$current" | decode --profile pj-mgw1103 -
expect "a report with the profile given" 0 '. == [{"protocol":"tuyamcu","version":3,"command":7,"length":8,
        "datapoints":[{"dp":18,"type":"value","raw":77}],"readings":{"current_a":0.077}}]'
[ "$(cat "$work/out")" = '{"protocol":"tuyamcu","version":3,"command":7,"length":8,"datapoints":[{"dp":18,"type":"value","raw":77}],"readings":{"current_a":0.077}}' ]
result $? "the same to the letter"
echo "$current" | decode -
expect "no readings without a profile" 0 'length == 1 and (.[0] | has("readings") | not)'
printf '%s\n%s\n' "$product" "$current" | decode -
expect "the product key picks the profile" 0 '.[0].json == {"p":"djfep9s6s3b2qk89","v":"1.0.0","m":2} and
        .[1].readings == {"current_a":0.077}'
echo 55AA03070006010200040017 2D | decode --stats -
expect "a truncated datapoint" 0 '.[0].datapoints == [{"dp":1,"error":"dp_truncated","declared":4,"present":2}] and
        .[1] == {"stats":{"frames":1,"noise_bytes":0,"pending_bytes":0,"total_bytes":13}}'
echo 55AA0307000C0600000809060007FA000174A8 | decode -
expect "a raw datapoint" 0 '.[0].length == 12 and
        .[0].datapoints == [{"dp":6,"type":"raw","length":8,"hex":"09060007FA000174"}]'
echo 55AA0307000C0600000809060007FA000174A8 | decode --profile eaemp3c -
expect "a phase" 0 '.[0].datapoints == [{"dp":6,"type":"raw","length":8,"hex":"09060007FA000174"}] and
        .[0].readings == {"channels":{"l1":{"voltage_v":231,"current_a":2.042,"power_w":372}}}'
printf '%s\n%s\n' 55AA0307000C03000008160B160B0000000466 \
        55AA0307000C040000080B1D0B1D0000000071 | decode --profile tac2121c -
expect "history" 0 '[.[].datapoints[0].decoded] == [{"layout":"month8","year":22,"month":11,"energy_kwh":0.04},
        {"layout":"day8","month":11,"day":29,"energy_kwh":0}] and (.[0] | has("readings") | not)'
echo 55AA030700181200001401010050030100F5040100A0080000320900000781 | decode --profile eaemp3c -
expect "limits" 0 '.[0].datapoints[0].decoded == {"layout":"limits4","over_current_a":80,"over_current_action":"trip",
        "over_voltage_v":245,"over_voltage_action":"trip","under_voltage_v":160,"under_voltage_action":"trip",
        "low_balance_kwh":50,"low_balance_action":"alarm","code_9":7,"code_9_action":"alarm"}'

# --- forms of input -----------------------------------------------------------------------------------------------

printf '# kind: stream\n00 55 AA 03 07 00\n08 12 02 00 04 00\n\n00 00 4D 76 55 AA\n' | decode --stats -
expect "a stream over several lines" 0 '.[0].datapoints[0].raw == 77 and
        .[1].stats == {"frames":1,"noise_bytes":1,"pending_bytes":2,"total_bytes":18}'
printf '# kind: frames\n55 AA 03 07 00\n08 12 02 00 04 00\n' | decode --stats -
expect "lines that stand alone" 0 '. == [{"stats":{"frames":0,"noise_bytes":6,"pending_bytes":5,"total_bytes":11}}]'
printf '55AA03070210%s55AA' "$(echo "$current" | tr -d ' ')" | decode --stats -
expect "a good frame inside a falsely announced length" 0 '.[1].stats ==
        {"frames":1,"noise_bytes":6,"pending_bytes":2,"total_bytes":23}'
printf '2026-11-21T10:00:00.123Z rx 55AA0307\n2026-11-21T10:00:00.130Z tx 55AA0008000007\n2026-11-21T10:00:00.140Z rx 00081202000400\n1795255200.150 rx 00004D76\n' |
        decode --stats -
expect "timed lines of two directions" 0 '[.[] | [.command, .direction, .at]] == [[8,"tx","2026-11-21T10:00:00.130Z"],
        [7,"rx","2026-11-21T10:00:00.150Z"],[null,null,null]] and .[2].stats.noise_bytes == 0'
printf '1795255200000 rx 55AA03070100\n1795255200500 rx %s\n' "$current" | decode --stats -
expect "silence gives up a part-frame" 0 '.[0].datapoints[0].raw == 77 and .[0].at == "2026-11-21T10:00:00.500Z" and
        .[1].stats.noise_bytes == 6'
printf '"2026-11-21 10:00:00",55AA030"2026-11-21 10:00:00",7' | decode -
refuse "half a byte in an entry" 1 '^metergate: stdin:1: half a byte in column 7; expected'
printf '"2026-11-21 10:00:00",55AA0307"2026-11-21 10:00:00",0008120200\n"2026-11-21 10:00:00",040000004D76' |
        TZ=Europe/Warsaw decode -
expect "entries of a terminal program, in local time" 0 '.[0].datapoints[0].raw == 77 and
        .[0].at == "2026-11-21T09:00:00.000Z"'
printf 'Info:MAIN:Time 143\n\nInfo:TuyaMCU:TUYAMCU received: %s \r\nInfo:x\nTUYAMCU received: 55 AA 03 03 00 00 05\n' \
        "$current" | decode --stats -
expect "an OpenBeken log" 0 '[.[] | .command] == [7,3,null] and .[0].direction == "rx" and .[2].stats.total_bytes == 22'
: | decode --stats -
expect "nothing at all" 0 '. == [{"stats":{"frames":0,"noise_bytes":0,"pending_bytes":0,"total_bytes":0}}]'

# --- mistakes -----------------------------------------------------------------------------------------------------

echo "55 AA xx" >"$work/bad.hex"
decode "$work/bad.hex"
refuse "a malformed line" 1 '^metergate: .*/bad\.hex:1: unexpected .x. in column 7; expected'
printf '%s\nmore\n' "$current" | decode -
refuse "a malformed line behind a good one" 1 '^metergate: stdin:2: '
[ "$(wc -l <"$work/out")" = 1 ]
result $? "the good one has been decoded"
decode "$work/missing.hex"
refuse "a missing file" 1 'missing\.hex: No such file or directory$'
decode --protocol zigbee "$work/bad.hex"
refuse "an unknown protocol" 2 "no protocol 'zigbee'; expected tuyamcu"
decode --profile pj-9999 "$work/bad.hex"
refuse "an unknown profile" 2 "no profile 'pj-9999'; expected .*pj-mgw1103"
decode
refuse "no file named" 2 'expected one FILE or -'
decode --frobnicate x
ended_with 2
result $? "an unknown option"
decode --help
ended_with 0 && grep -q -- --show-secrets "$work/out" && [ ! -s "$work/err" ]
result $? "help"
head -c 200000 /dev/zero | tr '\0' 5 | decode -
refuse "a line without end" 1 '^metergate: stdin:1: line longer than 65536 characters; expected'

# --- real captures ------------------------------------------------------------------------------------------------

# The last readings in a capture.
last() {
        jq -cs 'map(.readings // {}) | add' "$work/out"
}

if [ -d "$captures" ]; then
        decode --stats "$captures/pj-mgw1103-seed-boot-real.hex"
        jq -se '[.[] | .readings // empty][:3] | add == {"current_a":0.075,"power_w":17.5,"voltage_v":238.9}' \
                "$work/out" >/dev/null
        result $? "the published boot: 0.075 A, 17.5 W, 238.9 V"
        decode --profile pj-mgw1103 "$captures/pj-mgw1103-seed-query-real.hex"
        [ "$(last)" = '{"current_a":0.077,"power_w":17.7,"voltage_v":240.3}' ]
        result $? "the published query: 0.077 A, 17.7 W, 240.3 V"
        for file in "$captures"/*-stream-*.hex "$captures"/error-recovery-*.hex; do
                expected=$(sed -n 's/^# expect-stats: //p' "$file")
                decode --stats "$file"
                is=$(tail -n 1 "$work/out" | jq -r '.stats | to_entries | map("\(.key)=\(.value)") | join(" ")')
                ended_with 0 && [ "$is" = "$expected" ]
                result $? "statistics of $(basename "$file")"
        done
else
        skipped "the published boot"
        skipped "the published query"
fi
echo "1..$number"
