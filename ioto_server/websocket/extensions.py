"""The header Sec-WebSocket-Extensions (RFC 6455, 9.1): a list of extensions, each with parameters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .handshake import HandshakeError, HeaderSource

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_ITEM = re.compile(rf'[ \t]*({_TOKEN})(?:[ \t]*=[ \t]*(?:({_TOKEN})|"((?:[^"\\]|\\.)*)"))?[ \t]*')
_WHOLE_TOKEN = re.compile(_TOKEN)

#: An extension's name, and its parameters in order; a parameter without a value has ``None``.
Extension = tuple[str, list[tuple[str, str | None]]]


def parse_extensions(headers: HeaderSource) -> list[Extension]:
    """Return the extensions of a request or an answer, in order.

    Raises :class:`HandshakeError` 400 for a header that breaks the grammar: then "the recipient MUST
    immediately _Fail the WebSocket Connection_" (RFC 6455, 9.1). What an extension may be offered with is its
    own affair.
    """
    return [extension for value in headers.get_all("sec-websocket-extensions") for extension in _parse(value)]


def format_extension(name: str, parameters: Sequence[tuple[str, str | None]]) -> str:
    """Return one extension as it stands in the header."""
    return "; ".join([name, *(key if value is None else f"{key}={value}" for key, value in parameters)])


def _parse(value: str) -> list[Extension]:
    found: list[Extension] = []
    position = 0
    begins = True
    while position < len(value):
        if value[position] in " \t,":
            # Empty elements of a list do not count (RFC 9110, 5.6.1).
            begins = begins or value[position] == ","
            position += 1
            continue
        if not begins:
            raise _broken(value)
        position = _extension(value, position, found)
        begins = False
    return found


def _extension(value: str, position: int, found: list[Extension]) -> int:
    """Read one extension and its parameters; return the position behind them."""
    item = _ITEM.match(value, position)
    if item is None or item[2] is not None or item[3] is not None:
        raise _broken(value)
    parameters: list[tuple[str, str | None]] = []
    position = item.end()
    while position < len(value) and value[position] == ";":
        parameter = _ITEM.match(value, position + 1)
        if parameter is None:
            raise _broken(value)
        argument = parameter[2]
        if parameter[3] is not None:
            # "the value after quoted-string unescaping MUST conform to the 'token' ABNF" (9.1)
            argument = re.sub(r"\\(.)", r"\1", parameter[3])
            if not _WHOLE_TOKEN.fullmatch(argument):
                raise _broken(value)
        parameters.append((parameter[1], argument))
        position = parameter.end()
    found.append((item[1], parameters))
    return position


def _broken(value: str) -> HandshakeError:
    return HandshakeError(400, f"Sec-WebSocket-Extensions is malformed: {value[:60]!a} (RFC 6455 9.1)")
