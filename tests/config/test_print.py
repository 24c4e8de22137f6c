"""Every value of the model survives being printed and loaded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ioto_server.config import UNLIMITED, Config, load_config
from ioto_server.config.directives import Directive, members, show
from ioto_server.config.json5text import write, write_config
from ioto_server.config.readers_http import METHODS, REDIRECT_STATUS
from ioto_server.config.scan import scan
from ioto_server.config.source import Source

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}(\.[a-z0-9]{1,8})?", fullmatch=True)
LINES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=12)
PATHS = LINES.filter(lambda text: "@" not in text and text.strip("./"))
URL_PATHS = st.from_regex(r"/[a-zé/.-]{0,8}", fullmatch=True)
SIZES = st.one_of(
    st.integers(1, UNLIMITED), st.sampled_from([UNLIMITED, "1.5 MB", "64K", "unlimited", "MAXINT", "7 bytes"])
)
DURATIONS = st.one_of(
    st.floats(1e-6, 3e9), st.integers(1, 10**6), st.sampled_from(["never", "5 mins", "250ms", "1.5 weeks"])
)
ENDPOINTS = st.one_of(
    st.builds(
        "{}://{}:{}".format,
        st.sampled_from(["http", "https"]),
        st.one_of(NAMES, st.just(""), st.just("[fe80::1]")),
        st.integers(0, 65535),
    ),
    PATHS.map("unix:{}".format),
)
ADDRESSES = st.ip_addresses().map(str)
BY_KIND: dict[str, st.SearchStrategy[Any]] = {
    "a number of bytes": SIZES,
    "a number of seconds": DURATIONS,
    "a whole number, or": st.one_of(st.integers(1, 10**9), st.just("unlimited")),
    "true or false": st.booleans(),
    "a whole number from 1 to 9": st.integers(1, 9),
    "a whole number from 9 to 15": st.integers(9, 15),
    "a path; a relative": PATHS,
    "a path, or '@site'": st.one_of(st.just("@site"), PATHS),
    "the name of a file": LINES.filter(lambda text: not set(text) & set("/\\") and text.strip(".")),
    "the path of a unix": PATHS,
    "'stdout', 'stderr'": st.one_of(st.sampled_from(["stdout", "stderr"]), PATHS),
    "'http://HOST:PORT'": ENDPOINTS,
    "a host name such": NAMES,
    "an IP address, a": st.one_of(ADDRESSES, st.sampled_from(["unix", "10.0.0.0/8", "fe80::/9"])),
    "a URL such as": st.just("redis://localhost"),
    "a path: '/x/'": st.one_of(st.just(""), URL_PATHS),
    "a path, as the match": st.one_of(st.sampled_from(["", "http://", "https://a.b:1/c d"]), URL_PATHS),
    "a path beginning with '/', or": st.sampled_from(["/", "/a%20b", "https://", "https://example.com/x?y#z"]),
    "a path beginning with '/'": URL_PATHS,
    "GET, HEAD": st.sampled_from(METHODS),
    "301, 302": st.sampled_from(REDIRECT_STATUS),
    "how long browsers": st.sampled_from([False, "1 day", "forever", 60, "no-cache", "private, max-age=1"]),
    "'public'": st.just("public"),
    "a header name": st.from_regex(r"X-[A-Za-z!#$%&'*+.^_`|~0-9-]{1,8}", fullmatch=True),
    "one line of ASCII": ASCII.filter(str.strip),
    "a file extension": st.from_regex(r"\.?[a-zA-Z0-9]{1,5}(\.[a-z]{2})?", fullmatch=True),
    "a media type": st.sampled_from(["text/html", "text/html; charset=utf-8", 'a/b; c="d e"']),
    "a sub-protocol": st.sampled_from(["chat", "v1.chat", "~a"]),
    "a host ('example": st.sampled_from(["*", "example.com", "https://*.example.com:*", "[::1]:80"]),
    "letters of": st.sampled_from(["", "H", "HhBb"]),
    "an OpenSSL": st.one_of(ASCII, st.lists(ASCII, min_size=1, max_size=2)),
    "a number of processes": st.one_of(st.just("auto"), st.integers(1, 1024)),
    "'error', 'warning'": st.sampled_from(["error", "warning", "info", "debug"]),
    "'auto', 'json'": st.sampled_from(["auto", "json", "console"]),
    "'file' or 'action'": st.sampled_from(["file", "action"]),
}  # fmt: skip


def kind(allowed: str) -> st.SearchStrategy[Any]:
    return next(strategy for start, strategy in BY_KIND.items() if allowed.startswith(start))


def written(directive: Directive) -> st.SearchStrategy[Any]:
    """What may be written for a directive."""
    if directive.shape == "object":
        words = [st.just(word) for word, _ in directive.words.meanings] if directive.words else []
        absent = [st.none()] if directive.optional and not directive.words else []
        return st.one_of(objects(directive.children), *words, *absent)
    if directive.shape == "objects":
        return st.lists(objects(directive.children), max_size=2)
    assert directive.grammar is not None
    values = kind(directive.grammar.allowed)
    if directive.shape == "table":
        assert directive.names is not None
        return st.dictionaries(kind(directive.names.allowed), values, max_size=2)
    if directive.shape == "list":
        null = [st.none()] if directive.many and directive.many.null else []
        return st.one_of(values, st.lists(values, min_size=1, max_size=3), *null)
    return values


def objects(directives: dict[str, Directive]) -> st.SearchStrategy[dict[str, Any]]:
    required = {key: written(one) for key, one in directives.items() if one.required}
    others = {key: written(one) for key, one in directives.items() if not one.required}
    return st.fixed_dictionaries(required, optional=others)


@settings(max_examples=150, deadline=None)
@given(value=objects(members(Config)))
def test_every_model_survives_being_printed_and_read(value: dict[str, Any]) -> None:
    config = Config.read(value)
    assert Config.read(show(config)) == config
    text = write_config(config)
    assert Config.read(scan(Source("printed", text)).root.plain()) == config


@settings(max_examples=60, deadline=None)
@given(value=objects(members(Config)))
def test_what_is_printed_loads_as_the_same_model(
    value: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    # What needs certificates, or is refused across directives, is tested elsewhere.
    for key in (
        "tls",
        "listen",
        "metrics",
        "control",
        "documents",
        "actions",
        "routes",
        "redirect",
        "log",
        "upload",
    ):
        value.pop(key, None)
    config = Config.read(value)
    file = tmp_path_factory.getbasetemp() / "printed.json5"
    file.write_text(write_config(config))
    assert load_config(file, environ={}).config == config
    file.write_text(write(value))
    again = load_config(file, environ={}).config
    assert again.replace(actions=config.actions, control=config.control) == config
