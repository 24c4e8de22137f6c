"""A scanner of JSON5 that knows where every value stands, which the json5 package does not tell.

It checks the grammar of the whole text, so that a syntax error can be told in our words (`syntax`), and cuts
it into keys and values. What a single string or number *means* is left to the json5 package; tests hold both
to the same verdict on the same text. Work is linear in the text; depth is bounded before anything is entered.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, NamedTuple

import json5

from ioto_server.config import syntax
from ioto_server.config.problems import ConfigError
from ioto_server.config.source import Source
from ioto_server.config.syntax import Bracket, ScanError

DEEPEST = 32

_BLANK = r"[\t\v\f \xa0\ufeff\n\r\u2028\u2029\u1680\u2000-\u200a\u202f\u205f\u3000]"
_SKIP = re.compile(rf"(?>(?:{_BLANK}++|//[^\n\r\u2028\u2029]*+|/\*(?>(?:[^*]++|\*(?!/))*)\*/)*)")
_WORD = re.compile(
    r"(?:[A-Za-z$_]|\\u[0-9A-Fa-f]{4}|[^\x00-\x7f])(?>(?:[A-Za-z0-9$_]|\\u[0-9A-Fa-f]{4}|[^\x00-\x7f])*)"
)
_STRING = re.compile(
    r"'(?>(?:[^'\\\r\n]++|\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|0(?![0-9])|\r\n|[^xu0-9]))*)'"
    r'|"(?>(?:[^"\\\r\n]++|\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|0(?![0-9])|\r\n|[^xu0-9]))*)"'
)
_NUMBER = re.compile(
    r"[-+]?(?:0[xX][0-9A-Fa-f]+|(?:(?:0(?![0-9])|[1-9][0-9]*+)(?:\.[0-9]*+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
    r"|Infinity|NaN)",
    re.ASCII,
)
_LITERAL = re.compile(r"null|true|false")
_ESCAPED = re.compile(r"\\u([0-9A-Fa-f]{4})")
# Longer ones are no setting, and Python refuses to convert whole numbers from 4,300 digits on.
_LONGEST_NUMBER = 400

_START = frozenset({"Ll", "Lm", "Lo", "Lt", "Lu", "Nl"})
_CONTINUE = _START | {"Mn", "Mc", "Nd", "Pc"}


class Node:
    """A value and where it stands. `value` is a dict of nodes, a list of nodes, or the scalar itself.

    `key` is the offset of the key in front of it, the value's own offset in a list.
    """

    __slots__ = ("end", "key", "source", "start", "value")

    def __init__(self, source: Source, start: int, end: int, value: Any, key: int) -> None:
        self.source = source
        self.start = start
        self.end = end
        self.value = value
        self.key = key

    @property
    def text(self) -> str:
        """The value as it was written."""
        return self.source.text[self.start : self.end]

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


class Repeat(NamedTuple):
    """A key that stands twice in one object; the later one counts, as in JSON5."""

    key: str
    path: str
    first: Node
    second: Node


class Document(NamedTuple):
    """A scanned text."""

    root: Node
    repeats: list[Repeat]


def scan(source: Source) -> Document:
    """Scan a text. Raises `ConfigError` with the one syntax error found first."""
    scanner = _Scanner(source)
    try:
        root = scanner.document()
        _fill(scanner.scalars)
    except ScanError as error:
        message = f"syntax error: {error.message}"
        problem = source.problem(message, error.hint, offset=error.offset, excerpt=True)
        raise ConfigError([problem]) from None
    return Document(root, scanner.repeats)


def _fill(scalars: list[Node]) -> None:
    """Let the json5 package read the strings and numbers, each spelling once: it is slow."""
    spellings = list(dict.fromkeys(node.text for node in scalars))
    values = dict(zip(spellings, json5.loads(f"[{','.join(spellings)}]"), strict=True))
    for node in scalars:
        value = values[node.text]
        if isinstance(value, str) and not value.isascii():
            value = _joined(value, node.start)
        node.value = value


def _joined(value: str, start: int) -> str:
    r"""Make one character of two halves: the package reads '\ud83d\ude00' as two (ECMA-262 12.9.4)."""
    try:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise syntax.half_character(start) from None


class _Scanner:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.at = 0
        self.scalars: list[Node] = []
        self.repeats: list[Repeat] = []
        # Offsets of the brackets that are open, and the keys on the way here, for messages.
        self.open: list[int] = []
        self.path: list[str] = []
        self.suspect: int | None = None

    def document(self) -> Node:
        self.skip()
        if self.at == len(self.text):
            raise syntax.empty(self.at)
        self.refuse_bare_directives()
        root = self.value(self.at)
        self.skip()
        if self.at < len(self.text):
            raise syntax.after_the_end(self.text, self.at)
        return root

    def refuse_bare_directives(self) -> None:
        """Directives without braces around them are one mistake, not a bad value."""
        word = _WORD.match(self.text, self.at)
        if word and re.match(r"\s*[:={\[]", self.text[word.end() :]):
            raise syntax.no_braces(self.at)

    def skip(self) -> None:
        """Go over blanks and comments."""
        match = _SKIP.match(self.text, self.at)
        self.at = match.end() if match else self.at
        if self.text.startswith("/*", self.at):
            raise syntax.open_comment(self.at)

    def value(self, key: int) -> Node:
        start = self.at
        first = self.text[start : start + 1]
        if first == "{":
            return self.object(key)
        if first == "[":
            return self.array(key)
        if first in ("'", '"'):
            return self.scalar(_STRING.match(self.text, start), key)
        literal = _LITERAL.match(self.text, start)
        match = literal or _NUMBER.match(self.text, start)
        if match is None or self.word_at(match.end()):
            raise syntax.bad_value(self.text, start, self.places())
        if match.end() - start > _LONGEST_NUMBER:
            raise syntax.long_number(start)
        return self.scalar(match, key)

    def scalar(self, match: re.Match[str] | None, key: int) -> Node:
        if match is None:
            raise syntax.bad_string(self.text, self.at)
        node = Node(self.source, match.start(), match.end(), None, key)
        self.scalars.append(node)
        self.at = match.end()
        return node

    def enter(self) -> int:
        start = self.at
        if len(self.open) == DEEPEST:
            raise syntax.too_deep(start, DEEPEST)
        self.open.append(start)
        self.at += 1
        self.skip()
        return start

    def leave(self) -> None:
        start = self.open.pop()
        # A bracket that closes further left than the line it was opened in most likely closes another one.
        before = self.at
        while before and self.text[before - 1] in " \t":
            before -= 1
        first_on_line = before > 0 and self.text[before - 1] in "\r\n"
        if first_on_line and self.suspect is None and self.at - before < self.indentation(start):
            self.suspect = start
        self.at += 1

    def indentation(self, offset: int) -> int:
        """Return how far the line of an offset is indented."""
        start = max(self.text.rfind("\n", 0, offset), self.text.rfind("\r", 0, offset)) + 1
        line = self.text[start : offset + 1]
        return len(line) - len(line.lstrip(" \t"))

    def separated(self, closer: str, last: Node) -> None:
        """Take the comma after a member or element, or stay before the closing bracket."""
        self.skip()
        if self.text.startswith(",", self.at):
            self.at += 1
            self.skip()
        elif self.at == len(self.text):
            raise self.unclosed()
        elif not self.text.startswith(closer, self.at):
            raise syntax.no_comma(self.text, self.at, last.start, last.end, self.places())

    def bracket(self, offset: int) -> Bracket:
        return offset, self.source.place(offset)[0]

    def places(self) -> list[Bracket]:
        """The brackets that are open."""
        return [self.bracket(offset) for offset in self.open]

    def unclosed(self) -> ScanError:
        suspect = None if self.suspect is None else self.bracket(self.suspect)
        return syntax.unclosed(self.text, self.places(), suspect)

    def array(self, key: int) -> Node:
        start = self.enter()
        items: list[Node] = []
        while not self.text.startswith("]", self.at):
            if self.at == len(self.text):
                raise self.unclosed()
            self.path.append(f"[{len(items)}]")
            items.append(self.value(self.at))
            self.path.pop()
            self.separated("]", items[-1])
        self.leave()
        return Node(self.source, start, self.at, items, key)

    def object(self, key: int) -> Node:
        start = self.enter()
        members: dict[str, Node] = {}
        while not self.text.startswith("}", self.at):
            if self.at == len(self.text):
                raise self.unclosed()
            key_at = self.at
            name = self.name()
            key_end = self.at
            self.skip()
            if not self.text.startswith(":", self.at):
                raise syntax.no_colon(self.text, key_at, key_end, self.at)
            self.at += 1
            self.skip()
            self.path.append(f".{name}")
            node = self.value(key_at)
            if name in members:
                self.repeats.append(Repeat(name, "".join(self.path).lstrip("."), members.pop(name), node))
            self.path.pop()
            members[name] = node
            self.separated("}", node)
        self.leave()
        return Node(self.source, start, self.at, members, key)

    def name(self) -> str:
        """Take the key of a member."""
        start = self.at
        if self.text[start] in "'\"":
            node = self.scalar(_STRING.match(self.text, start), start)
            self.scalars.pop()
            if "\\" not in node.text:
                return node.text[1:-1]
            _fill([node])
            return str(node.value)
        end = self.word_at(start)
        if not end:
            raise syntax.bad_key(self.text, start, self.places())
        self.at = end
        word = self.text[start:end]
        return (
            _joined(_ESCAPED.sub(lambda match: chr(int(match[1], 16)), word), start) if "\\" in word else word
        )

    def word_at(self, start: int) -> int:
        """Return where the identifier that begins here ends, 0 when none does (ECMA-262 5.1, 7.6)."""
        match = _WORD.match(self.text, start)
        if match is None:
            return 0
        if match[0].isascii():
            return match.end()
        for offset, character in enumerate(match[0], start):
            if character <= "\x7f" or (offset > start and character in "\u200c\u200d"):
                continue
            if unicodedata.category(character) not in (_START if offset == start else _CONTINUE):
                return offset if offset > start else 0
        return match.end()
