"""tests/clients/test_websockets.py over TLS."""

from . import over_tls

over_tls(globals(), "tests.clients.test_websockets", long=True)
