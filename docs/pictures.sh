#!/bin/sh
# Makes the README's pictures anew from the system that is up in this folder: fedloop demo --stay, then docs/pictures.sh.
# Needs chromium and pngquant.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# picture NAME PAGE WIDTH HEIGHT: the top of a page.
picture() {
  chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --blink-settings=preferredColorScheme=1 \
    --window-size="$3,$4" --screenshot="$work/$1.png" "file://$2" 2>/dev/null
  pngquant --force --quality 60-95 --output "$here/images/$1.png" 64 "$work/$1.png"
}

node "$here/../bin/fedloop.js" dashboard preview --out "$work/fleet.html" "$here/../dashboards/fleet-and-accuracy.json"
node "$here/../bin/fedloop.js" report --out "$work/report.html"
picture fleet "$work/fleet.html" 1504 1316
picture report "$work/report.html" 960 1000
