#!/bin/sh
# make bench: what the history costs, and what SQLite and rrdtool cost for the same; what an answer over HTTP costs,
# and what a bare libmicrohttpd costs; what remote write costs. Exits 1 when a promise is missed.
# BENCH_PARTS='http' runs those parts alone.
# BENCH_DAYS=365 feeds a whole year for the last part (minutes of work) instead of a week.
set -u

top=${top_srcdir:-$(dirname -- "$0")/../..}
traces=${METERGATE_SHARED:-$top/../shared}/data
days=${BENCH_DAYS:-7}
loop=
status=0

folder=$(mktemp -d "$PWD/bench-XXXXXX") || exit 1
tidy() {
        if [ -n "$loop" ]; then
                umount "$folder/mount"
                losetup -d "$loop"
        fi
        rm -rf "$folder"
}
trap tidy EXIT
trap 'exit 1' HUP INT TERM

# part NAME TITLE COMMAND...
part() {
        case " ${BENCH_PARTS-$1} " in *" $1 "*) ;; *) return ;; esac
        shift
        printf '\n== %s\n' "$1"
        shift
        mkdir -p "$folder/data"
        "$@" || status=1
        rm -rf "$folder/data"
}

# An ext4 of its own on a loop device. False, with the reason in $why, where that is not possible.
mount_loop() {
        why='this needs root'
        [ "$(id -u)" = 0 ] || return 1
        why='mkfs.ext4 or losetup is missing'
        command -v mkfs.ext4 >/dev/null && command -v losetup >/dev/null || return 1
        why='no loop device can be had here'
        truncate -s 128M "$folder/image" && mkdir "$folder/mount" || return 1
        mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 "$folder/image" || return 1
        device=$(losetup -f --show "$folder/image" 2>/dev/null) || return 1
        if ! mount -t ext4 "$device" "$folder/mount" 2>/dev/null; then
                losetup -d "$device"
                return 1
        fi
        loop=$device
}

measure_writes() {
        if mount_loop; then
                mkdir "$folder/mount/data"
                "$PWD/tests/bench/measure" writes "$folder/mount/data" "$traces" \
                        "/sys/block/$(basename "$loop")/stat"
        else
                echo "the writes on a real ext4 are not measured: $why"
                "$PWD/tests/bench/measure" writes "$folder/data" "$traces"
        fi
}

decode_cost() {
        sh "$top/tests/check-decode-cost.sh" >"$folder/decode"
        sed -n -e 's/^ok [0-9]* - /ok      /p' -e 's/^not ok [0-9]* - /MISSED  /p' \
                -e 's/^1\.\.0 # SKIP /not measured: /p' "$folder/decode"
        ! grep -q '^not ok' "$folder/decode"
}

under_attack() {
        "${PYTHON:-python3}" -m pytest -q -p no:cacheprovider -rP "$top/tests/e2e/test_attack.py::test_attack" \
                >"$folder/attack" 2>&1 || { cat "$folder/attack"; return 1; }
        sed -n -e '/^slowest/p' -e '/^private/p' "$folder/attack"
}

part compare 'beside SQLite and rrdtool' "$PWD/tests/bench/compare" "$folder/data" "$traces"
part decode 'decoding real traces' decode_cost
part writes 'writes' measure_writes
part memory 'memory' "$PWD/tests/bench/measure" memory "$folder/data" "$traces"
part attack '500 streams, 200 slow-loris and worse' under_attack
part retention 'how far back it reaches' "$PWD/tests/bench/measure" retention "$folder/data" "$traces" "$days"
part push 'remote write' "$PWD/tests/bench/push"
part http 'an answer over HTTP' sh "$top/tests/bench/http.sh" "$folder/data"

printf '\n%s\n' "$([ $status = 0 ] && echo 'every promise is kept' || echo 'a promise is MISSED')"
exit $status
