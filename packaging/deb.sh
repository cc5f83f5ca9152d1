#!/bin/sh
# Makes a Debian package around a binary that is built already, and prints the package's path.
# usage: packaging/deb.sh BINARY FOLDER
#
# Needs dpkg-deb alone: cargo-deb would have to be compiled first, and would build the binary again.
set -eu
[ $# -eq 2 ] || { echo "usage: packaging/deb.sh BINARY FOLDER" >&2; exit 2; }
binary=$(realpath "$1")
folder=$(realpath "$2")
cd "$(dirname "$0")/.."

version=$("$binary" --version | cut -d ' ' -f 2)
architecture=$(dpkg --print-architecture)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"

install -D -m 755 "$binary" "$tree/usr/bin/countersign"
install -D -m 644 packaging/countersign.service "$tree/lib/systemd/system/countersign.service"
install -D -m 644 packaging/countersign.sysusers "$tree/usr/lib/sysusers.d/countersign.conf"
install -d -m 755 "$tree/etc/countersign"
doc=$tree/usr/share/doc/countersign
install -D -m 644 LICENSE "$doc/copyright"
install -m 644 -t "$doc" docs/guide/*.md
for script in postinst prerm postrm; do
    install -D -m 755 "packaging/$script" "$tree/DEBIAN/$script"
done
cat >"$tree/DEBIAN/control" <<CONTROL
Package: countersign
Version: $version
Architecture: $architecture
Maintainer: The Countersign maintainers <maintainers@countersign.dev>
Section: admin
Priority: optional
Depends: libc6, libgcc-s1, systemd | systemd-standalone-sysusers
Recommends: ca-certificates
Installed-Size: $(du -k -s "$tree/usr" | cut -f 1)
Homepage: https://countersign.dev
Description: runtime gate for AI agents
 Agents propose actions, policy and people decide, and the gate executes what
 was allowed with credentials that the agents never see. Every step leaves an
 entry in an append-only log that third parties can verify.
CONTROL

package=$folder/countersign_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$tree" "$package" >/dev/null
echo "$package"
