"""The example of the Ioto "Server WebSockets" page, line by line from C.

webAddAction(host, "/test/websockets", myAction, NULL) becomes the decorator; webAsync and webWait are
`web.on_event` and `web.wait`; the events have the names of the page.
"""

import sys

from ioto_server import Event, Web, WebSocket, action


@action("/test/websockets")  # webAddAction(host, "/test/websockets", myAction, NULL);
async def my_action(web: Web) -> None:
    """Run one WebSocket until it is closed."""
    web.on_event(on_event)  # webAsync(web, onRead, web);
    #  Send a message to the client
    web.websocket.send("WebSocket connected")  # webSocketSend(web->webSocket, "WebSocket connected");
    #  Run web sockets until closed and invoke on_event for each incoming message and event
    if await web.wait() < 0:  # if (webWait(web, onEvent) < 0) {
        pass  # Error
    # Closed


def on_event(ws: WebSocket, event: Event, data: str | bytes | None, _arg: object) -> None:
    """Answer every message."""
    match event:  # switch (event) {
        case Event.OPEN | Event.CLOSE | Event.ERROR:
            pass
        case Event.MESSAGE | Event.PARTIAL_MESSAGE:
            # printf("Received %s\n", buf);  to stderr, as stdout may be the log
            print(f"Received {data!r}", file=sys.stderr)
            ws.send("Response message")  # webSocketSend(ws, "%s", "Response message");
