"""tests/clients/test_npm_ws.py over TLS."""

from . import over_tls

over_tls(globals(), "tests.clients.test_npm_ws", long=True)
