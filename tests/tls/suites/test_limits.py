"""tests/daemon/test_limits.py over TLS."""

from . import over_tls

over_tls(
    globals(),
    "tests.daemon.test_limits",
    test_the_deadlines_of_one_connection_may_be_its_own="it is cut off, which is an error in TLS",
)
