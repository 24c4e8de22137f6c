"""Connections without TLS: the transport of the build that runs, and the loop's own, do the same."""

from __future__ import annotations

import asyncio
import functools
import os
import random
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import uvloop

from ioto_server.server import plain

LIMIT = 60


def load_source(running: ModuleType) -> ModuleType:
    """The Python source of a module, whatever was compiled beside it."""
    name = running.__name__
    source = Path(str(running.__file__)).with_name(f"{name.rpartition('.')[2]}.py")
    spec = spec_from_file_location(f"{name}_source", source)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SOURCE = load_source(plain)


class Recorder(asyncio.Protocol):
    """A protocol that writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.data = bytearray()
        self.error: Exception | None = None
        self.lost = asyncio.get_running_loop().create_future()
        self.ended = asyncio.get_running_loop().create_future()
        self.transport: Any = None
        self.keep_open = True
        self.on_data: Callable[[bytes], object] = self.data.__iadd__
        self.on_pause: Callable[[], object] = lambda: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        self.on_data(data)

    def eof_received(self) -> bool:
        self.told.append("eof")
        self.ended.set_result(None)
        return self.keep_open

    def pause_writing(self) -> None:
        self.told.append("pause")
        self.on_pause()

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, error: Exception | None) -> None:
        self.told.append("lost")
        self.error = error
        self.lost.set_result(None)


class Recorded:
    """What is not about how bytes come, of a protocol that has a recorder."""

    recorder: Recorder

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.recorder.connection_made(transport)

    def eof_received(self) -> bool:
        return self.recorder.eof_received()

    def pause_writing(self) -> None:
        self.recorder.pause_writing()

    def resume_writing(self) -> None:
        self.recorder.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self.recorder.connection_lost(error)


class _Buffered(Recorded, asyncio.BufferedProtocol):
    """The same with a buffer of few bytes."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.space = bytearray(7)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.recorder, name)

    def get_buffer(self, _sizehint: int) -> bytearray:
        return self.space

    def buffer_updated(self, nbytes: int) -> None:
        self.recorder.data_received(bytes(self.space[:nbytes]))


class Bench:
    """A server at a port of its own, and clients that are bare sockets."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.loop = asyncio.get_running_loop()
        self.served: list[Any] = []
        self.complaints: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.complaints.append(context))
        self.clients: list[socket.socket] = []
        self.address: Any = None
        self.server: Any = None
        self.protocol: Callable[[], Any] = Recorder

    async def open(self, listener: socket.socket | None = None) -> None:
        if listener is None:
            listener = socket.create_server(("127.0.0.1", 0))
        self.family = listener.family
        self.address = listener.getsockname()
        listener.setblocking(False)
        self.server = await self.module.Plain(self.loop).serve(listener, self._make)

    def _make(self) -> Any:
        made = self.protocol()
        self.served.append(made)
        return made

    async def connect(self) -> tuple[socket.socket, Any]:
        """A client, and the protocol that serves it."""
        count = len(self.served)
        client = socket.socket(self.family)
        client.setblocking(False)
        self.clients.append(client)
        await self.loop.sock_connect(client, self.address)
        await until(lambda: len(self.served) > count and "made" in self.served[count].told)
        return client, self.served[count]

    async def read(self, client: socket.socket, count: int) -> bytes:
        """So many bytes, or all up to the end."""
        data = bytearray()
        while len(data) < count and (piece := await self.loop.sock_recv(client, 1 << 20)):
            data += piece
        return bytes(data)

    async def close(self) -> None:
        self.server.close()
        for client in self.clients:
            client.close()
        for one in self.served:
            if "made" in one.told:
                one.transport.abort()
                await one.lost


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is so."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


@pytest.fixture(params=[plain, SOURCE], ids=["running", "source"])
def module(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    # The first loop of a process opens what stays.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.sleep(0))
    before = len(os.listdir("/proc/self/fd"))
    yield request.param
    assert len(os.listdir("/proc/self/fd")) == before, "every descriptor is closed again"


Test = Callable[[Bench], Awaitable[None]]


def on_uvloop(test: Test) -> Callable[[ModuleType], None]:
    """Run a test on a loop like the daemon's."""

    async def run(module: ModuleType) -> None:
        async with asyncio.timeout(LIMIT):
            bench = Bench(module)
            await bench.open()
            await test(bench)
            await bench.close()
            await asyncio.sleep(0)

    # Not by functools.wraps: pytest would take the fixtures from the test's own signature.
    def wrapper(module: ModuleType) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(module))

    wrapper.__name__, wrapper.__doc__ = test.__name__, test.__doc__
    return wrapper


@on_uvloop
async def test_bytes_arrive_in_order_however_they_are_read(bench: Bench) -> None:
    sent = random.Random(1).randbytes(300_000)
    for kind in (Recorder, _Buffered):
        bench.protocol = kind
        client, served = await bench.connect()
        await bench.loop.sock_sendall(client, sent)
        await until(lambda served=served: len(served.data) == len(sent))  # type: ignore[misc]
        assert served.data == sent


@on_uvloop
async def test_a_taker_lends_one_buffer(bench: Bench) -> None:
    buffer = bytearray(1000)
    taken: list[bytes] = []

    class Own(bench.module.Taker):  # type: ignore[name-defined,misc]
        def take(self, nbytes: int) -> None:
            taken.append(bytes(self.buffer[:nbytes]))

        def connection_lost(self, _error: Exception | None) -> None:
            pass

    client, served = await bench.connect()
    served.transport.set_protocol(Own(buffer))
    await bench.loop.sock_sendall(client, bytes(2500))
    await until(lambda: sum(map(len, taken)) == 2500)
    assert max(map(len, taken)) <= 1000
    assert isinstance(served.transport.get_protocol(), Own)
    served.transport.set_protocol(served)


@on_uvloop
async def test_what_the_kernel_does_not_take_waits_and_is_told_of_at_once(bench: Bench) -> None:
    client, served = await bench.connect()
    transport = served.transport
    transport.set_write_buffer_limits(high=0, low=0)
    assert transport.get_write_buffer_limits() == (0, 0)
    some = random.Random(2)
    expected = bytearray()
    transport.write(b"")
    while transport.get_write_buffer_size() < 1_000_000:
        parts: list[Any] = [
            some.randbytes(some.choice((0, 1, 60, 5000, 100_000))) for _ in range(some.randrange(1, 90))
        ]
        expected += b"".join(parts)
        if some.random() < 0.5:
            assert (
                bench.module.write_parts(transport, list(filter(None, parts)), sum(map(len, parts))) is True
            )
        elif some.random() < 0.5:
            lent = bytearray(b"".join(parts))
            transport.write(memoryview(lent))
            lent[:] = bytes(len(lent))
        else:
            transport.writelines(parts)
    assert served.told == ["made", "pause"]
    waits = transport.get_write_buffer_size()
    assert 1_000_000 <= waits < len(expected)
    assert await bench.read(client, len(expected)) == expected
    await until(lambda: served.told == ["made", "pause", "resume"])
    assert transport.get_write_buffer_size() == 0


@on_uvloop
async def test_close_sends_what_waits_first(bench: Bench) -> None:
    client, served = await bench.connect()
    sent = random.Random(3).randbytes(8_000_000)
    served.transport.write(sent)
    served.transport.close()
    served.transport.close()
    assert served.transport.is_closing()
    assert bench.module.write_parts(served.transport, [b"too late"], 8) is False
    assert await bench.read(client, len(sent) + 1) == sent
    await served.lost
    assert served.error is None
    assert served.told[-1] == "lost"
    assert served.transport.get_write_buffer_size() == 0


@on_uvloop
async def test_half_closed_by_the_peer(bench: Bench) -> None:
    client, served = await bench.connect()
    await bench.loop.sock_sendall(client, b"question")
    client.shutdown(socket.SHUT_WR)
    await served.ended
    assert served.data == b"question"
    for piece in (b"long ", b"answer"):
        await asyncio.sleep(0.01)
        served.transport.write(piece)
    assert await bench.read(client, 11) == b"long answer"
    assert not served.lost.done()
    served.transport.close()
    assert await bench.read(client, 1) == b""
    await served.lost
    assert served.told == ["made", "eof", "lost"]


@on_uvloop
async def test_a_protocol_that_does_not_keep_open_is_closed_at_the_end(bench: Bench) -> None:
    client, served = await bench.connect()
    served.keep_open = False
    client.shutdown(socket.SHUT_WR)
    await served.lost
    assert served.error is None
    assert await bench.read(client, 1) == b""


@on_uvloop
async def test_our_side_is_shut_behind_what_waits(bench: Bench) -> None:
    client, served = await bench.connect()
    sent = random.Random(4).randbytes(6_000_000)
    served.transport.write(sent)
    assert served.transport.can_write_eof()
    served.transport.write_eof()
    served.transport.write_eof()
    with pytest.raises(RuntimeError, match="write_eof"):
        served.transport.write(b"more")
    assert await bench.read(client, len(sent) + 1) == sent
    await bench.loop.sock_sendall(client, b"still heard")
    await until(lambda: served.data == b"still heard")
    client.close()
    await served.ended


@on_uvloop
async def test_a_reset_is_an_error_that_is_told_once(bench: Bench) -> None:
    client, served = await bench.connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    await served.lost
    assert isinstance(served.error, ConnectionResetError)
    assert served.told == ["made", "lost"]
    served.transport.abort()
    served.transport.close()
    await asyncio.sleep(0.01)
    assert served.told == ["made", "lost"]
    assert bench.complaints == []


@on_uvloop
async def test_a_peer_that_is_gone_is_noticed_by_writing(bench: Bench) -> None:
    client, served = await bench.connect()
    served.transport.pause_reading()
    client.close()
    while not served.lost.done():
        served.transport.write(b"hello")
        await asyncio.sleep(0.001)
    assert isinstance(served.error, ConnectionError)
    assert bench.complaints == []


@on_uvloop
async def test_a_protocol_that_raises_harms_nobody_else(bench: Bench) -> None:
    clients = [await bench.connect() for _ in range(5)]

    def fail(_data: bytes) -> None:
        raise LookupError("on purpose")

    clients[2][1].on_data = fail
    for client, _ in clients:
        await bench.loop.sock_sendall(client, b"hello")
    await clients[2][1].lost
    assert isinstance(clients[2][1].error, LookupError)
    assert [type(context["exception"]) for context in bench.complaints] == [LookupError]
    others = [served for _, served in clients if served is not clients[2][1]]
    await until(lambda: all(served.data == b"hello" for served in others))
    assert all(not served.lost.done() for served in others)


@on_uvloop
async def test_one_that_raises_at_its_end_keeps_nobody_from_hearing_of_theirs(bench: Bench) -> None:
    both = [await bench.connect() for _ in range(3)]
    told: list[str] = []

    def fail(_error: Exception | None) -> None:
        told.append("failed")
        raise ValueError("connection_lost() broke")

    both[0][1].transport.get_protocol().connection_lost = fail
    both[0][1].lost.set_result(None)

    def close_all(_data: bytes) -> None:
        for _, served in both:
            served.transport.close()
        assert not any("lost" in served.told for _, served in both), "it is in the midst of something"
        assert not told

    both[1][1].on_data = close_all
    await bench.loop.sock_sendall(both[1][0], b"x")
    for _, served in both[1:]:
        await served.lost
    await until(lambda: bool(told) and bool(bench.complaints))
    assert [str(complaint["exception"]) for complaint in bench.complaints] == ["connection_lost() broke"]
    assert told == ["failed"]


@on_uvloop
async def test_closing_within_a_callback_ends_the_reading(bench: Bench) -> None:
    client, served = await bench.connect()

    def answer(data: bytes) -> None:
        served.data += data
        served.transport.write(b"enough")
        served.transport.close()
        assert "lost" not in served.told

    served.on_data = answer
    await bench.loop.sock_sendall(client, b"first")
    assert await bench.read(client, 7) == b"enough"
    await served.lost
    assert served.data == b"first"


@on_uvloop
async def test_abort_drops_what_waits(bench: Bench) -> None:
    client, served = await bench.connect()
    served.transport.write(bytes(8_000_000))
    served.transport.abort()
    assert served.told[-1] != "lost"
    await served.lost
    assert served.error is None
    received = 0
    try:
        while piece := await bench.loop.sock_recv(client, 1 << 20):
            received += len(piece)
    except ConnectionError:
        pass
    assert received < 8_000_000


@on_uvloop
async def test_descriptors_that_change_hands_within_one_turn(bench: Bench) -> None:
    """Whoever is read first drops all the others, and new ones connect: nobody gets what is another's."""
    for _ in range(5):
        clients = [await bench.connect() for _ in range(40)]
        first = []

        def drop_others(data: bytes, own: Any, clients: Any = clients, first: Any = first) -> None:
            own.data += data
            first.append(own)
            for _, other in clients:
                if other is not own:
                    other.transport.abort()

        for number, (client, served) in enumerate(clients):
            served.on_data = functools.partial(drop_others, own=served)
            client.send(b"old %d" % number)
        await until(lambda first=first: bool(first))  # type: ignore[misc]
        fresh = [await bench.connect() for _ in range(40)]
        for number, (client, _) in enumerate(fresh):
            client.send(b"new %d" % number)
        await until(lambda fresh=fresh: all(served.data for _, served in fresh))  # type: ignore[misc]
        assert [bytes(served.data) for _, served in fresh] == [b"new %d" % number for number in range(40)]
        assert len(first) == 1


@on_uvloop
async def test_paused_reading_leaves_it_to_the_kernel(bench: Bench) -> None:
    client, served = await bench.connect()
    assert served.transport.is_reading()
    served.transport.pause_reading()
    await bench.loop.sock_sendall(client, b"wait")
    await asyncio.sleep(0.02)
    assert served.data == b""
    assert not served.transport.is_reading()
    served.transport.resume_reading()
    await until(lambda: served.data == b"wait")


@on_uvloop
async def test_what_came_before_a_reset_is_read_however_late(bench: Bench) -> None:
    """Who is not read is not watched: an end that nobody asked for would take what the kernel still has."""
    client, served = await bench.connect()
    served.transport.pause_reading()
    await bench.loop.sock_sendall(client, b"last words")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    await asyncio.sleep(0.02)
    assert served.told == ["made"]
    served.transport.resume_reading()
    await served.lost
    assert served.data == b"last words"


@pytest.mark.skipif(not plain.__file__.endswith(".so"), reason="the loop's own counts for itself")
def test_a_count_that_is_wrong_ends_its_connection_alone() -> None:
    @on_uvloop
    async def test(bench: Bench) -> None:
        client, served = await bench.connect()
        other, beside = await bench.connect()
        assert bench.module.write_parts(served.transport, [b"one", b"two"], 7) is True
        await served.lost
        assert [str(context["exception"]) for context in bench.complaints] == [
            "1 bytes are counted that no part holds"
        ]
        assert await bench.read(client, 7) == b"onetwo"
        assert bench.module.write_parts(beside.transport, [b"one", b"two"], 6) is True
        assert await bench.read(other, 6) == b"onetwo"

    test(plain)


@on_uvloop
async def test_closing_the_server_ends_the_accepting_only(bench: Bench) -> None:
    client, served = await bench.connect()
    bench.server.close()
    bench.server.close()
    await asyncio.sleep(0)
    with pytest.raises(ConnectionRefusedError):
        await bench.connect()
    await bench.loop.sock_sendall(client, b"still here")
    await until(lambda: served.data == b"still here")


@on_uvloop
async def test_what_is_known_of_a_connection(bench: Bench) -> None:
    client, served = await bench.connect()
    ask = served.transport.get_extra_info
    assert ask("peername") == client.getsockname()
    assert ask("sockname") == bench.address
    assert ask("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert ask("socket").family == socket.AF_INET
    assert ask("nothing", "else") == "else"


def test_a_listener_at_every_address_tells_which_one_was_connected_to(module: ModuleType) -> None:
    async def run() -> None:
        async with asyncio.timeout(LIMIT):
            bench = Bench(module)
            await bench.open(socket.create_server(("0.0.0.0", 0)))
            port = bench.address[1]
            for host in ("127.0.0.1", "127.0.0.2"):
                bench.address = (host, port)
                _, served = await bench.connect()
                assert served.transport.get_extra_info("sockname") == (host, port)
            await bench.close()
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def test_unix_sockets(module: ModuleType, tmp_path: Path) -> None:
    async def run() -> None:
        async with asyncio.timeout(LIMIT):
            bench = Bench(module)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(tmp_path / "socket"))
            await bench.open(listener)
            client, served = await bench.connect()
            served.on_data = served.transport.write
            await bench.loop.sock_sendall(client, b"echo")
            assert await bench.read(client, 4) == b"echo"
            assert not isinstance(served.transport.get_extra_info("peername"), tuple)
            await bench.close()
            await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
