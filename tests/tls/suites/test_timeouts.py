"""tests/daemon/test_timeouts.py over TLS."""

from . import over_tls

over_tls(
    globals(),
    "tests.daemon.test_timeouts",
    test_a_close_without_an_answer_ends_in_a_tcp_close="it is cut off, which is an error in TLS",
)
