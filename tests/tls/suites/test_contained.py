"""tests/daemon/test_contained.py over TLS."""

from . import over_tls

over_tls(
    globals(),
    "tests.daemon.test_contained",
    long=True,
    test_a_client_that_shuts_its_side_before_it_is_accepted="TLS has no half-closed streams here",
    test_a_panic_when_a_timeout_has_come_does_not_stop_the_time="it is cut off, which is an error in TLS",
)
