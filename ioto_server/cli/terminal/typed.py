"""What a person types: messages, and commands that begin with a slash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .link import Link

HELP: Final = """\
Lines are sent as text messages. Commands:
  /ping [TEXT]           send a ping; the pong shows the round trip
  /close [CODE [REASON]] close, with 1000 if nothing else is said
  /binary HEX            send bytes, such as /binary 00 ff 10
  /file PATH             send a file's bytes as one message
  /help                  show this
  //TEXT                 send TEXT with one slash before it
Ctrl-D closes in order, Ctrl-C too; a second Ctrl-C drops the connection."""

# Bytes of a file in memory at once: each piece is one fragment of the message.
_PIECE: Final = 64 * 1024


class CommandError(Exception):
    """What was typed is no command: which one was meant, or how it is written."""


@dataclass(frozen=True, slots=True)
class Message:
    """Send a message."""

    data: str | bytes

    async def perform(self, link: Link) -> str:
        """Do it; returns what to show for it."""
        await link.send(self.data)
        return ""


@dataclass(frozen=True, slots=True)
class File:
    """Send a file as one binary message."""

    path: Path

    async def perform(self, link: Link) -> str:
        """Do it, piece by piece; returns what to show for it."""
        size = 0
        try:
            with self.path.open("rb") as file:
                piece = file.read(_PIECE)
                while True:
                    following = file.read(_PIECE)
                    if link.closing:
                        return ""
                    await link.send_fragment(piece, fin=not following)
                    size += len(piece)
                    if not following:
                        return f"{self.path} ({size} bytes)"
                    piece = following
        except OSError as error:
            raise CommandError(f"Cannot read {self.path}: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Ping:
    """Send a ping."""

    payload: bytes

    async def perform(self, link: Link) -> str:
        """Do it; returns what to show for it."""
        await link.ping(self.payload)
        return "ping"


@dataclass(frozen=True, slots=True)
class Close:
    """Begin to close."""

    code: int
    reason: str

    async def perform(self, link: Link) -> str:
        """Do it; returns what to show for it."""
        await link.close(self.code, self.reason)
        return f"close {self.code} {self.reason}".rstrip()


@dataclass(frozen=True, slots=True)
class Help:
    """Show what can be typed."""

    async def perform(self, _link: Link) -> str:
        """Return it."""
        return HELP


Command = Message | File | Ping | Close | Help


def parse(line: str) -> Command:
    """What a line means. Raises CommandError."""
    if not line.startswith("/"):
        return Message(line)
    if line.startswith("//"):
        return Message(line[1:])
    name, _, rest = line[1:].partition(" ")
    rest = rest.strip()
    match name:
        case "ping":
            return _ping(rest)
        case "close":
            return _close(rest)
        case "binary":
            return _binary(rest)
        case "file" if rest:
            return File(Path(rest).expanduser())
        case "file":
            raise CommandError("/file needs the path of a file")
        case "help":
            return Help()
    raise CommandError(f"/{name} is no command: /help shows them, //{name} sends the text /{name}")


def _ping(text: str) -> Ping:
    payload = text.encode()
    if len(payload) > 125:
        raise CommandError(f"A ping carries 125 bytes at most, this text has {len(payload)}")
    return Ping(payload)


def _close(text: str) -> Close:
    code, _, reason = text.partition(" ")
    if not code:
        return Close(1000, "")
    if not code.isdecimal():
        raise CommandError(f"/close needs a number first, not {code}: /close 4000 {text}")
    return Close(int(code), reason.strip())


def _binary(text: str) -> Message:
    try:
        return Message(bytes.fromhex(text))
    except ValueError:
        raise CommandError("/binary needs hexadecimal digits, two for each byte: /binary 00 ff 10") from None
