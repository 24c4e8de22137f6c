"""RFC 7692 and 6455, 10.4: what one peer can make this side hold, on both builds.

"Implementations [...] MUST protect themselves against exceeding those limits"; how much memory a test may
take beyond what was lent is counted by tracemalloc, and the process's own peak is looked at in a child.
"""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any
from zlib import DEFLATED, Z_FULL_FLUSH, Z_SYNC_FLUSH, compressobj

import pytest

from tests.fuzz.conversation import Conversation, play
from tests.parity.both import reference, running
from tests.rfc.violations import AGREED
from tests.support import REPOSITORY
from tests.websocket.wire import masked

MIB = 1 << 20
LIMIT = 16 * MIB
TOO_BIG = "Message over limits.maxMessage (16777216)"


@pytest.fixture(params=[running, reference], ids=["running", "sources"])
def codec(request: pytest.FixtureRequest) -> ModuleType:
    return request.param()


@cache
def bomb(mebibytes: int) -> bytes:
    """So many MiB of zeros, compressed about a thousand times."""
    stream = compressobj(9, DEFLATED, -15)
    # After a full flush the stream goes on as if it began: the same bytes again are the same zeros again.
    one = stream.compress(bytes(MIB)) + stream.flush(Z_FULL_FLUSH)
    return (one * mebibytes)[:-4]


def peak(codec: ModuleType, conversation: Conversation, chunks: Iterator[bytes]) -> tuple[list[Any], int]:
    """Play it; returns the transcript and the most memory that was taken meanwhile."""
    tracemalloc.start()
    try:
        return play(codec, conversation, chunks), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def in_reads(wire: bytes, size: int = 65536) -> Iterator[bytes]:
    return (wire[at : at + size] for at in range(0, len(wire), size))


@pytest.mark.parametrize("opcode", [1, 2])
@pytest.mark.parametrize("mebibytes", [1, 16])
def test_bomb_within_the_limit_is_a_message(codec: ModuleType, mebibytes: int, opcode: int) -> None:
    wire = masked(0xC0 | opcode, bomb(mebibytes))
    conversation = Conversation(wire, {"max_message": LIMIT}, AGREED)
    (event,), most = peak(codec, conversation, in_reads(wire))
    assert event[0] == "MESSAGE"
    assert event[4] == mebibytes * MIB
    # The message, its copy while it is handed out, and half as much as a growing buffer keeps in reserve.
    assert most < 3 * mebibytes * MIB + MIB


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("mebibytes", [17, 64, 1024])
def test_bomb_over_the_limit(codec: ModuleType, mebibytes: int, stream: bool) -> None:
    """7692 8.1 leaves it to the receiver: inflating stops one byte over the limit, whatever is behind."""
    wire = masked(0xC2, bomb(mebibytes))
    settings = {"max_message": LIMIT, "max_frame": 2 * MIB, "stream": stream}
    transcript, most = peak(codec, Conversation(wire, settings, AGREED), in_reads(wire))
    pieces = [event[4] for event in transcript[:-1]]
    assert pieces == ([2 * MIB] * 8 if stream else [])
    assert transcript[-1][:4] == ("FAILED", "ProtocolError", 1009, TOO_BIG)
    # Streamed, the transcript itself keeps the 16 MiB that were handed out.
    assert most < 2 * LIMIT + 2 * MIB


def test_bomb_in_fragments_is_limited_as_a_whole(codec: ModuleType) -> None:
    payload = bomb(1024)
    parts = [payload[at : at + 4096] for at in range(0, len(payload), 4096)]
    wire = masked(0x42, parts[0]) + b"".join(masked(0x00, part) for part in parts[1:])
    conversation = Conversation(wire, {"max_message": LIMIT}, AGREED)
    transcript, most = peak(codec, conversation, in_reads(wire))
    assert [event[:4] for event in transcript] == [("FAILED", "ProtocolError", 1009, TOO_BIG)]
    assert most < 2 * LIMIT + 2 * MIB


def test_bomb_does_not_raise_the_peak_of_the_process() -> None:
    """tracemalloc does not see what zlib takes by itself: the kernel does."""
    code = (
        "import resource\n"
        "from tests.rfc.test_rfc7692_memory import *\n"
        "def high(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "wire = masked(0xC2, bomb(1024))\n"
        "conversation = Conversation(wire, {'max_message': LIMIT, 'max_frame': LIMIT}, AGREED)\n"
        "for codec in running(), reference():\n"
        "    before = high()\n"
        "    transcript = play(codec, conversation, in_reads(wire))\n"
        "    assert transcript[0][3] == TOO_BIG, transcript\n"
        "    print(high() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    grown = [int(line) for line in done.stdout.split()]
    assert len(grown) == 2
    assert max(grown) < 40 * 1024, f"the peak grew by {grown} KiB"


@pytest.mark.parametrize("payload", [b"", b"x"], ids=["empty", "one-byte"])
def test_131073_fragments(codec: ModuleType, payload: bytes) -> None:
    """More fragments than the 131,072 allowed: 1009 at the first byte of the one too many."""
    count = 131_072
    conversation = Conversation(b"", {"max_fragments": count})
    wire = masked(0x02, payload) + masked(0x00, payload) * (count - 1)
    assert play(codec, conversation, in_reads(wire)) == []
    last = play(codec, conversation, in_reads(wire + masked(0x80, payload)[:1]))
    reason = "Message over limits.maxFragments (131072)"
    assert [event[:4] for event in last] == [("FAILED", "ProtocolError", 1009, reason)]
    (whole,) = play(
        codec,
        conversation,
        in_reads(masked(0x02, payload) + masked(0x00, payload) * (count - 2) + masked(0x80, payload)),
    )
    assert whole[3] == payload * count


def test_fragments_hold_their_bytes_and_no_more(codec: ModuleType) -> None:
    """An object for each of many small fragments would be fifty times what they carry."""
    count = 20_000
    wire = masked(0x02, b"x") + masked(0x00, b"x") * count
    _, most = peak(codec, Conversation(b"", {"max_fragments": 2 * count}), in_reads(wire, 4096))
    assert most < 4 * count


def test_a_header_reserves_nothing(codec: ModuleType) -> None:
    """6455 10.4: what a header announces is not there yet."""
    unlimited = (1 << 63) - 1
    header = b"\x82\xff" + unlimited.to_bytes(8, "big") + b"key!" + b"abc"
    settings = {"max_message": unlimited, "max_frame": unlimited}
    transcript, most = peak(codec, Conversation(header, settings), iter([header]))
    assert transcript == []
    assert most < 100_000


@pytest.mark.parametrize("level", [0, 9])
def test_window_is_all_that_stays_between_messages(codec: ModuleType, level: int) -> None:
    stream = compressobj(level, DEFLATED, -15)
    wire = b"".join(
        masked(0xC2, (stream.compress(bytes(range(256)) * 500) + stream.flush(Z_SYNC_FLUSH))[:-4])
        for _ in range(4)
    )
    protocol = codec.Protocol(
        max_message=LIMIT, max_frame=LIMIT, max_fragments=10, deflate=codec.Deflate(**AGREED)
    )
    tracemalloc.start()
    try:
        protocol.receive(bytearray(wire))
        while protocol.next_event() != codec.Received.NEED_DATA:
            pass
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert protocol.buffered == 0
    assert kept < 2 * 32768 + 20_000
