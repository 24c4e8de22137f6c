"""The one exception of this room: a refusal that is already an HTTP answer."""

from __future__ import annotations

from collections.abc import Sequence


class HttpError(Exception):
    """A request is refused: the status, the one-line text and the headers to answer with.

    `close` says that the connection cannot be used further, because the end of the request is not known or
    its bytes cannot be trusted (RFC 9112 9.6, 11.2): answer, then close. `fault` is for the log alone: what
    of ours has failed, and what an operator can do about it; empty where it is the client's affair.
    """

    def __init__(
        self,
        status: int,
        text: str,
        headers: Sequence[tuple[str, str]] = (),
        *,
        close: bool = False,
        fault: str = "",
    ) -> None:
        super().__init__(f"{status} {text}")
        self.status = status
        self.text = text
        self.headers = list(headers)
        self.close = close
        self.fault = fault


def bad_request(text: str) -> HttpError:
    """400 and close: what follows on the connection may not be what the sender meant (RFC 9112 11.2)."""
    return HttpError(400, text, close=True)
