"""tests/daemon/test_http_answers.py over TLS."""

from . import over_tls

over_tls(
    globals(),
    "tests.daemon.test_http_answers",
    test_an_answer_whose_length_is_announced_is_not_chunked="it is cut off, which is an error in TLS",
)
