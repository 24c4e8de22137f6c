"""The ASGI application that uvicorn and granian serve."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

subscribers: set[Send] = set()


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    if scope["path"] == "/ws/subscribe":
        subscribers.add(send)
    while (event := await receive())["type"] == "websocket.receive":
        content = "text" if event.get("text") is not None else "bytes"
        message = {"type": "websocket.send", content: event[content]}
        if scope["path"] == "/ws/publish":
            for subscriber in subscribers:
                await subscriber(message)
        else:
            await send(message)
    subscribers.discard(send)
