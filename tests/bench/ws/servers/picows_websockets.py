"""picows.websockets: the interface of websockets on top of picows."""

from __future__ import annotations

from picows.websockets import ServerConnection, broadcast
from picows.websockets import serve as listen
from surroundings import HOST, LARGEST, PORT, serve, tls

subscribers: set[ServerConnection] = set()


async def handle(connection: ServerConnection) -> None:
    assert connection.request is not None
    path = connection.request.path
    if path == "/ws/subscribe":
        subscribers.add(connection)
        await connection.wait_closed()
        subscribers.discard(connection)
    elif path == "/ws/publish":
        async for message in connection:
            broadcast(subscribers, message)
    else:
        async for message in connection:
            await connection.send(message)


async def start() -> object:
    return await listen(handle, HOST, PORT, ssl=tls(), compression=None, max_size=LARGEST, backlog=1024)


serve(start)
