#!/usr/bin/env bash
# Start the daemon with the shipped file, up to the moment it says that it listens, and end it there.
# `make bench-start` gives the time this takes: interpreter, imports, configuration, plugins, sockets.
# Usage: until-listening.sh PROGRAM
set -euo pipefail

# Two settings keep out of the way of a server that runs already; everything else is as it ships.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
exec {log}< <(exec "$1" start --config etc/web.json5 \
    --set listen=http://127.0.0.1:0 --set control="$folder/control.sock")
daemon=$!
while read -r line <&"$log"; do
    if [[ $line == *'"event": "listening"'* ]]; then
        kill -KILL "$daemon"
        # Without this its processor time would not be counted as ours.
        wait "$daemon" || exit 0
    fi
done
echo "$1 ended without listening" >&2
exit 1
