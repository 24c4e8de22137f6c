"""What an author's test can say to an action and hear from it."""

from __future__ import annotations

import pytest

from ioto_server import Event, Opcode, Web, WebSocket, action
from ioto_server.testing import Client, Closed, Refused, Server


@action("/ws/shout", protocols=["shout.v2", "shout.v1"])
async def shout(web: Web) -> None:
    async for message in web.websocket:
        await web.websocket.send(message.upper())


@action("/ws/events")
async def events(web: Web) -> None:
    web.data = []

    def on_event(ws: WebSocket, event: Event, data: str | bytes | None, arg: list[str]) -> None:
        arg.append(event.name)
        if event is Event.MESSAGE:
            ws.send_json([event.name, data])

    web.on_event(on_event, web.host.data.__dict__.setdefault("events", []))
    await web.wait()


@action("/ws/pieces", stream=True)
async def pieces(web: Web) -> None:
    web.on_event(lambda ws, event, data, _arg: ws.send(f"{event.name} {data}"))
    await web.wait()


@action("/ws/closing")
async def closing(web: Web) -> None:
    async for message in web.websocket:
        code, _, reason = str(message).partition(" ")
        web.websocket.send_close(int(code), reason)


@action("/ws/request")
async def request(web: Web) -> None:
    if web.param("token") != "secret":
        web.error(403, "Not today")
        return
    web.websocket.send_json([web.path_rest, web.query, web.headers.get("x-mine"), web.headers.get("origin")])


@action("/ws/parts")
async def parts(web: Web) -> None:
    await web.websocket.send_block(Opcode.TEXT, "Hel", more=True)
    await web.websocket.send_block(Opcode.TEXT, "lo")
    await web.websocket.send(b"\x00" * 200_000)
    await web.websocket.ping(b"are you there")
    await web.websocket.send("a pong came")


def test_a_message_and_its_answer() -> None:
    with Client(shout) as client:
        client.send("Ada")
        assert client.receive() == "ADA"
        client.send(b"\x00a")
        assert client.receive() == b"\x00A"


def test_messages_that_wait_can_be_looked_at() -> None:
    with Client(shout) as client:
        assert client.messages == ()
        client.send("a")
        client.send("b")
        assert client.messages == ("A", "B")
        assert [client.receive(), client.receive()] == ["A", "B"]
        assert client.messages == ()


def test_json_both_ways() -> None:
    with Client(events) as client:
        client.send_json({"name": "Ada"})
        assert client.receive_json() == ["MESSAGE", '{"name": "Ada"}']


def test_callbacks_see_every_event() -> None:
    with Server(events) as server:
        client = server.connect()
        client.send("hi")
        client.close()
        assert server.host.data.events == ["OPEN", "MESSAGE", "CLOSE"]


def test_a_message_in_fragments_comes_in_pieces() -> None:
    with Client(pieces) as client:
        assert client.receive() == "OPEN None"
        client.send_fragments("one ", "two ", "three")
        assert list(client.messages) == ["PARTIAL_MESSAGE one ", "PARTIAL_MESSAGE two ", "MESSAGE three"]


def test_fragments_large_messages_and_pings_of_the_server() -> None:
    with Client(parts) as client:
        assert client.receive() == "Hello"
        assert client.receive() == b"\x00" * 200_000
        assert client.receive() == "a pong came"
        assert client.pings == (b"are you there",)


def test_pings_can_be_left_unanswered() -> None:
    with Client(parts, answer_pings=False) as client:
        client.receive()
        client.receive()
        assert client.pings == (b"are you there",)
        assert client.messages == ()


def test_a_message_longer_than_a_frame_may_be_is_sent_in_several() -> None:
    with Client(shout, settings={"limits.maxFrame": 1000}) as client:
        client.send("a" * 10_000)
        assert client.receive() == "A" * 10_000


def test_a_ping_is_answered() -> None:
    with Client(shout) as client:
        client.ping()
        client.ping(b"")
        client.send("still there")
        client.ping(b"x" * 125)
        assert client.receive() == "STILL THERE"


def test_the_servers_close_is_seen() -> None:
    with Client(closing) as client:
        assert client.closed is None
        client.send("4000 enough")
        assert client.wait_closed() == (4000, "enough")
        assert client.closed == (4000, "enough")
        with pytest.raises(Closed, match="4000 private use"):
            client.receive()
        with pytest.raises(Closed, match="enough"):
            client.send("more")


def test_the_clients_close_reaches_the_action() -> None:
    seen: list[tuple[int | None, str, bool]] = []

    async def watch(web: Web) -> None:
        status = await web.wait()
        ws = web.websocket
        seen.append((ws.close_status, ws.close_reason, status == 0))

    for code, reason in ((1000, ""), (4001, "bye")):
        client = Client(watch).open()
        client.close(code, reason)
        assert seen.pop() == (code, reason, True)
        client.server.close()


def test_a_client_that_vanishes() -> None:
    seen: list[tuple[int | None, bool]] = []

    async def watch(web: Web) -> None:
        status = await web.wait()
        seen.append((web.websocket.close_status, status < 0))

    with Client(watch) as client:
        client.drop()
        assert seen == [(1006, True)]


def test_iteration_ends_at_the_close() -> None:
    async def count(web: Web) -> None:
        for number in range(3):
            await web.websocket.send(str(number))

    with Client(count) as client:
        assert list(client) == ["0", "1", "2"]
        assert client.closed == (1000, "")


def test_path_query_headers_and_origin_reach_the_action() -> None:
    with Client(
        request,
        "/ws/request/rest of it",
        query={"token": "secret", "more": "ä&b"},
        headers={"X-Mine": "yes"},
        origin="http://localhost:4100",
    ) as client:
        assert client.receive_json() == [
            "/rest of it",
            "token=secret&more=%C3%A4%26b",
            "yes",
            "http://localhost:4100",
        ]


def test_a_refusal_is_raised_with_all_that_it_says() -> None:
    with pytest.raises(Refused, match="403 Forbidden: Not today") as caught, Client(request):
        pass
    assert caught.value.status == 403
    assert caught.value.text == "Not today"
    assert caught.value.headers.get("content-type") == "text/plain; charset=utf-8"


def test_rules_of_the_handshake_hold() -> None:
    with Server(shout) as server:
        with pytest.raises(Refused, match="Unsupported Sec-WebSocket-Protocol") as caught:
            server.connect(protocols=["chat"])
        assert caught.value.status == 400
        with pytest.raises(Refused, match="Origin http://elsewhere") as caught:
            server.connect(origin="http://elsewhere.example")
        assert caught.value.status == 403
        with pytest.raises(Refused, match="404"):
            server.connect("/ws/nothing")


def test_the_sub_protocol_is_chosen_by_the_action() -> None:
    with Server(shout) as server:
        assert server.connect(protocols=["shout.v1", "shout.v2"]).protocol == "shout.v2"
        assert server.connect(protocols=["shout.v1"]).protocol == "shout.v1"
        assert server.connect().protocol is None


def test_the_101_can_be_looked_at() -> None:
    async def headers(web: Web) -> None:
        web.accept(headers={"X-Room": "4"})
        await web.wait()

    with Client(headers) as client:
        assert client.response.status == 101
        assert client.response.headers.get("x-room") == "4"
        assert client.response.headers.get("upgrade") == "websocket"


def test_a_client_that_is_too_slow_is_closed() -> None:
    async def flood(web: Web) -> None:
        ws = web.websocket
        async for _ in ws:
            for _ in range(100):
                ws.send(b"x" * 100_000)

    with Client(flood) as client:
        client.pause_reading()
        client.send("go")
        client.resume_reading()
        assert client.wait_closed() == (1008, "Slow consumer")


def test_what_does_not_belong_to_a_client_is_refused() -> None:
    with pytest.raises(TypeError, match="Server that the client is for"), Server(shout) as server:
        Client(server, timeout=1)
    with pytest.raises(TypeError, match="Say which path"), Server(shout, closing) as server:
        server.connect()
    with pytest.raises(ValueError, match="does not begin with /"), Server(shout) as server:
        server.connect("ws/shout")
    with pytest.raises(ValueError, match="belongs to the handshake"), Server(shout) as server:
        server.connect(headers={"Upgrade": "h2c"})
    with pytest.raises(RuntimeError, match="not open"):
        Client(shout).receive()
