"""tests/daemon/test_isolation.py over TLS."""

from . import over_tls

over_tls(globals(), "tests.daemon.test_isolation", long=True)
