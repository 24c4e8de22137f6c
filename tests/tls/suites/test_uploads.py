"""tests/daemon/test_uploads.py over TLS."""

from . import over_tls

over_tls(globals(), "tests.daemon.test_uploads")
