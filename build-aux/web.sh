#!/bin/sh
# web.sh SRC OUT: builds the dashboard. SRC is web/ of the sources, OUT web/ of the build: its node_modules is filled
# by npm from the lock file when it is missing or out of date, and OUT/dist is what gets embedded. Where there is no
# npm, the files that a release tarball brings along in SRC/dist are used as they are.
# METERGATE_NODE_MODULES names a node_modules to use in place of OUT's: that of the tree around a tree of tests.
set -eu

if [ $# != 2 ]; then
        echo "usage: web.sh SRC OUT" >&2
        exit 2
fi
src=$(CDPATH='' cd -- "$1" && pwd)
mkdir -p "$2"
out=$(CDPATH='' cd -- "$2" && pwd)
files='app.js chart.js favicon.svg index.html style.css'

if ! command -v npm >/dev/null 2>&1; then
        if [ ! -f "$src/dist/app.js" ]; then
                echo "web.sh: npm is missing: install it (Debian: nodejs npm), or build from a release tarball" >&2
                exit 1
        fi
        [ "$src" = "$out" ] || { mkdir -p "$out/dist" && cp -f "$src"/dist/* "$out/dist/"; }
        for file in $files; do touch "$out/dist/$file"; done
        exit 0
fi

modules=${METERGATE_NODE_MODULES:-$out/node_modules}
if [ -z "${METERGATE_NODE_MODULES:-}" ] && ! cmp -s "$src/package-lock.json" "$modules/.lock"; then
        for file in package.json package-lock.json; do
                [ "$src" = "$out" ] || cp -f "$src/$file" "$out/$file"
        done
        (cd "$out" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >npm.log 2>&1) || {
                cat "$out/npm.log" >&2
                echo "web.sh: npm could not install what the dashboard is built with" >&2
                exit 1
        }
        rm -f "$out/npm.log"
        cp "$src/package-lock.json" "$modules/.lock"
fi

# esbuild bundles, terser makes it small: one page has to fit beside everything else on the flash of a small board.
# Both keep the libraries' notices, as their licences ask for.
mkdir -p "$out/dist"
mkdir -p "$out/bundle"
bundle() {
        NODE_PATH=$modules "$modules/.bin/esbuild" "$@" --bundle --minify --format=esm --outdir="$out/bundle" \
                --log-level=warning --charset=utf8 --target=chrome105,firefox105,safari16 --legal-comments=inline
}
bundle "$src/src/app.jsx" --jsx=transform --jsx-factory=h --jsx-fragment=Fragment --inject:"$src/src/jsx.js" \
        --external:./chart.js
sed -f "$src/uplot.sed" "$modules/uplot/dist/uPlot.esm.js" >"$out/bundle/uplot.js"
bundle "$src/src/chart.js" "$src/src/style.css" --alias:uplot="$out/bundle/uplot.js"
for file in app.js chart.js; do
        "$modules/.bin/terser" "$out/bundle/$file" --module --comments some --output "$out/dist/$file" --mangle \
                --compress passes=3,unsafe=true,unsafe_arrows=true,ecma=2020,pure_getters=true,keep_fargs=false
done
cp -f "$out/bundle/style.css" "$src/src/index.html" "$src/src/favicon.svg" "$out/dist/"
rm -rf "$out/bundle"
# All of one age, the first of the list the oldest: make compares the others with it.
for file in $files; do touch "$out/dist/$file"; done
