"""One published message, encoded once for each way in which its subscribers may want it (SPEC 6)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ioto_server.websocket import Deflate, Opcode, Protocol

if TYPE_CHECKING:
    from ioto_server.config import Limits

# Bytes that one takes in memory beside its message and the frames made of that.
_OVERHEAD: Final = 512


class Publication:
    """A message on its way to a topic's subscribers.

    Connections without compression share one encoding; those with it share one for each window size,
    compressed with an empty window so that it means the same to all of them.
    """

    __slots__ = ("_encodings", "_limits", "_opcode", "_payload", "plain", "plain_size")

    def __init__(self, message: str | bytes, limits: Limits) -> None:
        """Encode `message` for connections without compression.

        Raises MessageTooBig for more than `limits.maxMessage` bytes, also where nobody listens, and TypeError
        for what is neither text nor bytes.
        """
        self._opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
        self._payload = message.encode() if isinstance(message, str) else _bytes(message)
        self._limits = limits
        self._encodings: dict[int, list[bytes]] = {}
        # The frames for connections without compression, and how many bytes those are.
        self.plain = self.frames(None)
        self.plain_size = sum(map(len, self.plain))

    @property
    def message(self) -> str | bytes:
        """The message, as it was published."""
        return self._payload.decode() if self._opcode is Opcode.TEXT else self._payload

    @property
    def size(self) -> int:
        """About how many bytes of memory one takes that is kept: the message, its frames, compressed ones."""
        return _OVERHEAD + 3 * len(self._payload)

    def frames(self, deflate: Deflate | None) -> list[bytes]:
        """The finished frames for a connection that has agreed on this; not to be changed."""
        window = 0 if deflate is None else deflate.send_window_bits
        frames = self._encodings.get(window)
        if frames is None:
            limits = self._limits
            codec = Protocol(
                max_message=limits.max_message,
                max_frame=limits.max_frame,
                max_fragments=limits.max_fragments,
                deflate=None if deflate is None else replace(deflate, send_takeover=False),
            )
            frames = self._encodings[window] = []
            codec.send_message(self._opcode, self._payload, frames)
        return frames


def _bytes(message: bytes) -> bytes:
    try:
        return memoryview(message).tobytes()
    except TypeError:
        raise TypeError(
            f"A message is str or bytes-like, not {type(message).__name__}: publish other values as JSON text"
        ) from None
