#!/bin/bash
# Runs `make demo` with a subscriber beside it that is not ours, and wants that one to receive a verdict for every test cell.
set -euo pipefail
cd "$(dirname "$0")/.."
cross/setup test
cells=$(wc -w <models/elpv/test.txt)
seen=$(mktemp)
trap 'rm -f "$seen"' EXIT

make demo DEMO='--hold-s 5' &
demo=$!
# Refused until the demo's broker is there; over when something came, or the demo ended.
until mosquitto_sub -V 5 -q 1 -p 18830 -t kenpin/v1/demo/verdict -C "$cells" -W 300 >"$seen" 2>/dev/null ||
    [ -s "$seen" ] || ! kill -0 $demo 2>/dev/null; do
    sleep 0.2
done
wait $demo

count=$(wc -l <"$seen")
if [ "$count" != "$cells" ]; then
    echo "demo: mosquitto_sub received $count verdicts, want $cells" >&2
    exit 1
fi
echo "demo: mosquitto_sub received $count verdicts, one for each cell"
