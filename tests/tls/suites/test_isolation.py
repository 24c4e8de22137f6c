"""tests/daemon/test_isolation.py over TLS."""

from . import over_tls

over_tls(
    globals(),
    "tests.daemon.test_isolation",
    long=True,
    test_whatever_a_plugin_does_nobody_else_loses_a_message="its bystanders speak no TLS",
)
