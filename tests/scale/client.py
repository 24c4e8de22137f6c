"""Many WebSockets of one process, for the runs at scale: `client.py PORT hold COUNT RATE` or `churn RATE`.

What happens is written to standard output, a JSON object a line, twice a second and at the end. The end of
standard input has it close what is open, in order, and end. Each process has addresses of its own: no more
than 28,000 connections can share one pair of them.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import sys
import time
from collections import Counter
from typing import Any

REQUEST = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
ACCEPTED = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
CLOSE = b"\x88\x82\x00\x00\x00\x00" + (1000).to_bytes(2, "big")
EVENTS = ("opened", "refused", "failed", "ended", "reset", "pings")
# Connections from one address: beyond half of its ports, the kernel looks long for each that is free.
SHARE = 8000
# Handshakes that are under way at once.
AT_ONCE = 200
PATIENCE = 60.0


class Client:
    """Opens, holds, answers pings, and says what became of everybody."""

    def __init__(self, port: int, churns: bool, count: int, rate: float) -> None:
        self.port = port
        self.churns = churns
        self.wanted = count
        self.rate = rate
        self.events: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.slowest = 0.0
        self._source = f"{os.getpid() >> 8 & 255}.{os.getpid() & 255 or 1}"
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        # Those that wait for their 101, since when; and what has arrived of frames.
        self._opening: dict[int, float] = {}
        self._rest: dict[int, bytes] = {}
        self._begun = time.monotonic()
        self._ending = False

    # ---- connections ----------------------------------------------------------------------------------

    def open_due(self) -> None:
        """Open as many as the rate allows by now."""
        due = int((time.monotonic() - self._begun) * self.rate) + 1 if self.rate else sys.maxsize
        if not self.churns:
            due = min(due, self.wanted)
        while not self._ending and self.events["begun"] < due and len(self._opening) < AT_ONCE:
            self.events["begun"] += 1
            one = socket.socket()
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
            one.bind((f"127.{1 + self.events['begun'] // SHARE % 200}.{self._source}", 0))
            result = one.connect_ex(("127.0.0.1", self.port))
            if result not in (0, errno.EINPROGRESS):
                self.failed(one, OSError(result, os.strerror(result)))
                continue
            number = one.fileno()
            self._sockets[number] = one
            self._opening[number] = time.monotonic()
            self._poll.register(number, select.EPOLLOUT)

    def failed(self, one: socket.socket, error: OSError) -> None:
        self.events["refused" if error.errno == errno.ECONNREFUSED else "failed"] += 1
        self.codes[f"error {errno.errorcode.get(error.errno or 0, '?')}"] += 1
        one.close()

    def handle(self, number: int, event: int) -> None:
        one = self._sockets[number]
        try:
            if event & select.EPOLLOUT and number not in self._rest:
                error = one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, os.strerror(error))
                one.send(REQUEST)
                self._rest[number] = b""
                self._poll.modify(number, select.EPOLLIN)
                return
            data = one.recv(65536)
        except OSError as error:
            self.lose(number, error)
            return
        if not data:
            self.lose(number, None)
            return
        data = self._rest[number] + data
        if number in self._opening:
            data = self.opened(number, data)
        self._rest[number] = self.frames(one, data) if number not in self._opening else data

    def lose(self, number: int, error: OSError | None) -> None:
        """The stream has ended, or was cut."""
        self._poll.unregister(number)
        one = self._sockets.pop(number)
        self._rest.pop(number, None)
        if self._opening.pop(number, None) is not None:
            self.failed(one, error or OSError(errno.ECONNRESET, "closed before the 101"))
            return
        one.close()
        self.events["ended"] += 1
        if error is not None:
            self.events["reset"] += 1

    def opened(self, number: int, data: bytes) -> bytes:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            return data
        since = self._opening.pop(number)
        self.slowest = max(self.slowest, time.monotonic() - since)
        if not head.startswith(b"HTTP/1.1 101") or ACCEPTED not in head:
            self.events["failed"] += 1
            self.codes[head.split(b"\r\n")[0].decode("latin-1")] += 1
        self.events["opened"] += 1
        if self.churns or self._ending:
            self._sockets[number].send(CLOSE)
        return rest

    def frames(self, one: socket.socket, data: bytes) -> bytes:
        """Take whole frames, all of them short, and answer them."""
        while len(data) >= 2 and len(data) >= 2 + data[1]:
            opcode, payload, data = data[0] & 15, data[2 : 2 + data[1]], data[2 + data[1] :]
            if opcode == 9:
                self.events["pings"] += 1
                # After our Close nothing may follow: the server may have closed behind its own by then.
                if self.churns or self._ending:
                    continue
                one.send(bytes((0x8A, 0x80 | len(payload))) + b"\x00" * 4 + payload)
            elif opcode == 8:
                self.codes[str(int.from_bytes(payload[:2], "big"))] += 1
                if not (self.churns or self._ending):
                    one.send(bytes((0x88, 0x82)) + b"\x00" * 4 + payload[:2])
        return data

    # ---- the whole ------------------------------------------------------------------------------------

    def report(self, done: bool) -> None:
        found: dict[str, Any] = {
            "open": len(self._sockets) - len(self._opening),
            **{
                name: self.events[name] for name in ("opened", "refused", "failed", "ended", "reset", "pings")
            },
            "codes": dict(self.codes),
            "slowest": round(self.slowest, 3),
            "seconds": round(time.monotonic() - self._begun, 2),
            "done": done,
        }
        print(json.dumps(found), flush=True)

    def end(self) -> None:
        self._ending = True
        for number, one in self._sockets.items():
            if number not in self._opening and not self.churns:
                one.send(CLOSE)

    def run(self) -> None:
        self._poll.register(0, select.EPOLLIN)
        told, limit = 0.0, float("inf")
        while not (self._ending and not self._sockets) and time.monotonic() < limit:
            self.open_due()
            for number, event in self._poll.poll(0.01, 1024):
                if number == 0:
                    self._poll.unregister(0)
                    self.end()
                    limit = time.monotonic() + PATIENCE
                elif number in self._sockets:
                    self.handle(number, event)
            if time.monotonic() - told > 0.5:
                told = time.monotonic()
                self.report(done=False)
        self.report(done=True)


if __name__ == "__main__":
    port, mode, *numbers = sys.argv[1:]
    if mode == "hold":
        Client(int(port), False, int(numbers[0]), float(numbers[1])).run()
    else:
        Client(int(port), True, 0, float(numbers[0])).run()
