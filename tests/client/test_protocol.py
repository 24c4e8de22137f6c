"""What a client answers by itself, and how it cuts what it sends: against the codec in the server's role."""

from __future__ import annotations

import pytest

from ioto_server.client import ClientProtocol
from ioto_server.websocket import Deflate, Opcode, Protocol, Received

LIMIT = 1_000_000


def server() -> Protocol:
    return Protocol(max_message=LIMIT, max_frame=LIMIT, max_fragments=1000)


def carry(client: ClientProtocol, receiving: Protocol) -> list[tuple[Received, object]]:
    """Bring what the client has to say to the server; returns the events there."""
    receiving.receive(b"".join(client.out))
    client.out.clear()
    events = []
    while (event := receiving.next_event()) != Received.NEED_DATA:
        events.append((event, receiving.close_code if event == Received.CLOSE else receiving.data))
    return events


def hear(client: ClientProtocol, *frames: bytes) -> list[Received]:
    client.receive(b"".join(frames))
    events = []
    while (event := client.next_event()) != Received.NEED_DATA:
        events.append(event)
    return events


def frames(send: str, *arguments: object) -> bytes:
    out: list[bytes] = []
    getattr(server(), send)(*arguments, out)
    return b"".join(out)


def test_messages_arrive_masked_and_whole() -> None:
    client = ClientProtocol(max_message=LIMIT, frame_size=10)
    client.send("häppy " * 5)
    client.send(b"\x00" * 25)
    client.send("")
    assert b"ppy" not in b"".join(client.out)
    expected = [(Received.MESSAGE, "häppy " * 5), (Received.MESSAGE, b"\x00" * 25), (Received.MESSAGE, "")]
    assert carry(client, server()) == expected


def test_fragments_make_one_message() -> None:
    client = ClientProtocol(max_message=LIMIT)
    for piece, fin in (("a", False), ("b", False), ("c", True)):
        client.send_fragment(piece, fin=fin)
    assert len(client.out) == 3
    assert carry(client, server()) == [(Received.MESSAGE, "abc")]


def test_a_ping_is_answered_unless_it_must_not_be() -> None:
    ping = frames("send_ping", b"are you there")
    client = ClientProtocol(max_message=LIMIT)
    client.receive(ping)
    assert client.next_event() == Received.PING
    assert client.data == b"are you there"
    assert carry(client, server()) == [(Received.PONG, b"are you there")]
    silent = ClientProtocol(max_message=LIMIT, answer_pings=False)
    assert hear(silent, ping) == [Received.PING]
    assert silent.out == []


@pytest.mark.parametrize("code", [1000, 4321, None])
def test_a_close_is_answered_with_its_code(code: int | None) -> None:
    client = ClientProtocol(max_message=LIMIT)
    assert hear(client, frames("send_close", code, "bye" if code else "")) == [Received.CLOSE]
    assert (client.close_code, client.close_reason) == (code or 1005, "bye" if code else "")
    assert client.closing
    assert carry(client, server()) == [(Received.CLOSE, code or 1005)]


def test_the_answer_to_our_close_is_not_answered() -> None:
    client = ClientProtocol(max_message=LIMIT)
    client.close(1000, "")
    client.out.clear()
    assert hear(client, frames("send_close", 1000, "")) == [Received.CLOSE]
    assert client.out == []


def test_a_server_that_breaks_a_rule_is_told_which() -> None:
    client = ClientProtocol(max_message=10)
    assert hear(client, frames("send_message", Opcode.TEXT, "x" * 11)) == [Received.FAILED]
    assert client.error is not None
    assert client.error.code == 1009
    assert carry(client, server()) == [(Received.CLOSE, 1009)]


def test_what_was_agreed_is_compressed_both_ways() -> None:
    agreed = Deflate()
    client = ClientProtocol(max_message=LIMIT, deflate=agreed)
    client.send("again and " * 100)
    assert len(b"".join(client.out)) < 100
    receiving = Protocol(max_message=LIMIT, max_frame=LIMIT, max_fragments=9, deflate=agreed)
    assert carry(client, receiving) == [(Received.MESSAGE, "again and " * 100)]
