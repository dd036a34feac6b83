#!/bin/sh
# browser.sh TEST.mjs: runs a test that drives a real browser, as TAP; or the measurements. What it needs from npm is
# installed once, by the lock file, outside of all trees.
set -eu
web=${top_srcdir-.}/tests/web

skip() { echo "1..0 # SKIP $1"; exit 0; }
command -v npm >/dev/null 2>&1 || skip 'npm is not installed'
command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || skip 'chromium is not installed'

folder=${XDG_CACHE_HOME:-$HOME/.cache}/metergate/web-tests
mkdir -p "$folder"
exec 9>"$folder/.busy"
flock 9     # until it is installed: another test may have begun to
if ! cmp -s "$web/package-lock.json" "$folder/.lock"; then
        cp "$web/package.json" "$web/package-lock.json" "$folder/"
        (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >npm.log 2>&1) || {
                sed 's/^/# /' "$folder/npm.log"
                echo 'Bail out! npm could not install what the tests need'
                exit 1
        }
        cp "$web/package-lock.json" "$folder/.lock"
fi
exec 9>&-
METERGATE_WEB_MODULES=$folder
export METERGATE_WEB_MODULES
case $1 in
bench.mjs) exec node "$web/$1" ;;
*) exec node --test-reporter=tap "$web/$1" ;;
esac
