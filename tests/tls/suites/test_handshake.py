"""tests/clients/test_handshake.py over TLS."""

from . import over_tls

over_tls(globals(), "tests.clients.test_handshake")
