"""What the actions API raises at an author."""

from ioto_server.websocket import close_text


class Closed(Exception):
    """The WebSocket is closed or closing: nothing can be sent or received any more.

    `code` and `reason` are those of the Close frame; 1006 when none came. An action may let it through: the
    server takes it for a quiet end.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"The WebSocket is closed: {close_text(code)}" + (f" ({reason})" if reason else ""))
        self.code = code
        self.reason = reason
