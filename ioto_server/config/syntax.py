"""What a syntax error most likely is, in words, with the text to type instead.

The scanner knows that something is wrong and what it expected; the functions here look at the text around
that place and recognise the usual mistakes: habits from other languages, YAML and shells, and what the parser
of the C original takes. Each returns the error to raise.
"""

from __future__ import annotations

import re

from ioto_server.config.broker import without_password

# An open bracket: its offset and its line.
Bracket = tuple[int, int]

_WORDS = {
    **dict.fromkeys(("true", "yes", "on"), "true"),
    **dict.fromkeys(("false", "no", "off"), "false"),
    **dict.fromkeys(("null", "none", "nil", "undefined"), "null"),
    **dict.fromkeys(("inf", "infinity", "unlimited"), "'unlimited'"),
    "never": "'never'",
}
_CURLY_QUOTES = "“”„‟‘’‚‛«»"
# What follows on the line up to where a value may end; a comment begins behind a blank, since '//' is in
# URLs.
_BARE = r"(?:(?!\s//|\s/\*|\s#)[^,\]}\r\n])*"
_NAME = r"[\w$]+"
_BARE_KEY = r"[^\s:,{}\[\]'\"]+(?=\s*:)"
_STRING_SO_FAR = r"Q(?>(?:[^Q\\\r\n]++|\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|0(?![0-9])|\r\n|[^xu0-9]))*)"
_CONFLICT = r"(?m)(<{7}|={7}|>{7})( |$)"
_LONGEST = 60


def _at(pattern: str, text: str, at: int) -> re.Match[str] | None:
    """Match at a place. Patterns are compiled when they are needed: a daemon's start has no syntax errors."""
    return re.compile(pattern).match(text, at)


class ScanError(Exception):
    """A syntax error: where it is, what it is, and what to type instead."""

    def __init__(self, offset: int, message: str, hint: str) -> None:
        super().__init__(message)
        self.offset = offset
        self.message = message
        self.hint = hint


def quoted(text: str) -> str:
    """Write a text as a JSON5 string."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def short(text: str) -> str:
    """Cut a text to what fits into a message, on one line, without the password of a URL in it."""
    line = " ".join(without_password(text[:2000]).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def nested(path: str) -> str:
    """Write a path with dots as objects inside each other: limits: { maxFrame: ... }."""
    *outer, last = path.split(".")
    text = f"{last}: ..."
    for name in reversed(outer):
        text = (
            f"{name.removesuffix('[]')}: [{{ {text} }}]" if name.endswith("[]") else f"{name}: {{ {text} }}"
        )
    return text


def empty(at: int) -> ScanError:
    """Nothing but blanks and comments."""
    return ScanError(at, "the file holds no configuration", "write { } and the directives inside")


def no_braces(at: int) -> ScanError:
    """Directives at the top, without an object around them."""
    hint = "write { in front of the first directive and } behind the last one"
    return ScanError(at, "the directives do not stand in braces", hint)


def after_the_end(text: str, at: int) -> ScanError:
    """Something behind the value of the whole file."""
    if text[at] == ":":
        return no_braces(at)
    if text[at] in "}]":
        hint = "take it out, or look further up for a bracket that closes too early"
        return ScanError(at, f"there is one {text[at]} too many", hint)
    if text[at] == ",":
        hint = "if more directives follow, take the } in front of this comma out"
        return ScanError(at, "the configuration ends in front of this comma", hint)
    return _anywhere(text, at) or ScanError(
        at,
        "something follows the end of the configuration",
        "a file holds one { }: move this inside, or take it out",
    )


def open_comment(at: int) -> ScanError:
    """A comment without an end."""
    return ScanError(at, "the comment that begins here does not end", "write */ where it ends")


def too_deep(at: int, levels: int) -> ScanError:
    """More levels than anybody needs."""
    hint = "no directive is deeper than 4 levels: look for brackets that are not closed further up"
    return ScanError(at, f"brackets are nested deeper than {levels} levels", hint)


def half_character(at: int) -> ScanError:
    r"""A \u escape that is half of a character."""
    hint = "write the character itself, or both halves as in '\\ud83d\\ude00'"
    return ScanError(at, "a \\u escape here is half of a character (a lone surrogate)", hint)


def long_number(at: int) -> ScanError:
    """A number of hundreds of digits."""
    return ScanError(at, "a number this long is no setting", "for no limit write 'unlimited'")


def unclosed(text: str, places: list[Bracket], suspect: Bracket | None) -> ScanError:
    """The file ends while brackets are open."""
    offset, _ = places[-1]
    bracket, closer = text[offset], _closer(text[offset])
    hint = f"write {closer} where it ends"
    if suspect and suspect[0] != offset:
        hint += f"; the indentation says that the bracket of line {suspect[1]} is the one that is not closed"
    return ScanError(offset, f"the {bracket} that begins here is not closed", hint)


def bad_string(text: str, at: int) -> ScanError:
    """A string that does not end, or has an escape that JSON5 does not know."""
    quote = text[at]
    match = _at(_STRING_SO_FAR.replace("Q", quote), text, at)
    stop = match.end() if match else at
    if not text.startswith("\\", stop) or stop + 1 == len(text):
        hint = f"write {quote} where it ends; to go on in the next line end the line with \\"
        return ScanError(at, "the text that begins here is not closed on its line", hint)
    letter = text[stop + 1]
    if letter == "x":
        return ScanError(
            stop, "\\x takes two hexadecimal digits", "write \\\\ for a backslash, or two digits as in \\x41"
        )
    if letter == "u":
        return ScanError(
            stop,
            "\\u takes four hexadecimal digits",
            "write \\\\ for a backslash, or four digits as in \\u00e9",
        )
    return ScanError(
        stop, f"\\{letter} is no escape", f"write \\\\ for a backslash, or \\x0{letter} for the character"
    )


def bad_key(text: str, at: int, places: list[Bracket]) -> ScanError:
    """Something that is no key, where the key of a member is expected."""
    character = text[at]
    if character == ",":
        return ScanError(at, "there is a comma with nothing in front of it", "take one comma out")
    if character == "]":
        return _mismatch(text, at, places)
    if character == ":":
        return ScanError(at, "the name in front of the colon is missing", "write it, as in maxFrame: 131072")
    if character in "{[":
        example = "limits: {" if character == "{" else "routes: ["
        hint = f"write a name and a colon in front of it, as in {example}"
        return ScanError(at, f"a {character} stands where a name is expected", hint)
    thousands = re.search(r"\d,$", text[max(0, at - 2) : at]) and re.match(r"\d{3}\b", text[at : at + 4])
    if thousands:
        number = re.search(r"\d+$", text[max(0, at - 20) : at - 1])
        rest = re.match(r"\d{3}", text[at:])
        joined = (number[0] if number else "") + (rest[0] if rest else "")
        return ScanError(at - 1, "a number has a comma in it", f"write {joined}")
    if _yaml_item(text, at):
        return _yaml(text, at)
    general = _anywhere(text, at)
    if general:
        return general
    bare = _at(_BARE_KEY, text, at)
    if bare and bare[0].isprintable():
        hint = f"write {quoted(bare[0])}: with quotes"
        return ScanError(at, f"the name {short(bare[0])} has a character that needs quotes", hint)
    hint = "write name: value, or take it out"
    return ScanError(at, f"{text[at]} stands where a name is expected", hint)


def no_colon(text: str, key_at: int, key_end: int, at: int) -> ScanError:
    """A key without the colon behind it."""
    key = text[key_at:key_end]
    following = text[at : at + 1]
    if following == "":
        return ScanError(
            key_at, f"the file ends after {short(key)}", f"write {short(key)}: and a value, and }}"
        )
    if following == "=":
        sign = "=>" if text.startswith("=>", at) else "="
        fixed = f"write {short(key)}: {_rest(text, at)}"
        return ScanError(at, f"there is a {sign} where JSON5 has a colon", fixed)
    bare = _at(_BARE_KEY, text, key_at)
    if bare and bare.end() > key_end and key[0] not in "'\"":
        if re.fullmatch(r"[\w$]+(\.[\w$]+)+", bare[0]):
            message = "names with dots are written as objects inside each other"
            return ScanError(key_end, message, f"write {nested(bare[0])}")
        hint = f"write {quoted(bare[0])}: with quotes"
        if "-" in bare[0].strip("-"):
            camel = re.sub(r"-+(\w)", lambda match: match[1].upper(), bare[0])
            hint = f"write {camel}: as directives are written, or {quoted(bare[0])}: with quotes"
        return ScanError(key_at, f"the name {short(bare[0])} has a character that needs quotes", hint)
    if following in "{[":
        return ScanError(
            key_end, f"a colon is missing after {short(key)}", f"write {short(key)}: {following}"
        )
    if following in ",}":
        return ScanError(
            key_at, f"{short(key)} has no value", f"write {short(key)}: and a value, or take it out"
        )
    return _anywhere(text, at) or ScanError(
        key_end, f"a colon is missing after {short(key)}", f"write {short(key)}: {_rest(text, at)}".rstrip()
    )


def bad_value(text: str, at: int, places: list[Bracket]) -> ScanError:
    """Something that is no value, where one is expected."""
    character = text[at : at + 1]
    in_list = bool(places) and text[places[-1][0]] == "["
    if character == "":
        return ScanError(
            at, "the file ends where a value is expected", "write the value and close the brackets"
        )
    if character == "," and in_list:
        return ScanError(at, "there is a comma with nothing in front of it", "take one comma out")
    if in_list and character == "}":
        return _mismatch(text, at, places)
    if character in ",}]":
        return ScanError(
            at, "a value is missing after the colon", "write the value, or take the directive out"
        )
    if character in ":=":
        return ScanError(at, f"there is a {character} too many", "write one colon between name and value")
    if _yaml_item(text, at):
        return _yaml(text, at)
    general = _anywhere(text, at)
    if general:
        return general
    name = _at(_NAME, text, at)
    if in_list and name and re.match(r"\s*:[\s'\"{\[]", text[name.end() :]):
        return ScanError(at, "a list has no names", f"write {{ {name[0]}: ... }} with braces around it")
    return _bare_value(text, at)


def _bare_value(text: str, at: int) -> ScanError:
    """Text or a number that is not written the way JSON5 does."""
    match = _at(_BARE, text, at)
    bare = match[0].strip() if match else ""
    if not bare:
        return ScanError(at, f"{text[at]} stands where a value is expected", "write a value there")
    if bare.lower() in _WORDS:
        return ScanError(at, f"{bare} is no value of JSON5", f"write {_WORDS[bare.lower()]}")
    if re.fullmatch(r"[-+]?\d[\d_]*", bare) and "_" in bare:
        return ScanError(at, "a number has no _ in it", f"write {bare.replace('_', '')}")
    if re.fullmatch(r"[-+]?0\d+", bare):
        return ScanError(
            at, "a number does not begin with 0", f"write {int(bare)}, or {quoted(bare)} for a text"
        )
    if re.match(r"[-+]?\.?\d", bare):
        return ScanError(
            at, "a value with a unit or other letters needs quotes", f"write {quoted(short(bare))}"
        )
    return ScanError(at, "text needs quotes", f"write {quoted(short(bare))}")


def no_comma(text: str, at: int, start: int, end: int, places: list[Bracket]) -> ScanError:
    """Neither a comma nor the closing bracket behind a value; `start` and `end` are the value's."""
    following = text[at]
    value = text[start:end]
    if following in "}]":
        return _mismatch(text, at, places)
    if following == ";":
        return ScanError(at, "there is a ; where JSON5 has a comma", f"write {short(value)},")
    if value[0] in "'\"" and at == end and _at(_NAME, text, at):
        hint = f"write \\{value[0]} for a quote inside, or the other kind of quotes around"
        return ScanError(at, "the text ends at a quote inside it", hint)
    if following == "+" and value[0] in "'\"":
        return ScanError(
            at, "JSON5 does not add texts", "write one text; to go on in the next line end the line with \\"
        )
    same_line = not re.search(r"[\r\n]", text[end:at])
    if value[-1].isdigit() and same_line and (at == end or re.match(r"[A-Za-z%]+(?!\w|\s*:)", text[at:])):
        return _bare_value(text, start)
    if following == ":":
        list_open = text[places[-1][0]] == "["
        message = "a list has no names" if list_open else "a colon follows a value"
        hint = (
            f"write {{ {short(value)}: ... }} with braces around it"
            if list_open
            else "write name: value, with a comma behind"
        )
        return ScanError(start if list_open else at, message, hint)
    general = _anywhere(text, at)
    if general:
        return general
    # Of an object or list the closing bracket says enough.
    shown = value[-1] if value[0] in "{[" else short(value)
    return ScanError(end, f"a comma is missing after {shown}", f"write {shown},")


def _mismatch(text: str, at: int, places: list[Bracket]) -> ScanError:
    """The wrong kind of closing bracket."""
    offset, line = places[-1]
    opened = text[offset]
    hint = f"write {_closer(opened)} to close the {opened} of line {line}, or take this {text[at]} out"
    return ScanError(at, f"a {text[at]} closes a {opened}", hint)


def _anywhere(text: str, at: int) -> ScanError | None:
    """Mistakes that are the same wherever they stand."""
    character = text[at]
    if character == "`":
        return _backticks(text, at)
    if character in _CURLY_QUOTES:
        return ScanError(at, f"{character} is no quote of JSON5", "write straight quotes: ' or \"")
    if character == "#":
        return ScanError(at, "# begins no comment", "write // instead")
    if character == "/" and re.match(r"/ (?=\w)", text[at : at + 3]):
        return ScanError(at, "a single / begins no comment", "write // instead")
    if character == ";":
        return ScanError(at, "there is a ; where JSON5 has a comma", "write , instead, or take it out")
    if character in "()":
        return ScanError(at, f"JSON5 has no {character}", "write { } around an object and [ ] around a list")
    if not character.isprintable():
        return ScanError(at, f"there is an invisible character, U+{ord(character):04X}", "take it out")
    if _at(_CONFLICT, text, at):
        return ScanError(
            at, "this is the mark of a merge that was not finished", "choose one side and take the marks out"
        )
    return None


def _backticks(text: str, at: int) -> ScanError:
    end = text.find("`", at + 1)
    inside = text[at + 1 : end] if end > 0 else ""
    if end < 0 or len(inside) > _LONGEST or "\n" in inside or "\r" in inside:
        hint = "write ' around the text; to go on in the next line end the line with \\"
    else:
        hint = f"write {quoted(inside)}"
    return ScanError(at, "backticks are no quotes of JSON5", hint)


def _yaml_item(text: str, at: int) -> bool:
    return text[at] == "-" and text[at + 1 : at + 2] in (" ", "\t", "-")


def _yaml(text: str, at: int) -> ScanError:
    match = _at(_BARE, text, at + 2)
    item = match[0].strip(" '\"") if match else ""
    hint = f"write [{quoted(short(item))}], with commas between more of them"
    return ScanError(at, "a - begins no list here, as it does in YAML", hint)


def _rest(text: str, at: int) -> str:
    """The value that follows, to show a line as it should be; '' when it is not plain."""
    match = _at(_BARE, text, at)
    rest = match[0].lstrip("=>: ").strip() if match else ""
    if re.fullmatch(r"'[^']*'|\"[^\"]*\"|-?\d+|true|false|null|[{\[]", rest) and len(rest) <= _LONGEST:
        return rest
    return "..."


def _closer(bracket: str) -> str:
    return {"{": "}", "[": "]"}[bracket]
