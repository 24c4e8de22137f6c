"""permessage-deflate (RFC 7692): the payloads, compressed and inflated (7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import DEFLATED, MAX_WBITS, Z_SYNC_FLUSH, compressobj, decompressobj
from zlib import error as zlib_error

from .deflate import Deflate

if TYPE_CHECKING:
    from zlib import _Compress, _Decompress

#: What a flushed stream ends with, and a message leaves out: length and complement of an empty stored block
#: (7.2.1).
TAIL = b"\x00\x00\xff\xff"

#: A final block without content. Behind the tail it ends the stream, unless the message was cut off.
LAST_BLOCK = b"\x03\x00"

#: Compressed bytes given to zlib in one call: bounds what it copies when a message is made of final blocks.
STEP = 4096


class InflateError(Exception):
    """The payload of a compressed message is not DEFLATE data, or ends inside a block."""


class Deflater:
    """Compresses what is sent: one compressor a connection or, without takeover, one a message."""

    __slots__ = ("_bits", "_level", "_mem_level", "_stream", "_takeover", "threshold")

    def __init__(self, agreed: Deflate) -> None:
        self._bits = agreed.send_window_bits
        self._takeover = agreed.send_takeover
        self._level = agreed.level
        self._mem_level = agreed.mem_level
        self.threshold = agreed.threshold
        self._stream: _Compress | None = None

    def compress(self, data: bytes, fin: bool) -> bytes:
        """Compress a block of a message so that the peer can inflate all of it at once; ``fin``: the last."""
        stream = self._stream
        if stream is None:
            self._stream = stream = compressobj(self._level, DEFLATED, -self._bits, self._mem_level)
        compressed = stream.compress(data) + stream.flush(Z_SYNC_FLUSH)
        if not fin:
            return compressed
        if not self._takeover:
            self._stream = None
        return compressed[:-4]

    def reset(self) -> None:
        """Forget the window: the next message refers to nothing before it."""
        self._stream = None


class Inflater:
    """Inflates what is received, in steps of bounded size.

    Between messages nothing is kept but the window that was agreed: each message has a stream of its own,
    which begins with that window. So a block that is cut off at the end can be told, and a final block in the
    middle (7.2.3.4) needs but another stream.
    """

    __slots__ = (
        "_at",
        "_chunk",
        "_data",
        "_final",
        "_full",
        "_keep",
        "_single",
        "_size",
        "_stream",
        "_window",
    )

    def __init__(self, agreed: Deflate) -> None:
        self._size = 1 << agreed.receive_window_bits
        self._keep = agreed.receive_takeover
        self._window = bytearray()
        self._stream: _Decompress | None = None
        # Compressed bytes: those given, how many of them zlib was offered, and what it left of the last
        # offer.
        self._data = b""
        self._at = 0
        self._chunk = b""
        # zlib may hold output still; the last block was a final one; offer the bytes one by one.
        self._full = False
        self._final = False
        self._single = False

    def pending(self) -> int:
        """Return how many compressed bytes were given that are not inflated yet."""
        return len(self._chunk) + len(self._data) - self._at

    def feed(self, data: bytes) -> None:
        """Give compressed bytes; those given before are used up."""
        self._data = data
        self._at = 0

    def read(self, limit: int, exact: bool) -> bytes:
        """Return the next inflated bytes, at most ``limit``; ``b""`` when those given are used up.

        Raises :class:`InflateError`, and may then lose fewer than ``limit`` inflated bytes that precede the
        fault. With ``exact`` also ``limit`` of them are not lost, as if the bytes had been given one by one;
        that costs a copy of zlib's state.
        """
        while self._chunk or self._full or self._offer():
            stream = self._stream
            if stream is None:
                stream = self._begin()
            saved = stream.copy() if exact and not self._single else None
            try:
                data = stream.decompress(self._chunk, limit)
            except zlib_error:
                if saved is None:
                    raise InflateError from None
                self._stream = saved
                self._single = True
                self._at -= len(self._chunk)
                self._chunk = b""
                continue
            if stream.eof:
                self._stream = None
                self._chunk = stream.unused_data
                self._full = False
                self._final = True
            else:
                self._chunk = stream.unconsumed_tail
                self._full = len(data) == limit
            if data:
                self._remember(data)
                return data
        return b""

    def finish(self) -> None:
        """End the message. Raises :class:`InflateError` if it ends inside a block."""
        # "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of the payload" (7.2.2). A final block at
        # the very end is complete without.
        stream = self._stream
        if stream is not None:
            try:
                surplus = stream.decompress(TAIL + LAST_BLOCK, 1)
            except zlib_error:
                raise InflateError from None
            if surplus or not stream.eof:
                raise InflateError
        elif not self._final:
            raise InflateError
        self._stream = None
        self._final = False
        if not self._keep:
            self._window.clear()
        elif len(self._window) > self._size:
            del self._window[: -self._size]

    def _offer(self) -> bool:
        """Take the next bytes to give to zlib; false when there are none."""
        size = 1 if self._single else STEP
        self._chunk = self._data[self._at : self._at + size]
        self._at += len(self._chunk)
        if self._chunk:
            return True
        self._data = b""
        self._at = 0
        return False

    def _begin(self) -> _Decompress:
        # The widest window for zlib: with a narrower one it would refuse a distance beyond it, or not,
        # depending on how the bytes were cut.
        window = bytes(self._window[-self._size :])
        self._stream = stream = (
            decompressobj(-MAX_WBITS, zdict=window) if window else decompressobj(-MAX_WBITS)
        )
        self._final = False
        return stream

    def _remember(self, data: bytes) -> None:
        window = self._window
        if len(data) >= self._size:
            window[:] = data[-self._size :]
            return
        window += data
        # Cut now and then only, so that a message that trickles in costs no copy of the window for each byte.
        if len(window) > 2 * self._size:
            del window[: -self._size]
