"""What our server does in the comparison, written as any author would."""

from ioto_server import Event, Web, WebSocket, action


@action("/ws/echo")
async def echo(web: Web) -> None:
    """A plain callback."""
    web.on_event(on_event)
    await web.wait()


@action("/ws/bytes", text=bytes)
async def echo_bytes(web: Web) -> None:
    """The same, with text as validated bytes."""
    web.on_event(on_event_bytes)
    await web.wait()


def on_event(ws: WebSocket, event: Event, data: str | bytes | None, _arg: object) -> None:
    if event is Event.MESSAGE and data is not None:
        ws.send(data)


def on_event_bytes(ws: WebSocket, event: Event, data: str | bytes | None, _arg: object) -> None:
    if event is Event.MESSAGE and data is not None:
        ws.send_text(data)


@action("/ws/async")
async def iterate(web: Web) -> None:
    """The way of `async for`."""
    async for message in web.websocket:
        await web.websocket.send(message)


@action("/ws/subscribe")
async def subscribe(web: Web) -> None:
    """Get what is published."""
    web.websocket.subscribe("all")
    await web.wait()


@action("/ws/publish")
async def publish(web: Web) -> None:
    """Publish what comes."""

    def on_publish(_ws: WebSocket, event: Event, data: str | bytes | None, _arg: object) -> None:
        if event is Event.MESSAGE and data is not None:
            web.host.publish("all", data)

    web.on_event(on_publish)
    await web.wait()
