#!/bin/sh
# Unit tests of the dashboard by Node's own runner, as TAP.
set -eu
if ! command -v node >/dev/null 2>&1; then
        echo '1..0 # SKIP node is not installed'
        exit 0
fi
exec node --test-reporter=tap "${top_srcdir-.}/tests/web/unit/all.mjs"
