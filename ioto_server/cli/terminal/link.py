"""A WebSocket over a socket, for `connect`: asyncio carries the bytes, our own codec reads them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from ioto_server.client import Accepted, Address, ClientProtocol, Opening, ResponseError
from ioto_server.websocket import DeflateSettings, Received
from ioto_server.websocket.handshake import HandshakeError

# Bytes read at once, and kept by asyncio before it stops reading.
_READ: Final = 64 * 1024

# The reason codes with which a server says that something went wrong (RFC 6455, 7.4.1): exit code 1.
_FAILURES: Final = frozenset({1002, 1003, 1006, 1007, 1008, 1009, 1010, 1011, 1013, 1014, 1015})


class ConnectError(Exception):
    """No WebSocket came about: why, and what to change."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect to, and how."""

    address: Address
    headers: tuple[tuple[str, str], ...] = ()
    origin: str | None = None
    protocols: tuple[str, ...] = ()
    compress: bool = False
    unix: Path | None = None
    tls: ssl.SSLContext | None = None
    timeout: float = 10.0
    max_message: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Incoming:
    """What came from the server: MESSAGE, PING or PONG with `data`, at `time` in monotonic seconds."""

    kind: Received
    data: str | bytes
    time: float


@dataclass(frozen=True, slots=True)
class End:
    """How the WebSocket ended: the server's code and reason, 1006 when it sent no Close.

    `error` says what the server did wrong, if it broke the protocol.
    """

    code: int
    reason: str
    error: str = ""

    @property
    def orderly(self) -> bool:
        """Whether both Closes were exchanged, with a code that reports no failure."""
        return not self.error and self.code not in _FAILURES


class Link:
    """One open WebSocket."""

    def __init__(
        self, target: Target, accepted: Accepted, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.target = target
        self.accepted = accepted
        self.end: End | None = None
        #: When something was sent last, in monotonic seconds.
        self.sent_at = monotonic()
        self._reader = reader
        self._writer = writer
        self._reading: asyncio.Timeout | None = None
        self._protocol = ClientProtocol(max_message=target.max_message, deflate=accepted.deflate)

    @classmethod
    async def open(cls, target: Target) -> Link:
        """Connect and shake hands, within `target.timeout` seconds for each of the two.

        Raises ConnectError, or Refused with the server's answer.
        """
        address = target.address
        opening = Opening(
            address.authority,
            address.target,
            headers=target.headers,
            origin=target.origin,
            protocols=target.protocols,
            compress=DeflateSettings() if target.compress else None,
        )
        reader, writer = await _connect(target)
        try:
            writer.write(opening.request)
            async with asyncio.timeout(target.timeout):
                accepted = await _shake_hands(opening, reader)
        except TimeoutError:
            writer.close()
            raise ConnectError(
                f"The server did not answer the handshake within {target.timeout:g} s: "
                "--timeout SECONDS waits longer"
            ) from None
        except BaseException:
            writer.close()
            raise
        return cls(target, accepted, reader, writer)

    @property
    def closing(self) -> bool:
        """Whether our Close was sent: nothing but the server's is awaited."""
        return self._protocol.closing or self.end is not None

    # ---- receiving ------------------------------------------------------------------------------------

    async def __aiter__(self) -> AsyncIterator[Incoming]:
        """What comes from the server, until the end; then `end` says how it was."""
        data = self.accepted.rest
        while self.end is None:
            self._protocol.receive(data)
            while (kind := self._protocol.next_event()) != Received.NEED_DATA:
                if kind == Received.CLOSE:
                    self.end = End(self._protocol.close_code, self._protocol.close_reason)
                elif kind == Received.FAILED:
                    error = self._protocol.error
                    assert error is not None
                    self.end = End(error.code, "", f"the server broke the protocol: {error.reason}")
                else:
                    yield Incoming(kind, self._protocol.data, monotonic())
            await self._flush()
            if self.end is None:
                data = await self._read()
                if not data:
                    self.end = End(1006, "")
        await self._hang_up()

    async def _read(self) -> bytes:
        """The next bytes; none at the end, and none when our Close was not answered in time."""
        try:
            async with asyncio.timeout(self._answer_due()) as self._reading:
                return await self._receive()
        except TimeoutError:
            return b""
        finally:
            self._reading = None

    def _answer_due(self) -> float | None:
        """By when the next bytes have to come: the answer to a Close has a limit, messages have none."""
        if not self._protocol.closing:
            return None
        return self.target.timeout

    async def _receive(self) -> bytes:
        try:
            return await self._reader.read(_READ)
        except (OSError, ssl.SSLError):
            # A reset is an end without a Close; the same as any other.
            return b""

    async def _hang_up(self) -> None:
        """Let the server close TCP first (RFC 6455, 7.1.1), but not for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.target.timeout):
                while self.end is not None and self.end.orderly and await self._receive():
                    pass
        self._writer.close()
        with suppress(OSError, ssl.SSLError, TimeoutError):
            async with asyncio.timeout(1):
                await self._writer.wait_closed()

    def abort(self) -> None:
        """Drop the connection."""
        self._writer.transport.abort()

    # ---- sending --------------------------------------------------------------------------------------

    async def send(self, message: str | bytes) -> None:
        """Send a message, and wait while much is unsent. Raises ValueError for one that is too long."""
        self._protocol.send(message)
        await self._sent()

    async def send_fragment(self, data: bytes, *, fin: bool) -> None:
        """Send a fragment of a binary message."""
        self._protocol.send_fragment(data, fin=fin)
        await self._sent()

    async def ping(self, payload: bytes) -> None:
        """Send a ping. Raises ValueError for more than 125 bytes."""
        self._protocol.ping(payload)
        await self._sent()

    async def close(self, code: int | None = 1000, reason: str = "") -> None:
        """Begin to close; does nothing the second time. Raises ValueError for what cannot be sent."""
        if not self.closing:
            self._protocol.close(code, reason)
            await self._sent()
            if self._reading is not None:
                # Messages may be waited for without end, the answer to this may not.
                self._reading.reschedule(asyncio.get_running_loop().time() + self.target.timeout)

    async def _sent(self) -> None:
        self.sent_at = monotonic()
        await self._flush()

    async def _flush(self) -> None:
        out = self._protocol.out
        if not out:
            return
        self._writer.writelines(out)
        out.clear()
        # The reader finds out what a lost connection means.
        with suppress(OSError, ssl.SSLError):
            await self._writer.drain()


async def _connect(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address = target.address
    where = str(target.unix) if target.unix else f"{address.host}:{address.port}"
    name = address.host if target.tls else None
    try:
        async with asyncio.timeout(target.timeout):
            if target.unix is not None:
                return await asyncio.open_unix_connection(
                    target.unix, limit=_READ, ssl=target.tls, server_hostname=name
                )
            return await asyncio.open_connection(
                address.host,
                address.port,
                limit=_READ,
                ssl=target.tls,
                server_hostname=name,
                happy_eyeballs_delay=0.25,
            )
    except TimeoutError:
        raise ConnectError(
            f"{where} did not answer within {target.timeout:g} s: --timeout SECONDS waits longer"
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise ConnectError(
            f"The certificate of {where} is not trusted: {error.verify_message}; "
            "--ca FILE trusts its issuer, --insecure trusts everybody"
        ) from None
    except ssl.SSLError as error:
        raise ConnectError(
            f"No TLS with {where}: {error.reason or error}; a server without TLS is ws://, not wss://"
        ) from None
    except OSError as error:
        raise ConnectError(f"Cannot connect to {where}: {_why(error)}") from None


def _why(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused; nobody listens there: is the server running, and is it this port?"
    return error.strerror or str(error)


async def _shake_hands(opening: Opening, reader: asyncio.StreamReader) -> Accepted:
    try:
        while True:
            data = await reader.read(_READ)
            if not data:
                opening.receive_eof()
            accepted = opening.receive(data)
            if accepted is not None:
                return accepted
    except (HandshakeError, ResponseError) as error:
        raise ConnectError(f"{error}; is it a WebSocket server, and is ws:// or wss:// right?") from None
    except (OSError, ssl.SSLError) as error:
        raise ConnectError(f"The connection was lost in the handshake: {error}") from None
