"""tests/daemon/test_http_actions.py over TLS."""

from . import over_tls

over_tls(
    globals(),
    "tests.daemon.test_http_actions",
    long=True,
    test_a_form_with_files_which_are_removed_when_the_action_has_returned="its client trusts nobody new",
)
