#!/bin/sh
# The arrows of docs/ARCHITECTURE.md, held by their includes: protocols/ is pure, and no floor of server/ includes a
# higher one. The checker is tried on wrong samples first, so that it cannot pass by seeing nothing.
set -eu

top=${top_srcdir:-$(dirname -- "$0")/..}
pure='assert|errno|limits|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|sys/types|inttypes'

# Every include of a source tree as "FILE TARGET", system headers with their brackets.
list_includes() {
        (cd "$1" && find protocols server tests -name '*.[ch]' -exec awk '
                match($0, /^[ \t]*#[ \t]*include[ \t]*[<"][^>"]+[>"]/) {
                        line = substr($0, RSTART, RLENGTH)
                        sub(/^[^<"]*/, "", line)
                        gsub(/"/, "", line)
                        print FILENAME, line
                }' {} +)
}

# The floors from the top; every name is a folder, or a file, of server/.
find_wrong_arrows() {
        list_includes "$1" | awk -v pure="^<($pure)[.]h>\$" '
                BEGIN {
                        n = split("main:4 serve:4 history_loop:4 tools:4 api:3 meters:3 push:2 config:2 history:1 " \
                                  "http:1 workbench:1 capture:1 protocols:1 base:0", pairs, " ")
                        for (i = 1; i <= n; i++) {
                                split(pairs[i], pair, ":")
                                floor[pair[1]] = pair[2]
                        }
                        # Neighbours on one floor that must not know each other, in this direction.
                        forbidden["meters api"] = forbidden["http protocols"] = forbidden["http history"] = 1
                        forbidden["history http"] = forbidden["config push"] = 1
                        forbidden["workbench http"] = forbidden["workbench history"] = 1
                        forbidden["workbench capture"] = forbidden["http capture"] = 1
                        forbidden["capture http"] = forbidden["capture history"] = 1
                }
                function place(path) {
                        sub(/^server\//, "", path)
                        sub(/[.\/].*/, "", path)
                        return path
                }
                function wrong(why) { print $1 ": includes " $2 ": " why }

                $1 ~ /^tests\// { next }
                { from = place($1) }
                $2 ~ /(^|\/)\.\.\// { wrong("write it from the top of the tree"); next }
                $2 ~ /^tests\// { wrong("nothing includes tests/"); next }
                from == "protocols" {
                        if ($2 !~ /^protocols\// && $2 !~ pure)
                                wrong("protocols/ includes the C library and itself alone")
                        next
                }
                $2 ~ /^</ { next }
                $2 == "config.h" { next }
                {
                        to = place($2)
                        if (!(from in floor))
                                wrong("no floor is known for " from)
                        else if (!(to in floor))
                                wrong("not of this tree")
                        else if (floor[to] > floor[from] || (from " " to) in forbidden)
                                wrong(from " must not know " to)
                }'
}

number=0
result() {
        number=$((number + 1))
        if [ "$1" = 0 ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; fi
}

# try WRONG|RIGHT FILE INCLUDE: a tree of one file that includes one thing.
try() {
        sample=$(mktemp -d)
        mkdir -p "$sample/$(dirname "$2")" "$sample/protocols" "$sample/server" "$sample/tests"
        printf '#include <stdint.h>\n  #  include %s\n' "$3" >"$sample/$2"
        lines=$(find_wrong_arrows "$sample" | wc -l)
        rm -r "$sample"
        if [ "$1" = WRONG ]; then expected=1; else expected=0; fi
        result $((lines != expected)) "$1: $2 with $3"
}

try WRONG protocols/a.c '<unistd.h>'
try WRONG protocols/a.c '<sys/socket.h>'
try WRONG protocols/b/a.h '"base/log.h"'
try WRONG protocols/b/a.h '"../protocol.h"'
try RIGHT protocols/b/a.h '"protocols/protocol.h"'
try RIGHT protocols/b/a.h '<string.h>'
try WRONG server/base/a.c '"http/route.h"'
try WRONG server/base/a.c '"protocols/quantity.h"'
try WRONG server/http/a.c '"meters/meter.h"'
try WRONG server/http/a.c '"protocols/quantity.h"'
try WRONG server/config/a.c '"meters/meter.h"'
try WRONG server/meters/a.c '"api/app.h"'
try WRONG server/meters/a.c '"serve.h"'
try WRONG server/api/a.c '"tools/tools.h"'
try WRONG server/api/a.c '"tests/helper.h"'
try WRONG server/api/a.c '"elsewhere/a.h"'
try WRONG server/cellar/a.c '"base/log.h"'
try RIGHT server/api/a.c '"meters/meter.h"'
try RIGHT server/api/a.c '"protocols/quantity.h"'
try RIGHT server/tools/a.c '"serve.h"'
try RIGHT server/main.c '"config.h"'
try RIGHT tests/unit/a.c '"api/app.h"'

seen=$(list_includes "$top" | grep -c '^\(protocols\|server\)/' || :)
result $((seen < 100)) "the tree has includes to look at ($seen)"

wrong_arrows=$(find_wrong_arrows "$top")
[ -z "$wrong_arrows" ] || printf '%s\n' "$wrong_arrows" | sed 's/^/# /'
result "$([ -z "$wrong_arrows" ] && echo 0 || echo 1)" "every arrow points down"
echo "1..$number"
