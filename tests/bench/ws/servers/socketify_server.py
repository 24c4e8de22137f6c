"""socketify: uWebSockets, which is C++, called from Python."""

from __future__ import annotations

import sys

from socketify import App, AppListenOptions, OpCode, WebSocket

HOST, PORT, LARGEST = "127.0.0.1", int(sys.argv[1]), 1 << 24

app = App()


def echo(ws: WebSocket, message: str | bytes, opcode: OpCode) -> None:
    ws.send(message, opcode)


def subscribe(ws: WebSocket) -> None:
    ws.subscribe("all")


def publish(ws: WebSocket, message: str | bytes, opcode: OpCode) -> None:
    app.publish("all", message, opcode)


LIMITS = {"max_payload_length": LARGEST, "max_backpressure": LARGEST, "idle_timeout": 120, "compression": 0}
app.ws("/ws/echo", {**LIMITS, "message": echo})
app.ws("/ws/subscribe", {**LIMITS, "open": subscribe, "message": echo})
app.ws("/ws/publish", {**LIMITS, "message": publish})
app.listen(AppListenOptions(port=PORT, host=HOST))
app.run()
