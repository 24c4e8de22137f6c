"""picows: its listener, called for each frame."""

from __future__ import annotations

from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server
from surroundings import HOST, LARGEST, PORT, serve, tls

subscribers: set[WSTransport] = set()


class Echo(WSListener):
    """Send back each message; text stays bytes, as picows gives it."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        else:
            transport.send(frame.msg_type, frame.get_payload_as_bytes())


class Subscriber(Echo):
    """Get what is published."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        subscribers.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        subscribers.discard(transport)


class Publisher(Echo):
    """Publish what comes."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            super().on_ws_frame(transport, frame)
            return
        message = frame.get_payload_as_bytes()
        for subscriber in subscribers:
            subscriber.send(frame.msg_type, message)


LISTENERS = {b"/ws/subscribe": Subscriber, b"/ws/publish": Publisher}


def listener(request: WSUpgradeRequest) -> WSListener:
    return LISTENERS.get(request.path, Echo)()


async def start() -> object:
    return await ws_create_server(
        listener, HOST, PORT, ssl=tls(), max_frame_size=LARGEST, enable_auto_ping=True, backlog=1024
    )


serve(start)
