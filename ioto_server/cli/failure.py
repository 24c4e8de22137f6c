"""How a command says that the daemon could not do what it was asked for."""

from __future__ import annotations

from typing import IO, Any

import click

from ioto_server.daemon.outcome import say


class Failed(click.ClickException):
    """Ends a command with exit code 1; why is said on stderr."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Say it: the answer of a daemon may hold what a peer of it has chosen."""
        say(f"Error: {self.format_message()}")
