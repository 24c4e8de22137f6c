"""Chat: everybody in a room hears everybody in it.

A client offers the sub-protocol `chat` and sends {"name": "Ada", "text": "Hello"}. The room is the query's
`room`. Rooms are topics: a message is framed once, however many hear it.
"""

import json
import time
from typing import cast

from ioto_server import Web, action

LONGEST_NAME = 40
LONGEST_TEXT = 2000
LONGEST_ROOM = 60


@action("/ws/chat", protocols=["chat"])
async def chat(web: Web) -> None:
    """Serve one client until it leaves."""
    room = web.param("room") or "lobby"
    if len(room) > LONGEST_ROOM or not room.isprintable() or set(room) & set("/*"):
        web.error(400, f"A room's name has at most {LONGEST_ROOM} letters, without / and *")
        return
    topic = f"chat/{room}"
    ws = web.websocket
    ws.subscribe(topic)
    tell_presence(web, topic)
    try:
        async for message in ws:
            try:
                spoken = parse(message)
            except ValueError as error:
                await ws.send_json({"type": "error", "text": str(error)})
            else:
                web.host.publish(topic, json.dumps(spoken, ensure_ascii=False))
    finally:
        tell_presence(web, topic)


def tell_presence(web: Web, topic: str) -> None:
    """Tell the room how many are in it."""
    count = web.host.topics.count(topic)
    web.host.publish(topic, json.dumps({"type": "presence", "count": count}))


def parse(message: str | bytes) -> dict[str, object]:
    """What a client said, ready for the room; raises ValueError with words for the client."""
    try:
        said: object = json.loads(message)
    except (ValueError, RecursionError):
        raise ValueError("Send JSON text") from None
    fields = cast(dict[str, object], said) if isinstance(said, dict) else {}
    name, text = fields.get("name"), fields.get("text")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_NAME:
        raise ValueError(f"`name` is a text of 1 to {LONGEST_NAME} letters")
    if not isinstance(text, str) or not 0 < len(text.strip()) <= LONGEST_TEXT:
        raise ValueError(f"`text` is a text of 1 to {LONGEST_TEXT} letters")
    return {"type": "message", "name": name.strip(), "text": text.strip(), "time": time.time()}
