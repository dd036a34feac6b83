#!/bin/sh
# The whole dashboard is at most 60 kB as it goes over the wire: it shares a small board's flash, and a phone's
# patience.
set -eu
limit=60000
folder=web/dist
[ -f "$folder/app.js" ] || folder=${top_srcdir-.}/web/dist

echo '1..3'
sum=0
for file in "$folder"/*; do
        bytes=$(gzip -9c "$file" | wc -c)
        sum=$((sum + bytes))
        echo "# ${file##*/}: $bytes"
done
if [ "$sum" -gt 20000 ] && [ "$sum" -le "$limit" ]; then echo "ok 1 - $sum bytes of at most $limit"
else echo "not ok 1 - $sum bytes of at most $limit"; fi
if grep -nE '<style|<script>|style=|[^a-z]on[a-z]+=' "$folder/index.html" | sed 's/^/# /' | grep .
then echo 'not ok 2 - nothing inline in the page'
else echo 'ok 2 - nothing inline in the page'; fi
# Addresses of name spaces and notices are no requests.
if grep -hoE '(src|href|import|url|fetch)[("= ]+["'\'']?(https?:)?//[^"'\'' )]*' \
        "$folder"/*.html "$folder"/*.css "$folder"/*.js | sed 's/^/# /' | grep .
then echo 'not ok 3 - nothing comes from another host'
else echo 'ok 3 - nothing comes from another host'; fi
