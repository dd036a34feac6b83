#!/bin/sh
# The installed service files as systemd reads them, where it is here to be asked.
set -eu

top=${top_srcdir:-$(dirname -- "$0")/..}
binary=${METERGATE:-$top/build/metergate}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

number=0
# result STATUS NAME [OUTPUT]
result() {
        number=$((number + 1))
        if [ "$1" = 0 ]; then echo "ok $number - $2"; else echo "not ok $number - $2"; fi
        [ -z "${3-}" ] || printf '%s\n' "$3" | sed 's/^/# /'
}
skip() {
        number=$((number + 1))
        echo "ok $number - $1 # SKIP $2"
}

for unit in metergate.service metergate.socket; do
        sed -e "s|@bindir@/metergate|$binary|" -e 's|@sysconfdir@|/etc|' "$top/etc/systemd/$unit.in" >"$work/$unit"
        result "$(grep -c '@[a-z]*@' "$work/$unit" || :)" "$unit: every place is filled in"
done

# Any word that it has to say is one too many: unknown keys are only warnings there.
if command -v systemd-analyze >/dev/null 2>&1; then
        for unit in metergate.service metergate.socket; do
                status=0
                output=$(systemd-analyze verify --man=no "$work/$unit" 2>&1) || status=$?
                output=$(printf '%s\n' "$output" | grep -F "$work" || :)
                [ -z "$output" ] || status=1
                result "$status" "$unit: systemd has nothing to say against it" "$output"
        done
else
        skip "units" "systemd-analyze is not installed"
fi

if command -v systemd-sysusers >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
        mkdir -p "$work/root/etc"
        status=0
        output=$(systemd-sysusers --root="$work/root" "$(cd "$top" && pwd)/etc/sysusers.d/metergate.conf" 2>&1) ||
                status=$?
        result "$status" "sysusers makes the user" "$([ "$status" = 0 ] || printf '%s' "$output")"
        groups=$(sed -n 's/^dialout:.*://p' "$work/root/etc/group" 2>/dev/null || :)
        result "$([ "$groups" = metergate ] && echo 0 || echo 1)" "and puts it into dialout"
else
        skip "user" "needs systemd-sysusers and root"
fi
echo "1..$number"
