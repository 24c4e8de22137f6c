"""Fixtures for pytest, found by themselves where ioto-server is installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from .client import Client
    from .server import Server
    from .subject import Subject


class MakeServer(Protocol):
    """What the fixture `ioto_server` is: it makes a `Server` that is closed at the end of the test."""

    def __call__(self, *subjects: Subject, **arguments: Any) -> Server: ...


class MakeClient(Protocol):
    """What the fixture `ioto_client` is: it makes a `Client` that is closed at the end of the test."""

    def __call__(self, served: Subject | Server, path: str | None = None, **arguments: Any) -> Client: ...


@pytest.fixture
def ioto_server() -> Iterator[MakeServer]:
    """Serve actions: `server = ioto_server("actions", config="web.json5")`."""
    from .server import Server

    with ExitStack() as stack:
        yield lambda *subjects, **arguments: stack.enter_context(Server(*subjects, **arguments))


@pytest.fixture
def ioto_client() -> Iterator[MakeClient]:
    """Connect to an action: `client = ioto_client(hello)`."""
    from .client import Client

    with ExitStack() as stack:
        yield lambda served, path=None, **arguments: stack.enter_context(Client(served, path, **arguments))
