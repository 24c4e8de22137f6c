"""Limits and timeouts that an action has of its own, in place of the configuration's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ioto_server.config import Config
from ioto_server.config.values import WrongValue, parse_duration, parse_size

#: A size in bytes, or as web.json5 has it: '1MB', 'unlimited'.
Size = int | str

#: A duration in seconds, or as web.json5 has it: '5 mins', 'never'.
Duration = float | str


class Own(NamedTuple):
    """What an action has of its own; None is as the configuration says."""

    max_message: int | None = None
    max_backlog: int | None = None
    max_body: int | None = None
    inactivity: float | None = None
    request: float | None = None
    ping: float | None = None

    @classmethod
    def read(
        cls,
        *,
        max_message: Size | None = None,
        max_backlog: Size | None = None,
        max_body: Size | None = None,
        inactivity: Duration | None = None,
        request: Duration | None = None,
        ping: Duration | None = None,
    ) -> Own:
        """Read values as web.json5 has them. Raises ValueError that names the one that is wrong."""
        return cls(
            _size("max_message", max_message),
            _size("max_backlog", max_backlog),
            _size("max_body", max_body),
            _duration("inactivity", inactivity),
            _duration("request", request),
            _duration("ping", ping),
        )

    def over(self, config: Config) -> Config:
        """The configuration with these laid over it."""
        limits = {"max_message": self.max_message, "max_backlog": self.max_backlog, "body": self.max_body}
        timeouts = {"inactivity": self.inactivity, "request": self.request}
        return config.replace(
            limits=config.limits.replace(**_given(limits)),
            timeouts=config.timeouts.replace(**_given(timeouts)),
            web_sockets=config.web_sockets.replace(**_given({"ping": self.ping})),
        )


def _given(values: Mapping[str, float | None]) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


def _size(name: str, value: Size | None) -> int | None:
    try:
        return None if value is None else parse_size(value)
    except WrongValue as error:
        raise _wrong(name, value, error) from None


def _duration(name: str, value: Duration | None) -> float | None:
    try:
        return None if value is None else parse_duration(value)
    except WrongValue as error:
        raise _wrong(name, value, error) from None


def _wrong(name: str, value: object, error: WrongValue) -> ValueError:
    hint = f": {error.hint}" if error.hint else ""
    return ValueError(f"{name}={value!r} {error.why}{hint}")
