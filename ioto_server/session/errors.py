"""What the actions API raises at an author."""

from ioto_server.websocket import close_text


class Closed(Exception):
    """The connection is closed or closing: nothing can be sent or received any more.

    `code` and `reason` are those of the Close frame of a WebSocket; 1006 when none came, and for HTTP. An
    action may let it through: the server takes it for a quiet end.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"The connection is closed: {close_text(code)}" + (f" ({reason})" if reason else ""))
        self.code = code
        self.reason = reason
