#!/bin/sh
# embed.sh SYMBOL FILE...: a C file on stdout that defines SYMBOL, an array of struct embedded_file with the content
# of each file and a NULL entry at its end. Each content is followed by a 0 that its length does not count.
# The same input gives the same output everywhere.
set -eu
LC_ALL=C
export LC_ALL

if [ $# -lt 1 ]; then
        echo "usage: embed.sh SYMBOL FILE..." >&2
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

n=0
for file; do
        echo
        echo "static const unsigned char file_$n[] = {"
        od -An -v -tu1 "$file" | sed -e 's/^ *//' -e 's/  */,/g' -e 's/$/,/'
        echo '0 };'
        n=$((n + 1))
done

echo
echo "const struct embedded_file $symbol[] = {"
n=0
for file; do
        echo "        { \"${file##*/}\", file_$n, sizeof file_$n - 1 },"
        n=$((n + 1))
done
echo '        { NULL, NULL, 0 },'
echo '};'
