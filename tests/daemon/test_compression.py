"""permessage-deflate over the wire, with clients that are not ours (RFC 7692; `webSockets.compress`)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from tests.conftest import StartDaemon
from tests.support.daemon import Daemon
from tests.support.raw import BINARY, TEXT, RawClient

TELL = """\
from ioto_server import Web, action

@action("/ws/tell")
async def tell(web: Web) -> None:
    ws = web.websocket
    ws.subscribe("told")
    async for message in ws:
        if message == "answer":
            await ws.send("answer " * 100)
        elif message == "blocks":
            ws.send_block(1, "first " * 100, more=True)
            web.host.publish("told", "told in between " * 100)
            ws.send_block(1, "second " * 100)
        else:
            web.host.publish("told", message)
"""

LONG = "the same words again and again, " * 200


def offer(**parameters: Any) -> dict[str, Any]:
    return {"compression": None, "extensions": [ClientPerMessageDeflateFactory(**parameters)]}


async def echo(daemon: Daemon, options: dict[str, Any]) -> list[str | bytes]:
    """Send several messages to the echo, which come back through both compressors."""
    async with websockets.connect(daemon.ws_url("/ws/echo"), **options) as ws:
        answers = []
        for message in (LONG, LONG.encode(), "short", "", LONG, LONG[:128]):
            await ws.send(message)
            answers.append(await ws.recv())
        return answers


@pytest.mark.parametrize("settings", [True, {"contextTakeover": False}, {"windowBits": 15, "threshold": 0}])
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"server_no_context_takeover": True},
        {"client_no_context_takeover": True},
        {"server_max_window_bits": 9},
        {"client_max_window_bits": 9},
    ],
    ids=str,
)
def test_messages_come_back_as_they_went(
    start_daemon: StartDaemon, settings: Any, parameters: dict[str, Any]
) -> None:
    daemon = start_daemon({"webSockets": {"compress": settings}})
    answers = asyncio.run(echo(daemon, offer(**parameters)))
    assert answers == [LONG, LONG.encode(), "short", "", LONG, LONG[:128]]
    closed = daemon.log("websocket close")
    assert closed["bytes_out"] < len(LONG) / 2


def test_it_is_off_unless_asked_for(start_daemon: StartDaemon) -> None:
    with RawClient(start_daemon().url) as client:
        response = client.upgrade("/ws/echo", [("Sec-WebSocket-Extensions", "permessage-deflate")])
        assert (response.status, response.get("sec-websocket-extensions")) == (101, None)


def test_a_malformed_offer_is_refused_and_a_strange_one_declined(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"webSockets": {"compress": True}})
    with RawClient(daemon.url) as client:
        assert (
            client.handshake("/ws/echo", [("Sec-WebSocket-Extensions", "permessage-deflate; =3")]).status
            == 400
        )
    with RawClient(daemon.url) as client:
        offered = "permessage-deflate; server_max_window_bits=8, x-unheard-of"
        response = client.upgrade("/ws/echo", [("Sec-WebSocket-Extensions", offered)])
        assert (response.status, response.get("sec-websocket-extensions")) == (101, None)
        client.send_frame(TEXT, b"plain")
        assert client.read_message() == (TEXT, b"plain")


def test_a_bomb_is_refused_before_it_unfolds(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"webSockets": {"compress": True}, "limits": {"maxMessage": "1MB"}})

    async def send() -> tuple[int, str]:
        # Without max_size the client would mind the size of its own message.
        async with websockets.connect(daemon.ws_url("/ws/echo"), **offer(), max_size=None) as ws:
            await ws.send(bytes(16 * 1024 * 1024))
            with pytest.raises(websockets.ConnectionClosed):
                await ws.recv()
            return ws.close_code or 0, ws.close_reason or ""

    assert asyncio.run(send()) == (1009, "Message over limits.maxMessage (1048576)")


def test_a_topic_reaches_plain_and_compressed_subscribers_alike(start_daemon: StartDaemon) -> None:
    """A published message is compressed with an empty window; the connection's own compressor begins anew."""
    daemon = start_daemon({"webSockets": {"compress": True}}, {"tell.py": TELL})

    async def run() -> None:
        url = daemon.ws_url("/ws/tell")
        plain = await websockets.connect(url, compression=None)
        keeping = await websockets.connect(url, **offer())
        forgetting = await websockets.connect(url, **offer(server_no_context_takeover=True))
        narrow = await websockets.connect(url, **offer(server_max_window_bits=9))
        everybody = (plain, keeping, forgetting, narrow)
        for number in range(3):
            for one in everybody:
                await one.send("answer")
                assert await one.recv() == "answer " * 100
            told = f"{number} {LONG}"
            await plain.send(told)
            for one in everybody:
                assert await one.recv() == told
        for one in everybody:
            await one.send("blocks")
            expected = {"first " * 100 + "second " * 100, "told in between " * 100}
            assert {await one.recv(), await one.recv()} == expected
            for other in everybody:
                if other is not one:
                    assert await other.recv() == "told in between " * 100
        for one in everybody:
            await one.close()

    asyncio.run(run())


def test_a_compressed_message_that_is_cut_off_is_invalid_data(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"webSockets": {"compress": True}})
    with RawClient(daemon.url) as client:
        response = client.upgrade("/ws/echo", [("Sec-WebSocket-Extensions", "permessage-deflate")])
        assert response.get("sec-websocket-extensions") == "permessage-deflate"
        client.send_frame(BINARY, b"\xff\xff\xff", rsv=4)
        assert client.read_close()[0] == 1007
