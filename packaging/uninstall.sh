#!/bin/sh
# Remove what install.sh has installed, with the same variables. The configuration, the actions and the state
# stay: they are the administrator's.
set -eu

DESTDIR=${DESTDIR:-}
PREFIX=${PREFIX:-/usr/local}
UNITDIR=${UNITDIR:-$PREFIX/lib/systemd/system}

rm -rf "$DESTDIR$PREFIX/lib/ioto-server" "$DESTDIR$PREFIX/share/ioto-server"
rm -f "$DESTDIR$PREFIX/bin/ioto-server" "$DESTDIR$PREFIX/share/man/man8/ioto-server.8"
rm -f "$DESTDIR$UNITDIR/ioto-server.service" "$DESTDIR$UNITDIR/ioto-server.socket"
