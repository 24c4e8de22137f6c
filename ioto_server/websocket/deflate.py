"""permessage-deflate (RFC 7692): what is agreed in the handshake."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .extensions import Extension, format_extension, parse_extensions
from .handshake import HandshakeError, HeaderSource

NAME = "permessage-deflate"

#: zlib's deflate knows no window of 2**8 bytes; to inflate one is no difficulty.
MIN_WINDOW_BITS = 9
MAX_WINDOW_BITS = 15

#: "a decimal integer value without leading zeroes between 8 to 15, inclusive" (7.1.2.1)
_WINDOW_BITS = re.compile(r"8|9|1[0-5]")


@dataclass(frozen=True, slots=True)
class DeflateSettings:
    """What this side wants: the values of ``webSockets.compress``.

    ``level`` 1-9, ``window_bits`` 9-15 and ``mem_level`` 1-9 are zlib's; a connection's compressor takes
    ``2**(window_bits + 2) + 2**(mem_level + 9)`` bytes. ``context_takeover``: keep the window from message to
    message. Messages of fewer than ``threshold`` bytes are sent uncompressed.
    """

    level: int = 6
    window_bits: int = 12
    mem_level: int = 5
    context_takeover: bool = True
    threshold: int = 128


@dataclass(frozen=True, slots=True)
class Deflate:
    """What was agreed for one connection, seen from this side.

    ``send_window_bits`` below 9: the peer may be sent uncompressed messages only.
    """

    send_window_bits: int = MAX_WINDOW_BITS
    send_takeover: bool = True
    receive_window_bits: int = MAX_WINDOW_BITS
    receive_takeover: bool = True
    level: int = 6
    mem_level: int = 8
    threshold: int = 0


def negotiate(headers: HeaderSource, settings: DeflateSettings | None) -> tuple[Deflate, str] | None:
    """The server's side: accept the first offer that can be (RFC 7692, 5.1 and 7.1).

    Returns what is agreed and the value of the answer's Sec-WebSocket-Extensions; ``None`` where nothing
    fitting is offered, or nothing is wanted (``settings`` is ``None``). A parameter that was not offered is
    not answered, though some might be: clients exist that then leave. Raises :class:`HandshakeError` 400 for
    a malformed header.
    """
    for name, parameters in parse_extensions(headers):
        if name == NAME and settings is not None:
            offered = _checked(parameters, client_bits_need_value=False)
            agreed = None if offered is None else _answer(offered, settings)
            if agreed is not None:
                return agreed
    return None


def _checked(
    parameters: Sequence[tuple[str, str | None]], client_bits_need_value: bool
) -> dict[str, str | None] | None:
    """Return the parameters by name; ``None`` if one is unknown, there twice, or has a bad value (7.1)."""
    checked: dict[str, str | None] = {}
    for name, value in parameters:
        if name in checked:
            return None
        if name in ("server_no_context_takeover", "client_no_context_takeover"):
            good = value is None
        elif name == "client_max_window_bits" and value is None:
            good = not client_bits_need_value
        elif name in ("server_max_window_bits", "client_max_window_bits"):
            good = value is not None and _WINDOW_BITS.fullmatch(value) is not None
        else:
            good = False
        if not good:
            return None
        checked[name] = value
    return checked


def _answer(offered: dict[str, str | None], settings: DeflateSettings) -> tuple[Deflate, str] | None:
    answer: list[tuple[str, str | None]] = []
    send_bits = receive_bits = settings.window_bits
    if "server_no_context_takeover" in offered:
        answer.append(("server_no_context_takeover", None))
    if "client_no_context_takeover" in offered:
        answer.append(("client_no_context_takeover", None))
    wanted = offered.get("server_max_window_bits")
    if wanted is not None:
        send_bits = min(send_bits, int(wanted))
        if send_bits < MIN_WINDOW_BITS:
            return None
        answer.append(("server_max_window_bits", str(send_bits)))
    if "client_max_window_bits" in offered:
        hint = int(offered["client_max_window_bits"] or MAX_WINDOW_BITS)
        if receive_bits < hint:
            answer.append(("client_max_window_bits", str(receive_bits)))
        else:
            # A client that offers a value will not use more, whatever is answered (7.1.2.2).
            receive_bits = hint
    else:
        receive_bits = MAX_WINDOW_BITS
    agreed = Deflate(
        send_window_bits=send_bits,
        # Without being asked, the server may always begin each message afresh.
        send_takeover=settings.context_takeover and "server_no_context_takeover" not in offered,
        receive_window_bits=receive_bits,
        receive_takeover="client_no_context_takeover" not in offered,
        level=settings.level,
        mem_level=settings.mem_level,
        threshold=settings.threshold,
    )
    return agreed, format_extension(NAME, answer)


def offer(settings: DeflateSettings) -> str:
    """The client's side: the value of the request's Sec-WebSocket-Extensions."""
    parameters: list[tuple[str, str | None]] = []
    if not settings.context_takeover:
        parameters += [("server_no_context_takeover", None), ("client_no_context_takeover", None)]
    if settings.window_bits < MAX_WINDOW_BITS:
        parameters.append(("server_max_window_bits", str(settings.window_bits)))
    parameters.append(("client_max_window_bits", None))
    return format_extension(NAME, parameters)


def accept(headers: HeaderSource, settings: DeflateSettings | None) -> Deflate | None:
    """The client's side: check the answer to :func:`offer`; ``settings`` ``None``: nothing was offered.

    Returns what is agreed, ``None`` where the server declined. Raises :class:`HandshakeError` for anything
    that the client "MUST _Fail the WebSocket Connection_" for (RFC 6455, 4.1; RFC 7692, 7.1).
    """
    answered = parse_extensions(headers)
    if not answered:
        return None
    if settings is None or len(answered) > 1 or answered[0][0] != NAME:
        raise HandshakeError(101, "Server answered with an extension that was not offered (RFC 6455 4.1)")
    agreed = _accepted(answered[0], settings)
    if agreed is None:
        raise HandshakeError(101, "Server's answer to permessage-deflate breaks RFC 7692 7.1")
    return agreed


def _accepted(extension: Extension, settings: DeflateSettings) -> Deflate | None:
    answer = _checked(extension[1], client_bits_need_value=True)
    if answer is None:
        return None
    send_bits = int(answer.get("client_max_window_bits") or MAX_WINDOW_BITS)
    receive_bits = int(answer.get("server_max_window_bits") or MAX_WINDOW_BITS)
    if receive_bits > settings.window_bits:
        return None
    receive_takeover = "server_no_context_takeover" not in answer
    if receive_takeover and not settings.context_takeover:
        return None
    return Deflate(
        send_window_bits=min(send_bits, settings.window_bits),
        send_takeover=settings.context_takeover and "client_no_context_takeover" not in answer,
        receive_window_bits=receive_bits,
        receive_takeover=receive_takeover,
        level=settings.level,
        mem_level=settings.mem_level,
        threshold=settings.threshold,
    )
