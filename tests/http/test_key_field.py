"""The key in the bytes of a handshake: only what has its form is taken for one, and nothing else goes out."""

from __future__ import annotations

import pytest

from ioto_server.http.key_field import KEY_SIZE, copied, key_position, without_key

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
BEFORE = b"GET / HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize("name", [b"Sec-WebSocket-Key: ", b"sec-websocket-key: "])
@pytest.mark.parametrize("after", [b"", b"Upgrade: websocket\r\n"])
def test_a_key_is_found_and_taken_out(name: bytes, after: bytes) -> None:
    block = BEFORE + name + KEY + b"\r\n" + after + b"\r\n"
    at = key_position(block)
    assert block[at : at + KEY_SIZE] == KEY
    assert without_key(block, at) == block.replace(KEY, b"")


@pytest.mark.parametrize("octet", range(256))
def test_a_key_is_of_base64_alone(octet: int) -> None:
    base64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for place in (0, 13, 21):
        key = KEY[:place] + bytes([octet]) + KEY[place + 1 :]
        found = key_position(BEFORE + b"Sec-WebSocket-Key: " + key + b"\r\n\r\n")
        assert (found >= 0) == (octet in base64)


@pytest.mark.parametrize(
    "field",
    [
        b"Sec-WebSocket-Key: " + KEY[1:],
        b"Sec-WebSocket-Key: A" + KEY,
        b"Sec-WebSocket-Key: " + KEY[:-1] + b"A",
        b"Sec-WebSocket-Key: " + KEY[:-2] + b"A=",
        b"Sec-WebSocket-Key: " + KEY + b" ",
        b"Sec-WebSocket-Key:" + KEY,
        b"Sec-WebSocket-Key : " + KEY,
        b"SEC-WEBSOCKET-KEY: " + KEY,
        b"X-Sec-WebSocket-Key: " + KEY,
        b"Sec-WebSocket-Key: ",
        b"",
    ],
)
def test_what_has_another_form_is_no_key(field: bytes) -> None:
    for end in (b"\r\n\r\n", b"\n\n", b""):
        block = BEFORE + field + end
        expected = -1
        assert key_position(block) == expected
        for size in range(len(block)):
            assert key_position(block[:size]) == expected


def test_a_key_is_in_a_field_not_in_the_request_line() -> None:
    assert key_position(b"Sec-WebSocket-Key: " + KEY + b"\r\n\r\n") == -1


def test_what_is_lent_is_copied() -> None:
    buffer = bytearray(b"abcdef")
    taken = copied(buffer, 3)
    buffer[:] = b"______"
    assert taken == b"abc"
    assert copied(buffer, 0) == b""
