"""Test actions in memory: no socket, no event loop of your own, and no wait without an end.

    from ioto_server.testing import Client

    def test_hello() -> None:
        with Client("actions/hello.py") as client:
            client.send("Ada")
            assert client.receive() == "Hello, Ada!"

With pytest, the fixtures `ioto_client` and `ioto_server` make the same without a `with`.
"""

from ioto_server.client import Refused, Response
from ioto_server.session import Closed

from .client import Client
from .failures import ActionFailed, Failure, Leaked, TimedOut
from .peer import Close
from .server import Server

__all__ = [
    "ActionFailed",
    "Client",
    "Close",
    "Closed",
    "Failure",
    "Leaked",
    "Refused",
    "Response",
    "Server",
    "TimedOut",
]
