"""What passes between a supervisor and a worker: requests, answers, and sockets (unix(7), SCM_RIGHTS).

A message is a JSON object, which may bring bytes and descriptors along. Only the supervisor sends bytes that
are more than text: a worker runs the code of plugins, so nothing it sends is taken for anything but JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

Message = dict[str, Any]

# Bytes of a frame's two lengths: those of the JSON text and of the bytes behind it.
_HEAD: Final = 8
_AT_ONCE: Final = 256 * 1024
# What Linux passes on with one message (unix(7), SCM_MAX_FD).
MOST_SOCKETS: Final = 253


class Line:
    """One end of the connection between two processes of ours."""

    def __init__(
        self,
        connection: socket.socket,
        heard: Callable[[Message, bytes, list[socket.socket]], None],
        lost: Callable[[], None],
    ) -> None:
        """Call `heard` for every message, `lost` once when the other is gone; within a running loop."""
        connection.setblocking(False)
        self._connection = connection
        self._heard = heard
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._sockets: deque[socket.socket] = deque()
        self._unsent: deque[tuple[memoryview, list[int]]] = deque()
        self._open = True
        self._loop.add_reader(connection, self._read)

    def send(self, message: Message, data: bytes = b"", sockets: Sequence[socket.socket] = ()) -> None:
        """Send a message; what the kernel does not take leaves when it does. Nothing where the line is cut.

        The sockets are copied when they leave: they must stay open until the message is answered.
        """
        if not self._open:
            return
        if len(sockets) > MOST_SOCKETS:
            raise ValueError(f"{len(sockets)} sockets: {MOST_SOCKETS} can be passed on at once")
        text = json.dumps({**message, "sockets": len(sockets)}, separators=(",", ":")).encode()
        frame = len(text).to_bytes(4, "big") + len(data).to_bytes(4, "big") + text + data
        self._unsent.append((memoryview(frame), [one.fileno() for one in sockets]))
        if len(self._unsent) == 1:
            self._write()

    def close(self) -> None:
        """Send and hear no more."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._connection)
            self._loop.remove_writer(self._connection)
            self._connection.close()
            self._unsent.clear()
            for one in self._sockets:
                one.close()

    def _cut(self) -> None:
        self.close()
        self._lost()

    def _write(self) -> None:
        try:
            while self._unsent:
                frame, descriptors = self._unsent[0]
                # Descriptors arrive with the first byte of their message, so never before it is read.
                sent = socket.send_fds(self._connection, [frame], descriptors)
                if sent < len(frame):
                    self._unsent[0] = (frame[sent:], [])
                else:
                    self._unsent.popleft()
        except (BlockingIOError, InterruptedError):
            self._loop.add_writer(self._connection, self._write)
        except OSError:
            # Who is gone shows at the reading end.
            self._unsent.clear()
            self._loop.remove_writer(self._connection)
        else:
            self._loop.remove_writer(self._connection)

    def _read(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(
                self._connection, _AT_ONCE, MOST_SOCKETS, socket.MSG_CMSG_CLOEXEC
            )
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, descriptors = b"", []
        for descriptor in descriptors:
            adopted = socket.socket(fileno=descriptor)
            adopted.setblocking(False)
            os.set_inheritable(descriptor, False)
            self._sockets.append(adopted)
        if not data:
            self._cut()
            return
        self._received += data
        while self._open and len(self._received) >= _HEAD and self._take():
            pass

    def _take(self) -> bool:
        """Hand on one message; False where it is not complete yet."""
        text_end = _HEAD + int.from_bytes(self._received[:4], "big")
        end = text_end + int.from_bytes(self._received[4:_HEAD], "big")
        if len(self._received) < end:
            return False
        text, data = bytes(self._received[_HEAD:text_end]), bytes(self._received[text_end:end])
        del self._received[:end]
        message: Message = json.loads(text)
        sockets = [self._sockets.popleft() for _ in range(message.pop("sockets"))]
        self._heard(message, data, sockets)
        return True


class Refused(Exception):
    """The other answered that it cannot: why, with the traceback of a plugin, and the exit code.

    `saving` is the file of a plugin that is just being saved, where that is why.
    """

    def __init__(self, text: str, trace: str = "", code: int = 1, saving: str = "") -> None:
        super().__init__(text)
        self.saving = saving
        self.trace = trace
        self.code = code


class Asker:
    """The end that asks: each request has a number, which its answer repeats."""

    def __init__(self, connection: socket.socket, noted: Callable[[Message], None]) -> None:
        """Call `noted` for what the other says unasked."""
        self._noted = noted
        self._line = Line(connection, self._answered, self._lost)
        self._waiting: dict[int, asyncio.Future[Message]] = {}
        self._numbers = 0
        self._gone = False

    async def ask(
        self, command: str, *, data: bytes = b"", sockets: Sequence[socket.socket] = (), **arguments: Any
    ) -> Message:
        """Have the other carry out `command`; returns its answer.

        Raises Refused where it cannot, and ConnectionError where the other is gone.
        """
        if self._gone:
            raise ConnectionError("the worker is gone")
        self._numbers += 1
        number = self._numbers
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            self._line.send({"command": command, "number": number, **arguments}, data, sockets)
            answer = await future
        finally:
            self._waiting.pop(number, None)
        if "refused" in answer:
            raise Refused(
                answer["refused"], answer.get("trace", ""), answer.get("code", 1), answer.get("saving", "")
            )
        return answer

    def _answered(self, message: Message, _data: bytes, sockets: list[socket.socket]) -> None:
        for one in sockets:
            one.close()
        if "number" not in message:
            self._noted(message)
            return
        future = self._waiting.get(message.pop("number"))
        if future is not None and not future.done():
            future.set_result(message)

    def _lost(self) -> None:
        self._gone = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(ConnectionError("the worker is gone"))

    def close(self) -> None:
        """Ask no more."""
        with contextlib.suppress(OSError):
            self._line.close()
        self._lost()
