"""Connections with TLS: the transport of the build that runs, and the loop's own, do the same."""

from __future__ import annotations

import _ssl
import asyncio
import ctypes
import gc
import os
import random
import socket
import ssl
import struct
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import trustme
import uvloop

from ioto_server.config import Tls
from ioto_server.server import secure
from ioto_server.server.plain import Plain, Taker, count_unread, write_parts
from ioto_server.server.tls import TlsContext, make_context
from tests.server.test_plain import LIMIT, Recorded, Recorder, load_source, until
from tests.tls.certificates import client_context, write_pair

SOURCE = load_source(secure)


class Own(Recorded, Taker):
    """A taker that writes down what it is told."""

    def __init__(self, buffer: bytearray) -> None:
        super().__init__(buffer)
        self.recorder = Recorder()
        self.most = 0

    def take(self, nbytes: int) -> None:
        self.most = max(self.most, nbytes)
        self.recorder.data_received(bytes(self.buffer[:nbytes]))


class Place:
    """The place of a handshake; how often it was given back."""

    def __init__(self) -> None:
        self.left = 0

    def leave(self) -> None:
        self.left += 1


class Bench:
    """A server at a port of its own, and clients that block, each call in a thread."""

    def __init__(self, module: ModuleType, context: TlsContext) -> None:
        self.module = module
        self.context = context
        self.loop = asyncio.get_running_loop()
        self.served: list[Recorder] = []
        self.complaints: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.complaints.append(context))
        self.clients: list[socket.socket] = []
        self.address: Any = None
        self.server: Any = None
        self.handshake: float = LIMIT
        self.make: Callable[[], Any] = Recorder
        self.full = False
        self.places: list[Place] = []
        self.peers: list[object] = []
        self.client_context = client_context()

    async def open(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = listener.getsockname()
        listener.setblocking(False)
        self.server = await self.module.serve(
            Plain(self.loop), listener, self._make, self.context, lambda: self.handshake, self._arrive
        )

    def _arrive(self, peername: object) -> Place | None:
        self.peers.append(peername)
        if self.full:
            return None
        self.places.append(Place())
        return self.places[-1]

    def _make(self) -> Any:
        # A place is given back before the connection asks for its own.
        assert self.places[-1].left
        made = self.make()
        self.served.append(getattr(made, "recorder", made))
        return made

    @property
    def made(self) -> list[Recorder]:
        """Those who were told of a connection: the loop's own are there before."""
        return [one for one in self.served if one.told]

    async def dial(self) -> socket.socket:
        """A client that has not begun with TLS."""
        client = await asyncio.to_thread(socket.create_connection, self.address, LIMIT)
        self.clients.append(client)
        return client

    async def connect(self) -> tuple[ssl.SSLSocket, Recorder]:
        """A client, and the protocol that serves it."""
        count = len(self.served)
        raw = await self.dial()
        self.clients.remove(raw)
        client = await asyncio.to_thread(self.client_context.wrap_socket, raw, server_hostname="localhost")
        self.clients.append(client)
        await until(lambda: len(self.served) > count and "made" in self.served[count].told)
        return client, self.served[count]

    async def read(self, client: ssl.SSLSocket, count: int) -> bytes:
        """So many bytes, or all up to the end."""

        def read() -> bytes:
            data = bytearray()
            while len(data) < count and (piece := client.recv(1 << 20)):
                data += piece
            return bytes(data)

        return await asyncio.to_thread(read)

    async def send(self, client: ssl.SSLSocket, data: bytes) -> None:
        await asyncio.to_thread(client.sendall, data)

    async def close(self) -> None:
        self.server.close()
        for client in self.clients:
            client.close()
        for one in self.served:
            if "made" in one.told:
                one.transport.abort()
                await one.lost


def read_all(client: ssl.SSLSocket) -> bytes:
    """All up to the end."""
    data = bytearray()
    while piece := client.recv(1 << 20):
        data += piece
    return bytes(data)


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> TlsContext:
    return make_context(Tls.read(write_pair(tmp_path_factory.mktemp("tls"))))


@pytest.fixture(params=[secure, SOURCE], ids=["running", "source"])
def bench_of(request: pytest.FixtureRequest, context: TlsContext) -> Iterator[Callable[[], Bench]]:
    # The first loop of a process opens what stays.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.sleep(0))
    before = len(os.listdir("/proc/self/fd"))
    yield lambda: Bench(request.param, context)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before, "every descriptor is closed again"


Test = Callable[[Bench], Awaitable[None]]


def on_uvloop(test: Test) -> Callable[[Callable[[], Bench]], None]:
    """Run a test on a loop like the daemon's."""

    async def run(bench_of: Callable[[], Bench]) -> None:
        async with asyncio.timeout(LIMIT):
            bench = bench_of()
            await bench.open()
            try:
                await test(bench)
            finally:
                await bench.close()
            await asyncio.sleep(0)

    # Not by functools.wraps: pytest would take the fixtures from the test's own signature.
    def wrapper(bench_of: Callable[[], Bench]) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(bench_of))

    wrapper.__name__, wrapper.__doc__ = test.__name__, test.__doc__
    return wrapper


def test_the_compiled_build_has_its_own_way() -> None:
    """Python's ssl module is one that the compiled module knows, so that the tests below test it."""
    assert SOURCE.BY_LOOP == "not compiled"
    compiled = not secure.__file__.endswith(".py")
    assert (secure.BY_LOOP is None) == compiled


@on_uvloop
async def test_bytes_arrive_in_order_however_they_are_read(bench: Bench) -> None:
    sent = random.Random(1).randbytes(300_000)
    for size in (7, 1000, 1 << 18, 0):
        bench.make = (lambda size=size: Own(bytearray(size))) if size else Recorder  # type: ignore[misc]
        client, served = await bench.connect()
        await bench.send(client, sent)
        await until(lambda served=served: len(served.data) == len(sent))  # type: ignore[misc]
        assert served.data == sent


@on_uvloop
async def test_what_came_with_the_handshake_is_read(bench: Bench) -> None:
    """A client may send in the same segment that ends its handshake."""
    raw = await bench.dial()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = bench.client_context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            await asyncio.to_thread(raw.sendall, outgoing.read())
            incoming.write(await asyncio.to_thread(raw.recv, 1 << 16))
    tls.write(b"early")
    await asyncio.to_thread(raw.sendall, outgoing.read())
    await until(lambda: bool(bench.served) and bench.served[0].data == b"early")


@on_uvloop
async def test_what_the_kernel_does_not_take_waits_and_is_told_of(bench: Bench) -> None:
    client, served = await bench.connect()
    transport = served.transport
    transport.set_write_buffer_limits(high=1, low=0)
    some = random.Random(2)
    expected = bytearray()
    while transport.get_write_buffer_size() < 1_000_000:
        parts: list[Any] = [
            some.randbytes(some.choice((0, 1, 60, 5000, 16384, 100_000)))
            for _ in range(some.randrange(1, 90))
        ]
        expected += b"".join(parts)
        if some.random() < 0.5:
            assert write_parts(transport, list(filter(None, parts)), sum(map(len, parts))) is True
        elif some.random() < 0.5:
            lent = bytearray(b"".join(parts))
            transport.write(memoryview(lent))
            lent[:] = bytes(len(lent))
        else:
            transport.writelines(parts)
    # The loop's own pushes on when it gets around to it.
    await until(lambda: "pause" in served.told)
    assert await bench.read(client, len(expected)) == expected
    await until(lambda: served.told[-1] == "resume")
    assert transport.get_write_buffer_size() == 0


@on_uvloop
async def test_close_sends_what_waits_then_says_so_and_waits_for_the_peer_to_say_the_same(
    bench: Bench,
) -> None:
    client, served = await bench.connect()
    sent = random.Random(3).randbytes(6_000_000)
    served.transport.write(sent)
    served.transport.close()
    served.transport.close()
    assert served.transport.is_closing()
    assert write_parts(served.transport, [b"too late"], 8) is False
    # What still comes is for nobody.
    await bench.send(client, b"ignored")
    assert await bench.read(client, len(sent)) == sent
    # Not by recv(), which takes an end of TCP for one of TLS.
    assert await asyncio.to_thread(client._sslobj.read, 1) == b""  # type: ignore[attr-defined]
    assert not served.lost.done()
    (await asyncio.to_thread(client.unwrap)).close()
    await served.lost
    assert served.error is None
    assert served.data == b""


@on_uvloop
async def test_the_peers_close_notify_ends_both_sides(bench: Bench) -> None:
    client, served = await bench.connect()
    await bench.send(client, b"last words")
    (await asyncio.to_thread(client.unwrap)).close()
    await served.lost
    assert served.data == b"last words"
    assert served.told[0] == "made"
    assert served.told[-1] == "lost"
    assert served.error is None


@on_uvloop
async def test_an_end_of_tcp_without_a_word_is_an_end_too(bench: Bench) -> None:
    client, served = await bench.connect()
    await bench.send(client, b"hello")
    client.shutdown(socket.SHUT_WR)
    await served.lost
    assert served.data == b"hello"


@on_uvloop
async def test_a_reset_is_an_error_that_is_told_once(bench: Bench) -> None:
    client, served = await bench.connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    await served.lost
    assert served.told == ["made", "lost"]
    served.transport.abort()
    served.transport.close()
    await asyncio.sleep(0.01)
    assert served.told == ["made", "lost"]
    assert bench.complaints == []


@on_uvloop
async def test_reading_that_pauses_goes_on_with_what_has_come(bench: Bench) -> None:
    sent = random.Random(4).randbytes(60_000)
    pieces: list[bytes] = []
    for size in (500, 40_000):
        bench.make = lambda size=size: Own(bytearray(size))  # type: ignore[misc]
        client, served = await bench.connect()
        pieces = []

        def take(data: bytes, served: Recorder = served, pieces: list[bytes] = pieces) -> None:
            served.data += data
            pieces.append(data)
            served.transport.pause_reading()

        served.on_data = take
        await bench.send(client, sent)
        while len(served.data) < len(sent):
            await until(lambda served=served: not served.transport.is_reading())  # type: ignore[misc]
            await asyncio.sleep(0.001)
            served.transport.resume_reading()
        assert served.data == sent


@on_uvloop
async def test_what_is_kept_back_while_reading_pauses_is_counted(bench: Bench) -> None:
    own = bench.module is secure and secure.BY_LOOP is None
    client, served = await bench.connect()
    during: list[int] = []

    def take(data: bytes) -> None:
        served.data += data
        served.transport.pause_reading()
        during.append(count_unread(served.transport))

    served.on_data = take
    assert count_unread(served.transport) == 0
    # Records of 1000 bytes, so that several come in one read; each is a little longer than what is in it.
    for _ in range(20):
        await bench.send(client, bytes(1000))
    while len(served.data) < 20_000:
        await until(lambda: not served.transport.is_reading())
        assert count_unread(served.transport) == (during[-1] if own else 0)
        served.transport.resume_reading()
        count = len(during)
        await until(lambda count=count: len(during) > count or len(served.data) == 20_000)  # type: ignore[misc]
    assert count_unread(served.transport) == 0
    assert (max(during) > 1000) == own


@pytest.mark.parametrize(
    "rubbish", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(70_000), b"\x00"]
)
def test_rubbish_in_place_of_a_handshake_ends_that_connection(
    bench_of: Callable[[], Bench], rubbish: bytes
) -> None:
    @on_uvloop
    async def test(bench: Bench) -> None:
        raw = await bench.dial()

        def talk() -> None:
            try:
                raw.sendall(rubbish)
                raw.shutdown(socket.SHUT_WR)
                while raw.recv(1000):
                    pass
            except TimeoutError:
                raise
            except OSError:
                pass  # reset: before we shut down, then the socket is "not connected", or afterwards

        await asyncio.to_thread(talk)
        assert bench.made == []
        client, served = await bench.connect()
        await bench.send(client, b"well")
        await until(lambda: served.data == b"well")
        assert bench.complaints == []

    test(bench_of)


def test_a_handshake_has_its_time(bench_of: Callable[[], Bench]) -> None:
    def in_a_moment() -> Bench:
        bench = bench_of()
        bench.handshake = 0.1
        return bench

    @on_uvloop
    async def test(bench: Bench) -> None:
        raw = await bench.dial()
        assert await asyncio.to_thread(raw.recv, 1) == b""
        assert bench.made == []

    test(in_a_moment)


@on_uvloop
async def test_a_handshake_has_a_place_until_it_is_over(bench: Bench) -> None:
    silent = await bench.dial()
    await until(lambda: len(bench.places) == 1)
    assert bench.peers == [silent.getsockname()]
    assert bench.places[0].left == 0
    await bench.connect()
    assert bench.places[1].left
    assert bench.places[0].left == 0
    silent.close()
    await until(lambda: bench.places[0].left > 0)


@on_uvloop
async def test_who_has_no_place_is_closed(bench: Bench) -> None:
    bench.full = True
    one = await bench.dial()
    assert await asyncio.to_thread(one.recv, 1) == b""
    bench.full = False
    await bench.connect()
    assert len(bench.made) == 1


@on_uvloop
async def test_a_record_that_was_changed_ends_its_connection_alone(bench: Bench) -> None:
    client, served = await bench.connect()
    other, beside = await bench.connect()
    await bench.send(client, b"good")
    await until(lambda: served.data == b"good")
    with socket.socket(fileno=os.dup(client.fileno())) as raw:
        raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    await served.lost
    assert served.data == b"good"
    assert isinstance(served.error, ssl.SSLError)
    await bench.send(other, b"fine")
    await until(lambda: beside.data == b"fine")
    assert not beside.lost.done()


@on_uvloop
async def test_what_is_written_to_others_meanwhile_reaches_them_alone(bench: Bench) -> None:
    """Who is read writes to everybody, before all of its own input is used up."""
    bench.make = lambda: Own(bytearray(100))
    pairs = [await bench.connect() for _ in range(6)]
    for _, served in pairs:

        def relay(data: bytes, served: Recorder = served) -> None:
            served.data += data
            for _, other in pairs:
                other.transport.write(data)

        served.on_data = relay
    sent = random.Random(5).randbytes(50_000)
    await bench.send(pairs[0][0], sent)
    for client, _ in pairs:
        assert await bench.read(client, len(sent)) == sent
    assert pairs[0][1].data == sent


def parts_of(seed: int, size: int) -> list[bytes]:
    """Parts of `size` bytes or more together, few of which end where a record does."""
    some = random.Random(seed)
    parts: list[bytes] = []
    while size > 0:
        parts.append(some.randbytes(some.choice((60, 5000, 40_000))))
        size -= len(parts[-1])
    return parts


@on_uvloop
async def test_who_hears_of_a_full_kernel_may_write_to_anybody(bench: Bench) -> None:
    """It hears of it when its own bytes are sealed, all of them: what it writes then goes behind them."""
    client, served = await bench.connect()
    other, beside = await bench.connect()
    served.transport.set_write_buffer_limits(high=1, low=0)
    sent, news = parts_of(6, 8_000_000), parts_of(7, 200_000)

    def tell_everybody() -> None:
        served.on_pause = lambda: None
        beside.transport.writelines(news)
        served.transport.writelines([b"behind", b" it"])

    served.on_pause = tell_everybody
    times = 0
    while "pause" not in served.told:
        # Once is enough, but for the loop's own, which says so when it gets around to it.
        served.transport.writelines(sent)
        times += 1
        await asyncio.sleep(0)
    expected = b"".join(news)
    assert await bench.read(other, len(expected)) == expected
    expected = b"".join(sent) * times + b"behind it"
    assert await bench.read(client, len(expected)) == expected


@on_uvloop
async def test_a_protocol_that_raises_harms_nobody_else(bench: Bench) -> None:
    client, served = await bench.connect()
    other, beside = await bench.connect()

    def fail(_data: bytes) -> None:
        raise LookupError("on purpose")

    served.on_data = fail
    await bench.send(client, b"hello")
    await served.lost
    assert [type(context["exception"]) for context in bench.complaints] == [LookupError]
    await bench.send(other, b"hello")
    await until(lambda: beside.data == b"hello")


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
        while piece := await asyncio.to_thread(client.recv, 1 << 20):
            received += len(piece)
    except OSError:
        pass
    assert received < 8_000_000


@on_uvloop
async def test_what_is_known_of_a_connection(bench: Bench) -> None:
    client, served = await bench.connect()
    ask = served.transport.get_extra_info
    assert ask("peername") == client.getsockname()
    assert ask("sockname") == bench.address
    assert ask("ssl_object").version() == client.version()
    assert ask("cipher") == client.cipher()
    assert ask("peercert") is None or ask("peercert") == {}
    assert ask("compression") is None
    assert isinstance(ask("sslcontext"), ssl.SSLContext)
    assert ask("nothing", "else") == "else"
    assert not served.transport.can_write_eof()
    with pytest.raises(NotImplementedError):
        served.transport.write_eof()


@on_uvloop
async def test_nothing_is_left_of_a_connection(bench: Bench) -> None:
    client, served = await bench.connect()
    known = weakref.ref(served.transport.get_extra_info("ssl_object"))
    (await asyncio.to_thread(client.unwrap)).close()
    await served.lost
    served.transport = None
    bench.clients.clear()
    bench.served.clear()
    del served, client
    await asyncio.sleep(0)
    if bench.module is secure and secure.BY_LOOP is None:
        assert known() is None, "without the garbage collector"
    gc.collect()
    assert known() is None


# What a client does that Python's ssl has no words for: OpenSSL is called


def update_keys(client: ssl.SSLSocket) -> None:
    """Send a key update that asks for one in return (RFC 8446, 4.6.3)."""
    library = ctypes.CDLL(_ssl.__file__)
    for name in ("SSL_key_update", "SSL_do_handshake"):
        getattr(library, name).argtypes = [ctypes.c_void_p] + [ctypes.c_int] * (name == "SSL_key_update")
    fields = ctypes.cast(id(client._sslobj), ctypes.POINTER(ctypes.c_void_p))  # type: ignore[attr-defined]
    assert fields[4] == id(client.context)
    assert library.SSL_key_update(fields[3], 1) == 1
    assert library.SSL_do_handshake(fields[3]) == 1


@on_uvloop
async def test_keys_are_updated(bench: Bench) -> None:
    client, served = await bench.connect()
    served.on_data = served.transport.write
    for _ in range(20):
        await asyncio.to_thread(update_keys, client)
        await bench.send(client, b"with new keys")
        assert await bench.read(client, 13) == b"with new keys"


@pytest.mark.skipif(secure.BY_LOOP is not None, reason="the loop bounds nothing here")
def test_answers_of_tls_to_a_peer_that_does_not_read_are_bounded(context: TlsContext) -> None:
    @on_uvloop
    async def test(bench: Bench) -> None:
        client, served = await bench.connect()
        served.transport.set_write_buffer_limits(high=0, low=0)
        while not served.transport.get_write_buffer_size():
            served.transport.write(bytes(100_000))
        waits = served.transport.get_write_buffer_size()

        def flood() -> None:
            try:
                while True:
                    update_keys(client)
            except AssertionError:
                pass  # The server has ended it.

        flooding = asyncio.create_task(asyncio.to_thread(flood))
        while not served.lost.done():
            assert served.transport.get_write_buffer_size() < waits + 200_000
            await asyncio.sleep(0.001)
        assert isinstance(served.error, ConnectionAbortedError)
        await flooding

    test(lambda: Bench(secure, context))


@pytest.mark.skipif(secure.BY_LOOP is not None, reason="the loop's own is not made for that")
def test_finalisers_may_write_to_anybody_at_any_time(context: TlsContext) -> None:
    """The garbage collector runs them where it likes: here, wherever it can."""

    @on_uvloop
    async def test(bench: Bench) -> None:
        client, served = await bench.connect()
        other, beside = await bench.connect()
        count = 0

        class Last:
            """Is garbage at once, and says something when it is collected; then there is another."""

            def __init__(self) -> None:
                self.me = self

            def __del__(self) -> None:
                nonlocal count
                if count >= 0:
                    beside.transport.writelines([b"%8d" % count, bytes(100)])
                    count += 1
                    Last()

        async def sow() -> None:
            """Write all the while, and shake hands."""
            for seed in range(8):
                await bench.connect()
                sent = parts_of(seed, 3_000_000)
                served.transport.writelines(sent)
                expected = b"".join(sent)
                assert await bench.read(client, len(expected)) == expected
                await asyncio.to_thread(update_keys, client)

        before = gc.get_threshold()
        reading = asyncio.create_task(asyncio.to_thread(read_all, other))
        try:
            Last()
            gc.set_threshold(1, 1, 1)
            await sow()
        finally:
            gc.set_threshold(*before)
            said, count = count, -1
            beside.transport.close()
        assert said > 100
        assert await reading == b"".join(b"%8d" % number + bytes(100) for number in range(said))

    test(lambda: Bench(secure, context))


def test_client_certificates_reach_the_protocol(bench_of: Callable[[], Bench], tmp_path: Path) -> None:
    authority = trustme.CA()
    (tmp_path / "clients.crt").write_bytes(authority.cert_pem.bytes())
    verifying = make_context(
        Tls.read(
            {
                **write_pair(tmp_path),
                "authority": str(tmp_path / "clients.crt"),
                "verify": {"client": True},
            }
        )
    )

    def asking() -> Bench:
        bench = bench_of()
        bench.context = verifying
        bench.client_context = client_context(certificate=authority.issue_cert("me@example.org"))
        return bench

    @on_uvloop
    async def test(bench: Bench) -> None:
        _, served = await bench.connect()
        names = served.transport.get_extra_info("peercert")["subjectAltName"]
        assert names == (("email", "me@example.org"),)
        # Whoever has none was never there.
        stranger = await bench.dial()
        bench.clients.remove(stranger)

        def try_without() -> None:
            # It is told why, by whoever takes the time: the loop's own does not.
            with (
                client_context().wrap_socket(stranger, server_hostname="localhost") as tls,
                suppress(ssl.SSLError),
            ):
                assert tls.recv(1) == b""

        await asyncio.to_thread(try_without)
        assert len(bench.made) == 1
        assert bench.complaints == []

    test(asking)
