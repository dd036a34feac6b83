#!/bin/sh
# embed.sh [--gzip] SYMBOL FILE...: a C file on stdout that defines SYMBOL, an array of struct embedded_file with the
# content of each file and a NULL entry at its end. Each content is followed by a 0 that its length does not count.
# With --gzip it has the files compressed as well, where that makes them smaller.
# The same input gives the same output everywhere, as far as gzip does: its name and time are left out.
set -eu
LC_ALL=C
export LC_ALL

compress=
if [ "${1-}" = --gzip ]; then
        compress=yes
        shift
fi
if [ $# -lt 1 ]; then
        echo "usage: embed.sh [--gzip] SYMBOL FILE..." >&2
        exit 2
fi
symbol=$1
shift

for file; do
        if [ ! -f "$file" ] || [ ! -r "$file" ]; then
                echo "embed.sh: $file: not a readable file" >&2
                exit 1
        fi
        case ${file##*/} in
        *[!A-Za-z0-9._+-]*)
                echo "embed.sh: $file: the name may have letters, digits and ._+- only" >&2
                exit 1
                ;;
        esac
done

echo '/* Made by embed.sh. */'
echo '#include "base/embedded.h"'
echo
# Some of them are declared in no header that this file includes.
echo "extern const struct embedded_file $symbol[];"

# put_bytes NAME: stdin as an array.
put_bytes() {
        echo
        echo "static const unsigned char $1[] = {"
        od -An -v -tu1 | sed -e 's/^ *//' -e 's/  */,/g' -e 's/$/,/'
        echo '0 };'
}

is_smaller_compressed() {
        [ "$(gzip -9nc "$1" | wc -c)" -lt "$(wc -c <"$1")" ]
}

n=0
entries=
for file; do
        put_bytes "file_$n" <"$file"
        gzip='NULL, 0'
        if [ -n "$compress" ] && is_smaller_compressed "$file"; then
                gzip -9nc "$file" | put_bytes "gzip_$n"
                gzip="gzip_$n, sizeof gzip_$n - 1"
        fi
        entries="$entries        { \"${file##*/}\", file_$n, sizeof file_$n - 1, $gzip },
"
        n=$((n + 1))
done

echo
echo "const struct embedded_file $symbol[] = {"
printf '%s' "$entries"
echo '        { NULL, NULL, 0, NULL, 0 },'
echo '};'
