"""tests/daemon/test_disk.py over TLS."""

from . import over_tls

over_tls(
    globals(),
    "tests.daemon.test_disk",
    long=True,
    test_a_file_that_cannot_be_read_to_its_end="it is cut off, which is an error in TLS",
)
