"""What serves, whether this process itself or workers of its own: what `Service` needs of either."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeVar

from ioto_server.config import Config

from .control import Command
from .outcome import FAILED

T = TypeVar("T")

# Beside timeouts.start, which is for their io_start: what plugins may take to be imported, in seconds.
TO_IMPORT: Final = 30.0


class StartError(Exception):
    """What serves could not be started: why, with the traceback of a plugin, and the exit code."""

    def __init__(self, text: str, trace: str = "", code: int = FAILED) -> None:
        super().__init__(text)
        self.trace = trace
        self.code = code


class Engine(Protocol):
    """Serves by a configuration, which a reload exchanges whole."""

    @property
    def config(self) -> Config:
        """The configuration in force."""

    @property
    def connections(self) -> int:
        """How many connections are open; of workers, as they have last told."""

    @property
    def commands(self) -> Mapping[str, Command]:
        """What operators may ask: connections, close, log."""

    # ---- life -----------------------------------------------------------------------------------------

    @property
    def longest_start(self) -> float:
        """Seconds that a start may take; those of no limit are infinite."""

    @property
    def longest_stop(self) -> float:
        """Seconds that a stop may take; those of no limit are infinite."""

    @property
    def waits_for(self) -> str:
        """What a start waits for at this moment, in words."""

    async def start(self) -> None:
        """Load and start what is to be served, and accept nobody yet. Raises StartError."""

    async def accept(self) -> None:
        """Accept clients."""

    async def leave(self) -> None:
        """Accept nobody any more."""

    async def stop(self, code: int, reason: str) -> None:
        """Close every WebSocket with `code`, let requests finish for `timeouts.drain`, end."""

    async def break_off(self) -> None:
        """End a stop that is under way at once: this process is to end, and whatever it has started."""

    # ---- what it says of itself -----------------------------------------------------------------------

    def line(self) -> str:
        """The state in a few words."""

    def healthy(self) -> bool:
        """Whether systemd's watchdog is to be fed."""

    async def report(self) -> dict[str, Any]:
        """The state at this moment, ready for JSON."""

    def measure(self) -> None:
        """Begin to count for the metrics."""

    async def metrics(self) -> bytes:
        """The metrics in Prometheus' text format."""

    def reopen_log(self) -> None:
        """Go on in a new log file where the old one was renamed."""

    # ---- reload ---------------------------------------------------------------------------------------

    async def aside(self, function: Callable[[], T]) -> T:
        """Call what takes its time, such as reading a configuration, where it keeps no client waiting."""

    async def prepare(self, config: Config, while_saving: bool = False) -> dict[str, Any]:
        """Make all that `config` needs, in force of nothing yet; `commit` or `abort` has to follow.

        Returns a line for each of the `plugins` that changes, and `warnings` about them. Raises PluginError,
        TlsError, ListenError, OSError or Refused, and `while_saving` BeingSaved, with nothing left of what
        was made.
        """

    async def commit(self) -> None:
        """Serve by what was prepared."""

    async def abort(self) -> None:
        """Let go of what was prepared."""
