"""The codec as a client against the server of the Autobahn suite, judged as strictly as the daemon is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from queue import Queue
from typing import Any

import pytest
from kosoku import FailureError, run_fuzzingserver

from ioto_server.websocket import DeflateSettings
from tests.autobahn.echo_client import EchoClient
from tests.autobahn.kosoku import INFORMATIONAL

pytestmark = [
    pytest.mark.alone,
    # The suite's own cases leave files unclosed.
    pytest.mark.filterwarnings("ignore:.*kosoku:pytest.PytestUnraisableExceptionWarning"),
]

AGENT = "client"
HEAVY = tuple(f"{group}.*.{number}" for group in (12, 13) for number in (10, *range(12, 19)))


@dataclass(frozen=True)
class Group:
    """Cases of one connection each: how many there must be."""

    name: str
    include: tuple[str, ...]
    count: int
    exclude: tuple[str, ...] = ()
    compress: DeflateSettings | None = None


COMPRESS = DeflateSettings(window_bits=15, mem_level=8, threshold=0)
# In the groups of FRESH the suite asks for client_no_context_takeover, if only it is offered.
COMPRESS_AFRESH = replace(COMPRESS, context_takeover=False)
SHARED = ("12.*", "13.1.*", "13.3.*", "13.4.*")
FRESH = ("13.2.*", "13.5.*", "13.6.*", "13.7.*")

GROUPS = [
    Group("framing", ("1.*", "2.*", "3.*", "4.*", "5.*"), 64),
    Group("text-and-closing", ("6.*", "7.*", "10.*"), 183),
    Group("limits", ("9.*",), 54),
    Group("deflate", SHARED, 80, HEAVY, compress=COMPRESS),
    Group("deflate-without-takeover", FRESH, 40, HEAVY, compress=COMPRESS_AFRESH),
]
WHOLE = [
    Group("deflate-whole", SHARED, 144, compress=COMPRESS),
    Group("deflate-without-takeover-whole", FRESH, 72, compress=COMPRESS_AFRESH),
]


@contextmanager
def suite_server(group: Group) -> Iterator[tuple[int, Queue[Any]]]:
    """Run the suite's server in a thread; yields its port, and a queue that gets its verdicts."""
    ports: Queue[int] = Queue()
    verdicts: Queue[Any] = Queue()

    async def serve() -> None:
        try:
            async with run_fuzzingserver(
                list(group.include), list(group.exclude), host="127.0.0.1", port=0
            ) as server:
                ports.put(server.port)
                verdicts.put(await server.get_result())
        except FailureError as failure:
            verdicts.put(failure.results)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    yield ports.get(timeout=30), verdicts
    thread.join(30)
    assert not thread.is_alive(), "the suite's server did not end when its reports were asked for"


def judge(group: Group) -> None:
    with suite_server(group) as (port, verdicts):

        def connect(target: str, *, keep: bool = False) -> EchoClient:
            client = EchoClient(port, target, compress=group.compress, seconds=60)
            client.run(keep=keep)
            return client

        (count,) = connect("/getCaseCount", keep=True).messages
        assert int(count) == group.count
        for number in range(1, group.count + 1):
            connect(f"/runCase?case={number}&agent={AGENT}")
        connect(f"/updateReports?agent={AGENT}")
        results = verdicts.get(timeout=30)
    assert len(results) == group.count
    bad = []
    for one in results:
        wanted = "INFORMATIONAL" if one.case_id in INFORMATIONAL else "OK"
        if not one.behavior.value == one.behavior_close.value == wanted:
            bad.append(
                f"{one.case_id}: {one.behavior.value}, closing {one.behavior_close.value}; wanted {wanted}"
            )
    assert not bad


@pytest.mark.timeout(600)
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_cases(group: Group) -> None:
    judge(group)


@pytest.mark.long
@pytest.mark.timeout(1600)
@pytest.mark.parametrize("group", WHOLE, ids=lambda group: group.name)
def test_all_compressed_cases(group: Group) -> None:
    judge(group)
