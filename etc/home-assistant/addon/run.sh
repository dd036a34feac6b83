#!/bin/sh
# Turns the add-on's options into a configuration and becomes the gateway. A metergate.yaml in the add-on's own folder
# wins: who writes one wants more than the options say.
set -eu

options=${ADDON_OPTIONS:-/data/options.json}
own=${ADDON_CONFIG:-/config/metergate.yaml}
data=${ADDON_DATA:-/data}
metergate=${METERGATE:-/usr/bin/metergate}
config=$data/metergate.yaml

if [ -f "$own" ]; then
        echo "using $own"
        exec "$metergate" serve --config "$own"
fi
mkdir -p "$data/history"
# JSON is YAML. Home Assistant's login stands before the dashboard, and nothing else reaches this port, hence access;
# options that are empty are none.
jq --arg history "$data/history" '{
        http: { listen: ["0.0.0.0:8730"], access: "open", hosts: (.hosts // []) },
        history: { directory: $history, size: (.history_size // "64MiB") },
        meters: [(.meters // [])[] | with_entries(select(.value != null and .value != ""))]
}' "$options" >"$config"
exec "$metergate" serve --config "$config"
