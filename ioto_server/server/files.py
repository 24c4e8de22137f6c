"""Send files: what `http.files` decides, driven on a connection."""

from __future__ import annotations

from ioto_server.config import Config
from ioto_server.http import HttpError, Match

from .exchange import Exchange


class FileSender:
    """Answers requests that go to files."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def send(self, exchange: Exchange, match: Match) -> None:
        """Answer with the file at `match.path`."""
        raise HttpError(404, "There is no such file")
