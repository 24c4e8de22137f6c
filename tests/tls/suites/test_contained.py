"""tests/daemon/test_contained.py over TLS."""

from . import over_tls

over_tls(
    globals(),
    "tests.daemon.test_contained",
    long=True,
    test_a_client_that_shuts_its_side_before_it_is_accepted="TLS has no half-closed streams here",
)
