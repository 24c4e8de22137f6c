"""Server-sent events: what goes on the wire (WHATWG HTML 9.2.5, 9.2.6)."""

from __future__ import annotations

import re

EVENT_STREAM = "text/event-stream; charset=utf-8"
"""The media type of an event stream."""

# What ends a line of the stream, and nothing else does: str.splitlines knows more.
_LINE_END = re.compile(r"\r\n|\r|\n")


def encode_event(
    data: str, *, event: str | None = None, event_id: str | None = None, retry: float | None = None
) -> bytes:
    """One event, as UTF-8.

    `data` may have any number of lines. `event` is its type, `event_id` what the client sends as
    Last-Event-ID when it comes back, `retry` how many seconds it waits until then. Raises ValueError for
    a type or an id with a line end, or an id with a NUL, which the client would ignore.
    """
    lines: list[str] = []
    if event is not None:
        lines.append(f"event: {_one_line('event', event)}")
    if event_id is not None:
        if "\0" in event_id:
            raise ValueError("the id of an event has a NUL, and clients ignore it then: leave it out")
        lines.append(f"id: {_one_line('id', event_id)}")
    if retry is not None:
        if not 0 <= retry < 1e10:
            raise ValueError(f"retry {retry} is no number of seconds to wait: use 0 or more")
        lines.append(f"retry: {round(retry * 1000)}")
    lines += [f"data: {line}" for line in _LINE_END.split(data)]
    return ("\n".join(lines) + "\n\n").encode()


def encode_comment(text: str = "") -> bytes:
    """A comment, which clients ignore: it keeps the connection alive through what closes silent ones."""
    return f": {_one_line('comment', text)}\n\n".encode()


def _one_line(what: str, text: str) -> str:
    if _LINE_END.search(text):
        raise ValueError(f"the {what} of a server-sent event has a line end: {text!r}; put it into the data")
    return text
