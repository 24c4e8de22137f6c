"""tests/clients/test_frames.py over TLS."""

from . import over_tls

over_tls(globals(), "tests.clients.test_frames")
