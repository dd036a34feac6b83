#!/bin/sh
# http.sh FOLDER: the CPU that an answer costs the gateway, beside a bare libmicrohttpd in the same kind of loop. The
# gateway is the demo with its two meters, which go on being read meanwhile.
set -u

log=$1/demo.log
mkfifo "$1/said" || exit 1
TMPDIR=$1 "$PWD/metergate" demo --listen 127.0.0.1:0 >"$1/said" 2>"$log" &
demo=$!
trap 'kill -INT "$demo"; wait "$demo"' EXIT
trap 'exit 1' HUP INT TERM

# It names its address first and says nothing more.
exec 3<"$1/said"
read -r line <&3
port=${line##*:}
case $port in
'' | *[!0-9]*)
        echo "the demo did not start: $line"
        cat "$log"
        exit 1
        ;;
esac

# Values come after some seconds; an answer full of nulls would be cheaper.
tries=0
until curl -sf "http://127.0.0.1:$port/api/v1/meters/utility/now" | grep -q '"state":"online"'; do
        tries=$((tries + 1))
        [ "$tries" -lt 120 ] || exit 1
        sleep 0.5
done
"$PWD/tests/bench/http_load" "$port" "$demo" "$PWD/tests/bench/http_bare" /api/v1/meters/main/now \
        /api/v1/meters /metrics
