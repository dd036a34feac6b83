#!/bin/sh
# Runs every fuzz target of FUZZ_TARGETS (paths in the build tree) for FUZZ_SECONDS, as many at a time as there are
# processors, starting from its seeds. What it finds is kept in corpus/ and findings/. One TAP result for each target.
# METERGATE_SEED gives other tries.
set -u

seconds=${FUZZ_SECONDS:-60}
slots=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)

run_target() {
        name=$(basename "$1")
        seeds=$top_srcdir/tests/fuzz/seeds/${name#fuzz_}
        mkdir -p "corpus/$name" "findings/$name"
        "$1" -seed="${METERGATE_SEED:-20261121}" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=1024 \
                -print_final_stats=1 -verbosity=0 -artifact_prefix="findings/$name/" "corpus/$name" "$seeds" >"$name.out" 2>&1
        echo $? >"$name.rc"
}

set -- ${FUZZ_TARGETS:?}
echo "1..$#"
running=0
for target; do
        run_target "$target" &
        running=$((running + 1))
        if [ "$running" -ge "$slots" ]; then
                wait
                running=0
        fi
done
wait

number=0
for target; do
        number=$((number + 1))
        name=$(basename "$target")
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$name.out")
        if [ "$(cat "$name.rc")" = 0 ]; then
                echo "ok $number - $name: $runs inputs in $seconds s"
        else
                echo "not ok $number - $name: see findings/$name"
                sed 's/^/# /' "$name.out" | tail -n 60
        fi
done
