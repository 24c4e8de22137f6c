"""What is done to every octet, in the build that runs: masking, text, assembling, framing."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ioto_server.websocket.octets import (
    NO_KEY,
    Assembly,
    framed,
    framed_text,
    mask,
    plain_header,
    read_key,
    rotate_key,
    text_end,
    unmask,
    unmask_text,
    unmask_utf8,
)

from .wire import KEY, length, plain, xor

keys = st.binary(min_size=4, max_size=4)
SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 63, 64, 65, 126, 127, 128, 129, 200, 1000, 65537]


def lent(payload: bytes, key: bytes) -> tuple[bytearray, int, int]:
    """A masked payload in the middle of a lent buffer, at an odd place, behind its key."""
    data = bytearray(b"abc" + key + xor(payload, key) + b"xyz")
    return data, 7, 7 + len(payload)


@pytest.mark.parametrize("size", SIZES)
def test_masking_is_xor_with_the_key(size: int) -> None:
    payload = bytes(i * 7 & 0xFF for i in range(size))
    assert mask(payload, KEY) == xor(payload)
    data, start, stop = lent(payload, KEY)
    assert unmask(data, start, stop, read_key(data, 3)) == payload
    assert data[stop:] == b"xyz"


def test_key_of_zeros_changes_nothing() -> None:
    assert mask(b"abcdefghij", NO_KEY) == b"abcdefghij"
    data = bytearray(b"abcdefghij" + NO_KEY)
    assert unmask(data, 0, 10, read_key(data, 10)) == b"abcdefghij"


@given(st.binary(max_size=300), keys, st.integers(0, 300))
def test_key_goes_on_where_the_payload_was_cut(payload: bytes, key: bytes, cut: int) -> None:
    data, start, stop = lent(payload, key)
    middle = min(start + cut, stop)
    whole = read_key(data, 3)
    rest = rotate_key(whole, middle - start)
    assert unmask(data, start, middle, whole) + unmask(data, middle, stop, rest) == payload


@given(st.one_of(st.text(), st.text(alphabet="abc")), keys)
def test_text(text: str, key: bytes) -> None:
    for function, expected in ((unmask_text, text), (unmask_utf8, text.encode())):
        data, start, stop = lent(text.encode(), key)
        assert function(data, start, stop, read_key(data, 3)) == expected
        assert data[:start] == b"abc" + key
        assert data[stop:] == b"xyz"


@given(st.binary(max_size=40), st.integers(0, 20), keys)
def test_bytes_that_may_be_text(noise: bytes, ascii_before: int, key: bytes) -> None:
    payload = b"a" * ascii_before + noise
    for function in (unmask_text, unmask_utf8):
        data, start, stop = lent(payload, key)
        try:
            text = payload.decode()
        except UnicodeDecodeError as expected:
            with pytest.raises(UnicodeDecodeError, match=expected.reason):
                function(data, start, stop, read_key(data, 3))
        else:
            assert function(data, start, stop, read_key(data, 3)) in (text, payload)


@pytest.mark.parametrize("text", ["", "a", "é", "ab"])
def test_short_text_is_as_python_makes_it(text: str) -> None:
    data, start, stop = lent(text.encode(), KEY)
    found = unmask_text(data, start, stop, read_key(data, 3))
    assert found == text
    assert hash(found) == hash(text)
    assert found.isascii() == text.isascii()
    assert {text: 1}[found] == 1


@pytest.mark.parametrize("size", [*SIZES, 125, 65535, 65536])
def test_frames(size: int) -> None:
    payload = b"x" * size
    assert framed(0x82, payload) == plain(0x82, payload)
    assert framed_text(0x81, "x" * size) == plain(0x81, payload)
    assert framed_text(0x81, "é" * size) == plain(0x81, "é".encode() * size)


def test_surrogates_are_no_text() -> None:
    with pytest.raises(UnicodeEncodeError):
        framed_text(0x81, "\ud800")


LEADS = list(bytes.fromhex("00 7f 80 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 f8 fe ff"))
SECONDS = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]


def possible(data: bytes) -> bool:
    """Whether some text begins with these bytes: of what follows, only continuation bytes can be missing."""
    tails = [b"", b"\x80", b"\x80\x80", b"\x80\x80\x80", b"\xa0\x80", b"\x90\x80\x80"]
    return any(decodes(data + tail) for tail in tails)


def decodes(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("lead", LEADS)
def test_text_end_by_brute_force(lead: int) -> None:
    """Every border of RFC 3629's grammar, against what CPython makes of the bytes once they are complete."""
    for second in SECONDS:
        for third in SECONDS:
            data = bytes([lead, second, third, 0x80])
            for size in (1, 2, 3, 4):
                part = b"ascii and \xc3\xa9 " + data[:size]
                end = text_end(part)
                assert (end >= 0) == possible(part), part
                if end >= 0:
                    assert decodes(part[:end])
                    assert len(part) - end < 4
                    assert not any(decodes(part[: end + more]) for more in range(1, len(part) - end + 1))


def test_text_end_from_a_place() -> None:
    assert text_end(b"\xffab", 1) == 3
    assert text_end(b"ab", 2) == 2
    assert text_end(b"") == 0


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 1 << 32])
def test_header_by_itself(size: int) -> None:
    assert plain_header(0x82, size) == b"\x82" + length(size, 0)


def test_assembly_can_be_used_again_once_its_text_is_taken() -> None:
    message = Assembly()
    for text in ("é", "later"):
        message.extend(text.encode())
        assert message.is_text()
        assert message.take_text() == text


def test_assembly() -> None:
    message = Assembly()
    assert len(message) == 0
    data, start, stop = lent(b"\xff" * 1000, KEY)
    message.add(data, start, stop, read_key(data, 3))
    message.add(data, start, start, read_key(data, 3))
    message.extend(b"tail")
    message.extend(b"")
    assert len(message) == 1004
    assert message.take() == b"\xff" * 1000 + b"tail"
    assert len(message) == 0
    assert message.take() == b""
    message.extend(b"again")
    assert message.take() == b"again"


def test_assembly_grows_far() -> None:
    message = Assembly()
    expected = bytearray()
    for size in (1, 0, 3, 100, 5000, 70000, 7, 300000):
        data, start, stop = lent(bytes([size & 0xFF]) * size, KEY)
        message.add(data, start, stop, read_key(data, 3))
        expected += bytes([size & 0xFF]) * size
    assert message.take() == expected


@pytest.mark.parametrize("announced", [0, 1, 100_000, 1 << 40])
def test_assembly_is_what_arrived_whatever_was_announced(announced: int) -> None:
    message = Assembly()
    expected = bytearray()
    for size in (1000, 1, 70000):
        data, start, stop = lent(b"x" * size, KEY)
        message.add(data, start, stop, read_key(data, 3), announced)
        expected += b"x" * size
        assert len(message) == len(expected)
    assert message.take() == expected


def test_what_is_announced_takes_no_memory_out_of_proportion() -> None:
    message = Assembly()
    data, start, stop = lent(b"x" * 100_000, KEY)
    tracemalloc.start()
    try:
        message.add(data, start, stop, read_key(data, 3), 1 << 40)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_what_was_taken_does_not_change() -> None:
    message = Assembly()
    message.extend(b"first" * 100)
    taken = message.take()
    message.extend(b"other" * 100)
    assert taken == b"first" * 100


@given(st.lists(st.one_of(st.binary(max_size=6), st.text(max_size=6).map(str.encode)), max_size=8), keys)
def test_assembly_of_text(parts: list[bytes], key: bytes) -> None:
    """It is text while what is there could begin one; whole characters can be taken at any time."""
    message = Assembly()
    piecemeal = Assembly()
    whole = b""
    taken = b""
    for part in parts:
        whole += part
        data, start, stop = lent(part, key)
        message.add(data, start, stop, read_key(data, 3))
        piecemeal.add(data, start, stop, read_key(data, 3))
        good = text_end(whole) >= 0
        assert message.is_text() is good
        assert piecemeal.is_text() is good
        if not good:
            return
        characters = piecemeal.take_characters()
        assert decodes(characters)
        taken += characters
        assert len(taken) == text_end(whole)
    if decodes(whole):
        assert message.take_text() == whole.decode()
        assert taken + piecemeal.take_utf8() == whole
    else:
        for take in (message.take_text, message.take_utf8):
            with pytest.raises(UnicodeDecodeError, match="unexpected end of data"):
                take()


@given(st.lists(st.binary(max_size=6), max_size=6))
def test_assembly_of_what_is_replaced(parts: list[bytes]) -> None:
    message = Assembly()
    text = ""
    size = 0
    for part in parts:
        message.extend(part)
        more, taken = message.take_replaced(False)
        text += more
        size += taken
    more, taken = message.take_replaced(True)
    assert text + more == b"".join(parts).decode(errors="replace")
    assert size + taken == len(b"".join(parts))
    assert len(message) == 0


def test_utf8_is_taken_once() -> None:
    message = Assembly()
    message.extend("é".encode())
    assert message.take_utf8() == "é".encode()
    message.extend(b"\xc3")
    assert message.is_text()
    message.extend(b"\xa9!")
    assert message.take_utf8() == "é!".encode()
    assert message.take_text() == ""
