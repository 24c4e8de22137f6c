"""Header fields as a log may show them: without the queries of their URIs, which hold keys (SPEC 10)."""

from __future__ import annotations

import re
from typing import Final

# Fields whose value is a URI, or ends with one: all from the query on is taken out, and a fragment too.
_URI_FIELDS: Final = frozenset(
    {
        "content-location",
        "destination",
        "location",
        "origin",
        "referer",
        "refresh",
        "sourcemap",
        "x-forwarded-uri",
        "x-forwarded-url",
        "x-original-uri",
        "x-original-url",
        "x-rewrite-url",
    }
)
_TO_THE_END: Final = re.compile(r"[?#].*", re.DOTALL)
# In any other field (Link, Cookie, the uri of a Digest): up to what cannot be in a URI.
_IN_BETWEEN: Final = re.compile(r"\?[^\s<>\"]*")
# The booleans of structured fields (RFC 8941, 3.3.6), such as those of Sec-Fetch-User.
_BOOLEANS: Final = ("?0", "?1")


def without_query(name: str, value: str) -> str:
    """The value of a header field, with `?…` for every query in it, and `#…` for the fragment of its URI."""
    pattern = _TO_THE_END if name.lower() in _URI_FIELDS else _IN_BETWEEN
    return value if value in _BOOLEANS else pattern.sub(lambda found: f"{found[0][0]}…", value)
