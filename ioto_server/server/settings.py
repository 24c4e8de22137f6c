"""Numbers of the server room that are no directives."""

from typing import Final

# Bytes read from a socket at once, into the one buffer that all connections of a loop share. Enough for a
# message of 64 KiB to arrive whole, and small enough for the processor's cache.
READ_BUFFER: Final = 128 * 1024

# Bytes of a request read ahead of the action that reads its body; then the socket is not read.
BODY_AHEAD: Final = 64 * 1024

# Pending connections that the kernel keeps for a listener until we accept them.
LISTEN_BACKLOG: Final = 4096
