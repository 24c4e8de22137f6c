"""Whatever is in a file: nothing but `ConfigError` comes out, and the work is bounded."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import json5
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ioto_server.config import Config, ConfigError, load_config
from ioto_server.config.directives import walk

PIECES = st.sampled_from(
    [
        *"{}[]:,'\"\\/*-+.0159eaxK \n\r\t`=#_@$\0\x7f",
        *[
            "é",
            "\ud83d",
            "\u2028",
            "//",
            "/*",
            "*/",
            "null",
            "true",
            "Infinity",
            "NaN",
            "1e999",
            "-1",
            "0x7fffffffffffffffffff",
        ],
        *["'@site'", "'http://:1'", "'unix:x'", "'never'", "'1KB'", "'/'", "''", "[]", "{}"],
        *[
            "listen:",
            "limits:{",
            "maxFrame:",
            "timeouts:{",
            "parse:",
            "routes:[{",
            "match:",
            "redirect:[{",
            "from:",
            "to:",
        ],
        *[
            "web:{",
            "webSockets:{",
            "compress:",
            "origins:",
            "protocol:",
            "ping:",
            "headers:{",
            "mime:{",
            "tls:{",
        ],
        *["certificate:", "key:", "log:{", "metrics:{", "path:", "trustedProxies:", "control:", "documents:"],
        *["actions:", "workers:", "name:", "auth:"],
    ]
)
KEYS = [directive.key for directive in walk()] + ["web", "auth", "sessions"]
SOUP = st.lists(PIECES, max_size=25).map("".join)
TREES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=8), st.just("@site")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=5), st.sampled_from(KEYS)), inner, max_size=4),
    ),
    max_leaves=10,
)
ANY = st.one_of(st.text(max_size=60), SOUP, SOUP.map("{{{}}}".format), TREES.map(json5.dumps))


def outcome(file: Path, **options: Any) -> Config | str:
    """Load, and return what came of it: a configuration or a report."""
    try:
        return load_config(file, environ={}, **options).config
    except ConfigError as error:
        return str(error)


@settings(max_examples=600, deadline=None)
@given(text=ANY)
def test_no_text_raises_anything_but_a_configuration_error(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.json5"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert outcome(file)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=60))
def test_no_bytes_raise_anything_but_a_configuration_error(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.json5"
    file.write_bytes(data)
    assert outcome(file)


@settings(max_examples=300, deadline=None)
@given(
    path=st.one_of(PIECES, st.sampled_from(KEYS), st.text(max_size=20)),
    text=st.one_of(SOUP, st.text(max_size=20)),
)
def test_no_override_raises_anything_but_a_configuration_error(
    path: str, text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.json5"
    file.write_text("{}")
    for override in ((path, text), (f"limits.{path}", text), ("name", text), (f"headers.{path}", text)):
        assert outcome(file, overrides=[override])


# What 8 KB may cost is counted in calls, of which a second has some six million: a clock proves nothing on a
# busy machine.


def filled(unit: str, size: int = 8192) -> str:
    """Repeat a unit, with a number in place of N, up to a size."""
    text, number = [], 0
    while size > len(unit) + 5:
        text.append(unit.replace("N", str(number)))
        size -= len(text[-1])
        number += 1
    return "".join(text)


WORST = {
    "numbers": "{listen:[" + filled("N,") + "]}",
    "fractions": "{listen:[" + filled(".N,") + "]}",
    "texts": "{listen:[" + filled("'N',") + "]}",
    "lists": "{listen:[" + filled("[],") + "]}",
    "routes": "{routes:[" + filled("{},") + "]}",
    "routes that differ": "{routes:[" + filled("{match:'/N/a'},") + "]}",
    "unknown keys": "{" + filled("\nmaxFrmN:1,") + "}",
    "repeated keys": "{" + filled("\na:1,") + "}",
    "escaped keys": "{" + filled("'\\x41N':1,") + "}",
    "a long text": "{name:'" + filled("a") + "'}",
    "a long escaped text": "{name:'" + filled("\\x41") + "'}",
    "comments": "{" + filled("/**/") + "}",
    "blanks": "{" + filled("\u2003") + "}",
    "brackets": filled("["),
    "wrong media types": "{mime:{" + filled("aN:'',") + "}}",
    "wrong headers": "{headers:{" + filled("'a N':0,") + "}}",
    "a media type without end": "{mime:{'.a':'a/a" + filled("; a=a") + "!'}}",
    "a host without end": "{listen:'http://" + filled("a.") + "'}",
    "a duration without end": "{timeouts:{parse:'" + filled("1h") + "'}}",
    "endpoints": "{listen:[" + filled("'http://a:N',") + "]}",
    "words without quotes": "{listen:" + filled("a ") + "}",
}


@pytest.mark.parametrize("text", WORST.values(), ids=WORST.keys())
def test_the_work_for_8_kb_is_bounded(text: str, tmp_path: Path) -> None:
    assert 4000 < len(text) < 8300
    (tmp_path / "warm.json5").write_text("{ x: 1 }")
    (tmp_path / "web.json5").write_text(text)
    # What is done once, like building the model, is no work of the file's.
    outcome(tmp_path / "warm.json5")
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        outcome(tmp_path / "web.json5")
    finally:
        sys.setprofile(before)
    assert 100 < calls < 6_000_000
