"""tests/daemon/test_start_stop.py over TLS."""

from . import over_tls

over_tls(
    globals(),
    "tests.daemon.test_start_stop",
    test_settings_may_stand_under_web="it writes its own file",
    test_it_listens_on_every_endpoint="it names its own endpoints",
    test_a_unix_socket_is_removed="a unix socket has no TLS",
    test_an_unknown_key_is_a_warning_with_the_nearest_name="of the configuration",
    test_a_key_with_an_underscore_is_skipped_in_silence="of the configuration",
)
