#!/bin/sh
# Install into $DESTDIR$PREFIX with all Python dependencies in a folder of its own: nothing of the system's
# Python is touched, and nothing the system updates changes what the server runs with. `make install` calls it.
#
#   DESTDIR     put in front of every path, for packages        (empty)
#   PREFIX      program and libraries                           (/usr/local)
#   SYSCONFDIR  configuration and actions                       (/etc)
#   UNITDIR     systemd units                                   ($PREFIX/lib/systemd/system)
#   PYTHON      the interpreter that will run it, 3.11 or newer (/usr/bin/python3)
#   PIP         pip for that interpreter                        ($PYTHON -m pip)
set -eu

DESTDIR=${DESTDIR:-}
PREFIX=${PREFIX:-/usr/local}
SYSCONFDIR=${SYSCONFDIR:-/etc}
UNITDIR=${UNITDIR:-$PREFIX/lib/systemd/system}
PYTHON=${PYTHON:-/usr/bin/python3}
PIP=${PIP:-"$PYTHON -m pip"}
SOURCE=$(cd "$(dirname "$0")/.." && pwd)
LIBRARY=$DESTDIR$PREFIX/lib/ioto-server
CONFIGURATION=$DESTDIR$SYSCONFDIR/ioto-server

# All that can fail is done beside what is installed already, which goes on working whatever happens here: a
# server that runs has its modules in memory, and one that starts meanwhile finds the old ones. The last step
# is two renames.
FRESH=$LIBRARY.new
OLD=$LIBRARY.old
copy=$(mktemp -d)
clean() {
	rm -rf "$copy" "$FRESH" "$DESTDIR$PREFIX/bin/ioto-server.new"
	# Interrupted between the two.
	[ -e "$LIBRARY" ] || [ ! -e "$OLD" ] || mv -T "$OLD" "$LIBRARY"
	rm -rf "$OLD"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

clean
mkdir -p "$copy"
for folder in "$FRESH" "$DESTDIR$PREFIX/bin" "$DESTDIR$UNITDIR" "$CONFIGURATION" "$CONFIGURATION/actions"; do
	# The mode of one that is there is the administrator's: it may keep a password from others.
	[ -d "$folder" ] || install -d -m 755 "$folder"
done
# Built from a copy: a build leaves files in its source.
(cd "$SOURCE" && find . -maxdepth 1 -type f -exec cp -t "$copy" {} + && cp -r ioto_server "$copy/")
find "$copy" \( -name __pycache__ -o -name '*.so' -o -name '*.c' \) -prune -exec rm -rf {} +
# Without quotes: it is a command with its arguments.
$PIP --disable-pip-version-check --no-input --quiet install \
	--no-compile --no-warn-script-location --target "$FRESH" "$copy"
rm -rf "$FRESH/bin"
# They are modules here, not programs, and name interpreters that need not exist.
find "$FRESH" -name '*.py' -exec chmod 644 {} + -exec grep -lZ '^#!' {} + | xargs -0r sed -i '1s/^#!.*//'
# Compiled once, here: the service may not write beside its library, and would compile all of it at every start.
$PYTHON -m compileall -q -s "$FRESH" -p "$PREFIX/lib/ioto-server" "$FRESH"

cat >"$DESTDIR$PREFIX/bin/ioto-server.new" <<END
#!$PYTHON -I
"""Run ioto-server with its own libraries, wherever both were moved to together."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib" / "ioto-server"))

from ioto_server.cli import main

main()
END
chmod 755 "$DESTDIR$PREFIX/bin/ioto-server.new"

[ ! -e "$LIBRARY" ] || mv -T "$LIBRARY" "$OLD"
mv -T "$FRESH" "$LIBRARY"
mv -T "$DESTDIR$PREFIX/bin/ioto-server.new" "$DESTDIR$PREFIX/bin/ioto-server"

# The configuration is the administrator's: what is there stays.
if [ ! -e "$CONFIGURATION/web.json5" ]; then
	# The service may write to its state folder alone, and its control socket is in its runtime folder.
	sed -e "s|'../actions'|'actions'|" \
		-e "s|'run/upload'|'/var/lib/ioto-server/upload'|" \
		-e "s|// control: .*|control: '/run/ioto-server/control.sock',|" \
		"$SOURCE/etc/web.json5" >"$CONFIGURATION/web.json5"
	chmod 644 "$CONFIGURATION/web.json5"
	find "$SOURCE/actions" -name '*.py' -printf '%P\n' | while read -r name; do
		install -D -m 644 "$SOURCE/actions/$name" "$CONFIGURATION/actions/$name"
	done
fi

install -d -m 755 "$DESTDIR$PREFIX/share/man/man8"
install -m 644 "$SOURCE/packaging/ioto-server.8" "$DESTDIR$PREFIX/share/man/man8/"

install -d -m 755 "$DESTDIR$PREFIX/share/ioto-server"
install -m 644 "$SOURCE/docs/grafana.json" "$DESTDIR$PREFIX/share/ioto-server/"

for unit in service socket; do
	sed -e "s|/usr/bin/|$PREFIX/bin/|" -e "s|/etc/|$SYSCONFDIR/|" \
		"$SOURCE/systemd/ioto-server.$unit" >"$DESTDIR$UNITDIR/ioto-server.$unit"
	chmod 644 "$DESTDIR$UNITDIR/ioto-server.$unit"
done
