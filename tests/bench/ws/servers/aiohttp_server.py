"""aiohttp: WebSockets of a web framework."""

from __future__ import annotations

from aiohttp import WSMsgType, web
from surroundings import HOST, LARGEST, PORT, serve, tls

subscribers: set[web.WebSocketResponse] = set()


async def prepared(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False, max_msg_size=LARGEST, heartbeat=20)
    await socket.prepare(request)
    return socket


async def echo(request: web.Request) -> web.WebSocketResponse:
    socket = await prepared(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        else:
            await socket.send_bytes(message.data)
    return socket


async def subscribe(request: web.Request) -> web.WebSocketResponse:
    socket = await prepared(request)
    subscribers.add(socket)
    async for _ in socket:
        pass
    subscribers.discard(socket)
    return socket


async def publish(request: web.Request) -> web.WebSocketResponse:
    socket = await prepared(request)
    async for message in socket:
        for subscriber in subscribers:
            await subscriber.send_str(message.data)
    return socket


async def start() -> object:
    app = web.Application()
    app.router.add_get("/ws/echo", echo)
    app.router.add_get("/ws/subscribe", subscribe)
    app.router.add_get("/ws/publish", publish)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, HOST, PORT, ssl_context=tls(), backlog=1024)
    await site.start()
    return site


serve(start)
