#!/bin/bash
# What systemd says of the unit: `verify` must be silent, `security` must find an exposure of at most 2.0, and each setting it
# finds missing must be spoken of in the unit. Wants systemd-analyze (package systemd); no systemd need run.
set -euo pipefail
cd "$(dirname "$0")/.."
most=2.0
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# A root in which the unit's commands exist; the units it is ordered by are those of this machine.
mkdir -p "$root"/usr/{bin,lib} "$root/etc/systemd/system" "$root/usr/lib/systemd"
ln -s usr/bin "$root/bin"
ln -s usr/lib "$root/lib"
cp -r /usr/lib/systemd/system "$root/usr/lib/systemd/" 2>/dev/null || cp -r /lib/systemd/system "$root/usr/lib/systemd/"
for command in kenpin kill modprobe; do
    printf '#!/bin/sh\n' > "$root/usr/bin/$command"
    chmod +x "$root/usr/bin/$command"
done
cp systemd/kenpin.service "$root/etc/systemd/system/"

failed=0
told=$(systemd-analyze verify --root="$root" kenpin.service 2>&1 | sed "s|$root||g")
# What it says of other units of this machine is not ours.
told=$(grep -E 'kenpin' <<< "$told" || true)
if [ -n "$told" ]; then
    printf 'systemd-analyze verify is not silent:\n%s\n' "$told"
    failed=1
fi

table=$(systemd-analyze security --offline=true --root="$root" kenpin.service 2>&1)
exposure=$(sed -n 's/.*Overall exposure level for kenpin.service: \([0-9.]*\).*/\1/p' <<< "$table")
awk -v seen="$exposure" -v most="$most" 'BEGIN { exit !(seen != "" && seen + 0 <= most) }' || {
    printf 'the exposure is %s, at most %s is wanted\n' "${exposure:-unknown}" "$most"
    failed=1
}
# What it has against devices and families is a setting, not a missing one.
for setting in $(sed -n 's/^✗ \([A-Za-z]*\)=.*/\1/p' <<< "$table" | sort -u); do
    grep -qE "^#? ?$setting=" systemd/kenpin.service || {
        printf '%s= is missing, and no line says why\n' "$setting"
        failed=1
    }
done

if command -v systemd-tmpfiles > /dev/null; then
    mkdir -p "$root/etc"
    printf 'root:x:0:0::/root:/bin/sh\n' > "$root/etc/passwd"
    printf 'root:x:0:\nvideo:x:44:\n' > "$root/etc/group"
    systemd-sysusers --root="$root" "$PWD/systemd/kenpin.sysusers" > "$root/told" 2>&1 || { cat "$root/told"; failed=1; }
    for group in video render gpio; do
        grep -qE "^$group:.*kenpin" "$root/etc/group" || { printf 'the user kenpin is not in the group %s\n' "$group"; failed=1; }
    done
    systemd-tmpfiles --create --root="$root" "$PWD/systemd/kenpin.tmpfiles" > "$root/told" 2>&1 || { cat "$root/told"; failed=1; }
    [ "$(readlink "$root/etc/kenpin/state")" = /var/lib/kenpin ] || { printf 'state does not lead to /var/lib/kenpin\n'; failed=1; }
fi
if command -v udevadm > /dev/null && udevadm verify --help > /dev/null 2>&1; then
    udevadm verify systemd/73-kenpin.rules > "$root/told" 2>&1 || { cat "$root/told"; failed=1; }
fi
[ "$failed" = 0 ] && printf 'systemd-analyze verify is silent; exposure %s, at most %s\n' "$exposure" "$most"
exit "$failed"
