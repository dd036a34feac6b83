#!/bin/sh
# What `metergate discover` says about recordings whose truth is known: a table of claims, and counts. Arguments go to
# pytest, such as -k captured. METERGATE names the binary, METERGATE_SHARED the folder with captures and traces.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
METERGATE=${METERGATE-$top/build/metergate}
export METERGATE
verdicts='  (right|wrong|factor of ten|cannot tell)(, not demanded)?$'
counts='demanded +[0-9]+:|^not demanded |^demanded and right|METERGATE_SEED|^[0-9]+ (passed|failed)'

cd "$top"
printf '%-44s %-34s %-34s %s\n' recording truth 'claim (level, confidence)' verdict
"${PYTHON-python3}" -m pytest -p no:cacheprovider -q -rPF tests/e2e/test_discover.py "$@" |
        grep -E "$verdicts|$counts" || true
