#!/bin/sh
# metergate decode from outside: every form of input, exit codes, what it says to bad input. One TAP result each.
set -u

metergate=${METERGATE:-./metergate}
shared=${METERGATE_SHARED-$(dirname -- "$0")/../../../shared}
captures=$shared/captures/tuyamcu
vue_captures=$shared/captures/vue
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
printf '2026-11-21T10:00:00Z tx 55 AA 00 06 00 08 13 02 00 04 00 00 27 0F 5C\n2026-11-21T10:00:01Z rx %s\n' "$current" |
        decode --profile pj-mgw1103 -
expect "what somebody wants a datapoint to be is no reading" 0 '.[0].datapoints == [{"dp":19,"type":"value","raw":9999}] and
        (.[0] | has("readings") | not) and .[1].readings == {"current_a":0.077}'
printf '1795255200000 rx 55AA03070100\n1795255200500 rx %s\n' "$current" | decode --stats -
expect "silence gives up a part-frame" 0 '.[0].datapoints[0].raw == 77 and .[0].at == "2026-11-21T10:00:00.500Z" and
        .[1].stats.noise_bytes == 6'
printf '"2026-11-21 10:00:00",55AA030"2026-11-21 10:00:00",7' | decode -
refuse "half a byte in an entry" 1 '^metergate: stdin:1: half a byte in column 7; expected'
printf '"2026-11-21 10:00:00",55AA0307"2026-11-21 10:00:00",0008120200\n"2026-11-21 10:00:00",040000004D76' |
        TZ=Europe/Warsaw decode -
expect "entries of a terminal program, in local time" 0 '.[0].datapoints[0].raw == 77 and
        .[0].at == "2026-11-21T09:00:00.000Z"'
printf '1795255200.5 rx %s\n1795255201.5 rx 55 AA 0' "$current" | decode --stats -
expect "a recording that was cut off" 0 '.[0].datapoints[0].raw == 77 and
        .[1].stats == {"frames":1,"noise_bytes":0,"pending_bytes":2,"total_bytes":17}'
refuse "and it is told where" 0 '^metergate: stdin:2: the recording ends in the middle of this line$'
printf 'Info:MAIN:Time 143\n\nInfo:TuyaMCU:TUYAMCU received: %s \r\nInfo:x\nTUYAMCU received: 55 AA 03 03 00 00 05\n' \
        "$current" | decode --stats -
expect "an OpenBeken log" 0 '[.[] | .command] == [7,3,null] and .[0].direction == "rx" and .[2].stats.total_bytes == 22'
: | decode --stats -
expect "nothing at all" 0 '. == [{"stats":{"frames":0,"noise_bytes":0,"pending_bytes":0,"total_bytes":0}}]'

# --- Emporia Vue --------------------------------------------------------------------------------------------------

solar='24 01 72 2C 18 91 01 00 00 00 25 80 66 59 00 00 00 01 00 00 25 78 F4 78 00 00 00 01 03 00 22 01 00 00 02 03 00 22 E8 03 00 00 04 00 2A 8D 03 00 0D'
install_code='24 01 69 08 01 23 45 67 89 AB 5C 3F 0D'

echo "$solar" | decode --protocol vue -
[ "$(cat "$work/out")" = '{"protocol":"vue","type":"r","length":44,"layout":"zcl","sequence":145,"multiplier":1,"divisor":1000,"readings":{"power_w":909,"energy_import_kwh":5858.944,"energy_export_kwh":7926.904}}' ]
result $? "a reading, to the letter"
echo "$install_code" | decode --protocol vue -
expect "an install code is masked" 0 '. == [{"protocol":"vue","type":"i","length":8,"install_code":"masked","crc":"ok"}]'
echo "$install_code" | decode --protocol vue --show-secrets -
expect "an install code is shown to who asks" 0 '.[0].install_code == "0123456789AB5C3F" and .[0].crc == "ok"'
printf '%s\n' '24 01 66 02 07 00 0D' '24 01 07 00 0D' '24 01 72 02 18 01 0D' '24 01 22 00 0D' \
        '24 01 69 07 01 23 45 67 89 AB 5C 0D' '24 01 72 0A 18 05 01 01 03 00 22 FF FF FF 0D' '24 01 72 07 18 06 01 00 00 00 99 0D' |
        decode --protocol vue --show-secrets -
expect "messages that say nothing" 0 'map(del(.protocol)) == [{"type":"f","length":2,"reject":"bad_length"},
        {"type":"0x07","length":0,"reject":"unknown_type"}, {"type":"r","length":2,"reject":"short"},
        {"type":"\"","length":0,"reject":"unknown_type"}, {"type":"i","length":7,"reject":"bad_length"},
        {"type":"r","length":10,"layout":"zcl","sequence":5,"multiplier":null,"reject":"no_scale"},
        {"type":"r","length":7,"layout":"zcl","sequence":6,"reject":"bad_record"}]'
printf '24 01 72 16 18 0D 01 00 03 00 30 80 01 03 00 22 01 00 00 02 03 00 22 01 00 00 0D\n' | decode --protocol vue -
expect "a unit that is not kWh brings no watts" 0 '.[0].readings == {} and .[0].divisor == 1'
printf '# kind: stream\n24 01 72 FF %s\n24 01 6A' "$solar" | decode --protocol vue --stats -
expect "a false header at the end of a file" 0 '.[0].sequence == 145 and
        .[1].stats == {"frames":1,"noise_bytes":4,"pending_bytes":3,"total_bytes":56}'
printf '2026-11-21T10:00:00.000Z tx 24 72 0D\n2026-11-21T10:00:00.085Z rx 24 01 6A 01\n2026-11-21T10:00:00.090Z rx 01 0D\n2026-11-21T10:00:01.000Z rx 24 01 72 FF\n2026-11-21T10:00:01.250Z rx 24 01 6A 01 00 0D\n' |
        decode --protocol vue --stats -
expect "timed lines, requests and silence" 0 '[.[:3][] | [.join // .request, .direction, .at]] ==
        [["r","tx","2026-11-21T10:00:00.000Z"], [1,"rx","2026-11-21T10:00:00.090Z"], [0,"rx","2026-11-21T10:00:01.250Z"]]
        and .[3].stats == {"frames":3,"noise_bytes":4,"pending_bytes":0,"total_bytes":19}'
printf '2026-11-21T10:00:00.000Z rx 24 72 0D\n2026-11-21T10:00:00.085Z tx 24 01 6A 01 01 0D\n2026-11-21T10:00:00.090Z tx 24\n2026-11-21T10:00:00.091Z tx 6A 0D 24 6A 24 72\n' |
        decode --protocol vue --stats -
expect "two lines that were mixed up" 0 '[.[:2][] | [.join // .request, .direction]] == [[1,"tx"],["j","tx"]] and
        .[2].stats == {"frames":2,"noise_bytes":5,"pending_bytes":2,"total_bytes":16}'
printf '"2023-12-08 17:59:44",24016A"2023-12-08 17:59:44",01000D"2023-12-08 18:00:14",2401650102' |
        TZ=UTC decode --protocol vue --stats -
expect "entries of a terminal program, a frame in two" 0 '.[0].join == 0 and .[0].at == "2023-12-08T17:59:44.000Z" and
        .[1].stats.pending_bytes == 5'
echo "$solar" | decode --protocol vue --profile pj-mgw1103 -
refuse "a profile where none is needed" 2 '^metergate: --profile: vue needs none, .*; expected no --profile$'

# same_as_listed CAPTURE: every line of output has the values of its expect line in the capture, no fewer, no more.
same_as_listed() {
        sed -n 's/^# expect\(-frame\)\{0,1\}: //p' "$1" |
                grep -v -e 'reject=bad_terminator' -e 'reject=incomplete' >"$work/expect"
        jq -ne --rawfile expect "$work/expect" --slurpfile out "$work/out" '
                def number($is; $factor; $text): $is != null and ($is * $factor - ($text | tonumber) | fabs) < 0.001;
                def reading($r; $key; $factor; $text):
                        if $text == "absent" then $r | has($key) | not
                        elif $text == "invalid" then ($r | has($key)) and $r[$key] == null
                        else number($r[$key]; $factor; $text) end;
                def holds($o; $key; $text):
                        if $key == "len" then number($o.length; 1; $text)
                        elif $key == "seq" then number($o.sequence; 1; $text)
                        elif $key == "watts" then reading($o.readings; "power_w"; 1; $text)
                        elif $key == "wh_consumed" then reading($o.readings; "energy_import_kwh"; 1000; $text)
                        elif $key == "wh_returned" then reading($o.readings; "energy_export_kwh"; 1000; $text)
                        elif $o[$key] | type == "number" then number($o[$key]; 1; $text)
                        else $o[$key] == $text end;
                ($expect | rtrimstr("\n") | split("\n") |
                        map(split(" ") | map(split("=") | {(.[0]): .[1]}) | add)) as $lines |
                ($out | map(select(has("stats") | not))) as $frames |
                ($lines | length) == ($frames | length) and $out[-1].stats.frames == ($frames | length) and
                all(range($lines | length); . as $i | $frames[$i] as $o |
                        ($o | has("reject")) == ($lines[$i] | has("reject")) and
                        ($o | has("reject") and has("readings") | not) and
                        all($lines[$i] | to_entries[]; holds($o; .key; .value)))' >/dev/null
}

if [ -d "$vue_captures" ]; then
        for file in "$vue_captures"/*.hex; do
                name=$(basename "$file")
                decode --protocol vue --stats --show-secrets "$file"
                ended_with 0 && same_as_listed "$file"
                result $? "$name: what is listed"
                tail -n 1 "$work/out" >"$work/stats"
                if grep -q '^# kind: stream' "$file"; then
                        # Every byte on a line of its own.
                        { echo '# kind: stream'; grep -v '^#' "$file" | tr -s ' ' '\n'; } >"$work/bytes.hex"
                        decode --protocol vue --stats --show-secrets "$work/bytes.hex"
                        ended_with 0 && same_as_listed "$file" && tail -n 1 "$work/out" | cmp -s - "$work/stats"
                        result $? "$name: the same byte by byte"
                fi
        done
        decode --protocol vue --stats "$vue_captures/stream-chatter-synthetic.hex"
        expect "console text is noise" 0 '.[-1].stats ==
                {"frames":3,"noise_bytes":329,"pending_bytes":0,"total_bytes":383}'
        decode --protocol vue --stats "$vue_captures/stream-garbage-synthetic.hex"
        expect "bytes of a broken frame are noise" 0 '.[-1].stats ==
                {"frames":3,"noise_bytes":68,"pending_bytes":0,"total_bytes":172}'
        decode --protocol vue --stats "$vue_captures/discovery/v7-real-derived.sniff.txt"
        expect "packets as a terminal program wrote them" 0 '.[-1].stats.noise_bytes == 0 and
                .[-1].stats.pending_bytes == 0 and .[-1].stats.frames > 0 and all(.[:-1][]; .type == "r" and has("readings") and has("at"))'
else
        skipped "the captures of a Vue"
fi

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
