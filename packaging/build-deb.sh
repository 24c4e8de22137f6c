#!/bin/sh
# Build dist/ioto-server_VERSION_ARCH.deb for the Debian that this runs on. Debian 12's own packages of the
# libraries are too old, so they are in the package, under /usr/lib/ioto-server. `make deb` calls it.
set -eu

SOURCE=$(cd "$(dirname "$0")/.." && pwd)
PYTHON=${PYTHON:-/usr/bin/python3}
PIP=${PIP:-"$PYTHON -m pip"}
OUTPUT=${OUTPUT:-$SOURCE/dist}
VERSION=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$SOURCE/pyproject.toml")
ARCHITECTURE=$(dpkg --print-architecture)

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
DESTDIR=$root PREFIX=/usr UNITDIR=/lib/systemd/system PYTHON=$PYTHON PIP=$PIP "$SOURCE/packaging/install.sh"

# Compiled libraries are for one minor version of Python: the package asks for that one.
python=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
next=$("$PYTHON" -c 'import sys; print("%d.%d" % (sys.version_info[0], sys.version_info[1] + 1))')
documents=$root/usr/share/doc/ioto-server
install -d -m 755 "$root/DEBIAN" "$documents"
install -m 644 "$SOURCE/LICENSE" "$documents/copyright"
# postinst compiles them for the Python that is there.
find "$root/usr/lib/ioto-server" -name __pycache__ -type d -prune -exec rm -rf {} +
# Wheels bring what a debugger wants; Debian's packages do without.
find "$root/usr/lib/ioto-server" -name '*.so' -exec strip --strip-unneeded --remove-section=.comment {} +
gzip -9n "$root/usr/share/man/man8/ioto-server.8"
gzip -9n <"$SOURCE/CHANGELOG.md" >"$documents/NEWS.gz"
maintainer=$(sed -n 's/^Maintainer: //p' "$SOURCE/packaging/debian/control")
date=$(date -R -u -r "$SOURCE/CHANGELOG.md")
printf 'ioto-server (%s) stable; urgency=medium\n\n  * What is new stands in NEWS.gz.\n\n -- %s  %s\n' \
	"$VERSION" "$maintainer" "$date" | gzip -9n >"$documents/changelog.gz"
size=$(du -ks --exclude=DEBIAN "$root" | cut -f1)
sed -e "s/@VERSION@/$VERSION/" -e "s/@ARCHITECTURE@/$ARCHITECTURE/" -e "s/@SIZE@/$size/" \
	-e "s/@PYTHON@/$python/" -e "s/@NEXT@/$next/" "$SOURCE/packaging/debian/control" >"$root/DEBIAN/control"
(cd "$root" && find etc -type f -printf '/%p\n' | sort) >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
	install -m 755 "$SOURCE/packaging/debian/$script" "$root/DEBIAN/$script"
done
mkdir -p "$OUTPUT"
dpkg-deb --root-owner-group --build "$root" "$OUTPUT/ioto-server_${VERSION}_$ARCHITECTURE.deb"
