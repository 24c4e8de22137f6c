"""tests/daemon/test_compression.py over TLS."""

from . import over_tls

over_tls(globals(), "tests.daemon.test_compression", long=True)
