"""One action: a function of an author's, bound to a URL prefix."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .own import Own

if TYPE_CHECKING:
    from .web import Web

ActionFunction = Callable[["Web"], "Awaitable[None] | None"]


@dataclass(frozen=True, slots=True)
class Action:
    """What is called for requests below `prefix`, and what its author asked for.

    `protocols` replaces `webSockets.protocol` when it is not None; `text` is the type in which text messages
    are handed over (`str`, or `bytes` of valid UTF-8); `stream` asks for messages piece by piece;
    `drop_when_slow` for messages to be dropped, not the connection, when a peer reads too slowly. `own` are
    limits and timeouts in place of the configuration's.
    """

    prefix: str
    function: ActionFunction
    file: Path
    line: int
    protocols: tuple[str, ...] | None = None
    stream: bool = False
    text: type[str] | type[bytes] = str
    drop_when_slow: bool = False
    own: Own | None = None

    @property
    def where(self) -> str:
        """`file:line`, for messages."""
        return f"{self.file}:{self.line}"
