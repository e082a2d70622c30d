#!/bin/bash
# The package for this machine's processor, on a Debian 12 that has nothing of Kenpin: inspected, installed by apt beside what
# it depends on, asked its version and about the config it brings, purged; nothing may be left. No systemd runs in there: that is for
# `make vm-test`. Wants the package in target/deb (`make deb`), mmdebstrap, and root for the folder's own users.
set -euo pipefail
cd "$(dirname "$0")/.."
. cross/common
processor=$(dpkg --print-architecture)
package=$(ls -t target/deb/kenpin_*_"$processor".deb 2>/dev/null | head -n 1)
[ -n "$package" ] || fail "there is no package for $processor in target/deb: make deb makes it"
command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing: install it and try again"
root=$(mktemp -d)
leave() {
    ! mountpoint -q "$root/proc" || as_root umount "$root/proc"
    as_root rm -rf --one-file-system "$root"
}
trap leave EXIT
chmod 755 "$root"
inside() { as_root chroot "$root" env DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
wanted() { say "FAILED: $1"; exit 1; }

dpkg --info "$package" | grep -E '^ (Version|Architecture|Depends|Installed-Size)'
dpkg --contents "$package" | awk '{print $1, $2, $3, $6}'
say "Debian bookworm in a folder"
as_root mmdebstrap --quiet --variant=apt --include=systemd,udev,init-system-helpers,libstdc++6 bookworm "$root"
# systemd-tmpfiles looks there for what it has opened.
as_root mount -t proc proc "$root/proc"
as_root cp "$package" "$root/kenpin.deb"
inside apt-get install -y -qq --no-install-recommends /kenpin.deb >"$root/apt.log" 2>&1 || wanted "apt to install it; seen: $(tail -n 3 "$root/apt.log")"
echo "installed: $(inside dpkg-query -W -f '${Package} ${Version} ${Architecture}: ${Status}' kenpin)"
echo "runs: $(inside kenpin --version)"
inside id kenpin >/dev/null || wanted "the user kenpin"
# As the next boot would.
inside systemd-tmpfiles --create kenpin.conf || wanted "its folders"
[ "$(inside stat -c '%U %a' /var/lib/kenpin)" = "kenpin 750" ] || wanted "/var/lib/kenpin to belong to kenpin, mode 750"
code=0
inside kenpin check /etc/kenpin/kenpin.toml >"$root/check.log" 2>&1 || code=$?
[ "$code" = 1 ] || wanted "exit code 1 for the config that it brings, which is not ready; seen $code"
inside apt-get purge -y -qq kenpin >"$root/apt.log" 2>&1 || wanted "apt to purge it; seen: $(tail -n 3 "$root/apt.log")"
as_root rm "$root/kenpin.deb"
left=$(inside find / -xdev \( -iname '*kenpin*' -o -nouser \) -not -path '/proc/*' -not -path '/var/log/*')
[ -z "$left" ] || wanted "nothing to be left of it; seen: $left"
! inside getent passwd kenpin >/dev/null && ! inside getent group kenpin >/dev/null || wanted "no user and no group"
echo "purged: no file, no user, no group"
