"""Echo: every message comes back as it went.

The callback is called in the midst of reading, so this is also the fastest way to answer a message.
"""

from ioto_server import Event, Web, WebSocket, action


@action("/ws/echo")
async def echo(web: Web) -> None:
    """Serve one client until it leaves."""
    web.on_event(on_event)
    await web.wait()


def on_event(ws: WebSocket, event: Event, data: str | bytes | None, _arg: object) -> None:
    """Send back what came: text as text, binary as binary."""
    if event is Event.MESSAGE and data is not None:
        ws.send(data)
