#!/bin/sh
# The keys in metergate.yaml(5) are those of the program's own table. `make update-man` writes them there. The commands
# in metergate(1) are those of the program's help.
set -eu

top=${top_srcdir:-$(dirname -- "$0")/..}
page=$top/docs/metergate.yaml.5

# Tab-separated lines, KEY FORM DEFAULT MEANING, as man page source.
to_roff() {
        awk -F '\t' '
                function escape(s) { gsub(/\\/, "\\e", s); gsub(/-/, "\\-", s); gsub(/^[.'"'"']/, "\\\\\\&&", s); return s }
                {
                        print ".TP"
                        print ".B " escape($1)
                        print escape($4)
                        print ".br"
                        form = "Expected: " $2 "."
                        if ($3 == "required") form = form " Required."
                        else if ($3 != "none") form = form " Default: " $3 "."
                        print escape(form)
                }'
}

# The page on stdin with its generated part replaced by the file "$1".
replace_keys() {
        awk -v keys="$1" '
                /^\.\\" keys end/ { while ((getline line < keys) > 0) print line; skip = 0 }
                !skip { print }
                /^\.\\" keys begin/ { skip = 1 }'
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
./tests/print_schema >"$work/table"
to_roff <"$work/table" >"$work/keys"
replace_keys "$work/keys" <"$page" >"$work/page"

if [ "${1-}" = --update ]; then
        cp "$work/page" "$page"
        exit 0
fi

[ "$(wc -l <"$work/table")" -gt 10 ] || printf 'not '
echo "ok 1 - the program knows some keys ($(wc -l <"$work/table"))"
if diff -u "$page" "$work/page" >"$work/diff"; then
        echo "ok 2 - metergate.yaml.5 has the keys of the program"
else
        echo "not ok 2 - metergate.yaml.5 has the keys of the program: run 'make update-man'"
        sed 's/^/# /' "$work/diff"
fi
if command -v groff >/dev/null 2>&1; then
        for name in metergate.1 metergate.yaml.5; do
                groff -man -Tutf8 -ww "$top/docs/$name" 2>>"$work/complaints" >/dev/null ||
                        echo "$name" >>"$work/complaints"
        done
        [ ! -s "$work/complaints" ] || printf 'not '
        echo "ok 3 - groff has nothing to say against the man pages"
        sed 's/^/# /' "$work/complaints"
else
        echo "ok 3 - man pages # SKIP groff is not installed"
fi
./metergate --help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p' >"$work/commands"
while read -r name; do
        grep -q "^\.B metergate $(printf %s "$name" | sed 's/-/\\\\-/g')" "$top/docs/metergate.1" || echo "$name"
done <"$work/commands" >"$work/missing"
[ -s "$work/commands" ] && [ ! -s "$work/missing" ] || printf 'not '
echo "ok 4 - metergate.1 has every command ($(wc -l <"$work/commands"))"
sed 's/^/# missing: /' "$work/missing"
echo "1..4"
