"""The scanner against the json5 package: the same verdict, the same values, and the right places."""

from __future__ import annotations

import math
from typing import Any

import json5
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ioto_server.config.problems import ConfigError
from ioto_server.config.scan import DEEPEST, Document, Node, scan
from ioto_server.config.source import Source

BLANKS = st.lists(
    st.sampled_from(
        [
            " ",
            "\t",
            "\n",
            "\r\n",
            "\r",
            "\v",
            "\f",
            "\xa0",
            "\ufeff",
            "\u2003",
            "\u2028",
            "// x{['\n",
            "/* }]*'\" */",
        ]
    ),
    max_size=2,
).map("".join)
NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False).map(lambda x: repr(x).replace("inf", "Infinity")),
    st.sampled_from(
        [
            "0x1F",
            "-0XaB",
            "+0x0",
            "+1",
            ".5",
            "-.5e3",
            "5.",
            "5.E+1",
            "0",
            "-0",
            "0.0",
            "NaN",
            "-Infinity",
            "+NaN",
        ]
    ),
)
# Half characters are left out: the package lets them through, the scanner refuses them.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ESCAPES = (
    "\\n",
    "\\x41",
    "\\u00e9",
    "\\0 ",
    "\\'",
    '\\"',
    "\\\\",
    "\\q",
    "\\\n",
    "\\\r\n",
    "\\\u2028",
    "\\v",
)
NAMES = st.one_of(
    st.from_regex(r"[a-zA-Z_$][a-zA-Z0-9_$]{0,6}", fullmatch=True),
    st.sampled_from(
        ["null", "true", "Infinity", "NaN", "ünïcode", "\\u0061b", "a\\u0062", "a\u200c", "a\u0301", "ⅷ"]
    ),
)


@st.composite
def strings(draw: st.DrawFn) -> str:
    quote = draw(st.sampled_from("'\""))
    plain = TEXT.map(lambda text: escaped(text, quote))
    return quote + "".join(draw(st.lists(st.one_of(plain, st.sampled_from(ESCAPES)), max_size=3))) + quote


def escaped(text: str, quote: str) -> str:
    for character in ("\\", quote):
        text = text.replace(character, "\\" + character)
    return text.replace("\n", "\\n").replace("\r", "\\r")


@st.composite
def lists(draw: st.DrawFn, items: st.SearchStrategy[str]) -> str:
    inside = [f"{draw(BLANKS)}{item}{draw(BLANKS)}" for item in draw(st.lists(items, max_size=4))]
    comma = "," if inside and draw(st.booleans()) else ""
    return f"[{','.join(inside)}{comma}{draw(BLANKS)}]"


@st.composite
def objects(draw: st.DrawFn, items: st.SearchStrategy[str]) -> str:
    inside = []
    for item in draw(st.lists(items, max_size=4)):
        key = draw(st.one_of(NAMES, strings()))
        inside.append(f"{draw(BLANKS)}{key}{draw(BLANKS)}:{draw(BLANKS)}{item}{draw(BLANKS)}")
    comma = "," if inside and draw(st.booleans()) else ""
    return f"{{{','.join(inside)}{comma}{draw(BLANKS)}}}"


SCALARS = st.one_of(NUMBERS, strings(), st.sampled_from(["null", "true", "false"]))
VALUES = st.recursive(SCALARS, lambda items: st.one_of(lists(items), objects(items)), max_leaves=12)
DOCUMENTS = st.tuples(BLANKS, VALUES, BLANKS).map("".join)
# Texts made of what JSON5 is made of: most are broken, and in many ways.
SOUP = st.lists(
    st.sampled_from(
        [
            *"{}[]:,'\"\\/*+-.019eExXa_ \n\r`=#",
            "//",
            "/*",
            "*/",
            "null",
            "true",
            "NaN",
            "0x",
            "é",
            "\u2028",
            "\u200c",
            "\0",
            "ab",
        ]
    ),
    max_size=14,
).map("".join)


def scanned(text: str) -> Document | None:
    try:
        return scan(Source("f", text))
    except ConfigError:
        return None


def parsed(text: str) -> Any:
    """What the package makes of a text; `ValueError` itself stands for a refusal."""
    try:
        return json5.loads(text)
    except ValueError:
        return ValueError


def same(one: Any, other: Any) -> bool:
    """Equal, where NaN is NaN and true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and one == other


def nodes(node: Node) -> list[Node]:
    inside = (
        node.value.values()
        if isinstance(node.value, dict)
        else node.value
        if isinstance(node.value, list)
        else ()
    )
    return [node, *(deeper for child in inside for deeper in nodes(child))]


def joined(value: Any) -> Any:
    """The package leaves '\\ud83d\\ude00' as two halves; they are one character."""
    if isinstance(value, dict):
        return {joined(key): joined(item) for key, item in value.items()}
    if isinstance(value, list):
        return [joined(item) for item in value]
    return value.encode("utf-16", "surrogatepass").decode("utf-16") if isinstance(value, str) else value


@settings(deadline=None)
@given(DOCUMENTS)
@example("{a:1,a:{b:2}}")
@example("['\\ud83d\\ude00']")
def test_every_document_has_the_packages_values(text: str) -> None:
    document = scanned(text)
    assert document is not None
    assert same(document.root.plain(), joined(parsed(text)))


@settings(deadline=None)
@given(DOCUMENTS)
def test_the_text_at_a_values_place_is_that_value(text: str) -> None:
    document = scanned(text)
    assert document is not None
    for node in nodes(document.root):
        assert same(joined(parsed(node.text)), node.plain())
        assert text[node.key : node.key + 1] not in ("", " ", ":", ",")


@settings(max_examples=500, deadline=None)
@given(SOUP)
@example("{a:1}}")
@example("nullx")
@example("[1 2]")
@example("{00:1}")
@example("[00]")
@example("[1e]")
@example("[.]")
@example("[.e1]")
@example("[5.e1]")
@example("{\\u0061:1}")
@example("{\u200ca:1}")
@example("['a\u2028b']")
@example("['\\1']")
@example("/*")
@example("[-0x]")
@example("[1_0]")
def test_the_verdict_on_any_text_is_the_packages(text: str) -> None:
    ours, theirs = scanned(text), parsed(text)
    assert (ours is None) == (theirs is ValueError)
    if ours is not None:
        assert same(ours.root.plain(), joined(theirs))


@settings(deadline=None)
@given(DOCUMENTS, st.data())
def test_the_verdict_on_a_document_with_one_wrong_character_is_the_packages(
    text: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 2))
    damaged = (
        text[:at]
        + data.draw(st.sampled_from(["", ",", ":", "}", "]", "'", "\\", "x", "/", "1"]))
        + text[at + cut :]
    )
    ours, theirs = scanned(damaged), parsed(damaged)
    assert (ours is None) == (theirs is ValueError)


def test_lines_and_columns_count_as_in_editors() -> None:
    source = Source("f", "{\r\n a: 1,\r b: [\n  'x'] }")
    root = scan(source).root
    assert source.place(root.value["a"].key) == (2, 2)
    assert source.place(root.value["a"].start) == (2, 5)
    assert source.place(root.value["b"].value[0].start) == (4, 3)


def test_a_repeated_key_gives_both_places() -> None:
    source = Source("f", "{ web: { limits: { body: 1,\n body: 2 } } }")
    (repeat,) = scan(source).repeats
    assert repeat.path == "web.limits.body"
    assert source.place(repeat.first.key) == (1, 20)
    assert source.place(repeat.second.key) == (2, 2)


@pytest.mark.parametrize("bracket", ["[]", "{a:}"])
def test_depth_is_bounded_before_anything_is_parsed(bracket: str) -> None:
    opening, closing = bracket[:-1], bracket[-1]
    whole = opening * DEEPEST + ("1" if ":" in bracket else "") + closing * DEEPEST
    assert scanned(whole) is not None
    with pytest.raises(ConfigError, match="nested deeper than 32 levels"):
        scan(Source("f", opening * 100_000))


@pytest.mark.parametrize("text", ["'\\ud83d'", "'\\ude00\\ud83d'", "{\\ud83d: 1}", "{'\\ud83d': 1}"])
def test_half_a_character_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="half of a character"):
        scan(Source("f", text))


def test_the_package_reads_each_spelling_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work of the slow package is bounded by the different spellings in a file, not by its values."""
    read: list[str] = []
    loads = json5.loads
    monkeypatch.setattr(json5, "loads", lambda text: read.append(text) or loads(text))
    root = scan(Source("f", "[" + "1,'a'," * 1000 + "/* " + "x" * 1000 + " */ {} ]")).root
    assert root.plain() == [1, "a"] * 1000 + [{}]
    assert read == ["[1,'a']"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" + "1" * 401 + "]", id="whole"),
        pytest.param("[0x" + "f" * 5000 + "]", id="hexadecimal"),
        pytest.param("[." + "1" * 5000 + "]", id="fraction"),
    ],
)
def test_a_number_of_hundreds_of_digits_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="no setting"):
        scan(Source("f", text))
