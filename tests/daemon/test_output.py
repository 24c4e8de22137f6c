"""Lines of the log gather by the turn of the loop, in order, each once, and urgent ones wait for nothing."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
import uvloop

from ioto_server.daemon.output import Output
from tests.support.daemon import DEADLINE

FORKS = """\
import asyncio, os, sys
from pathlib import Path
import structlog
from ioto_server.config import Log
from ioto_server.daemon import logs

logs.configure(Log(path=Path(sys.argv[1])))

async def main():
    logs.gather(asyncio.get_running_loop())
    log = structlog.get_logger()
    log.info("first")
    log.info("gathers")
    child = os.fork()
    if not child:
        log.info("of the child")
        log.warning("of the child too")
        os._exit(0)
    os.waitpid(child, 0)
    log.info("last")
    logs.gather(None)

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def opened(path: Path) -> Output:
    return Output(path, lambda count: f"{count} lost")


def content(path: Path) -> str:
    return path.read_text()


def renamed(path: Path) -> Path:
    return path.rename(path.with_name("old"))


def in_turns(path: Path, *turns: list[tuple[str, str, str]]) -> None:
    """In each turn log (level, line, what the file holds then); afterwards all of a turn has to be there."""

    async def main() -> None:
        output = opened(path)
        output.gather(asyncio.get_running_loop().call_soon)
        logged = ""
        for turn in turns:
            for level, line, then in turn:
                getattr(output, level)(line)
                logged += f"{line}\n"
                assert content(path) == then
            for _ in range(3):
                await asyncio.sleep(0)
            assert content(path) == logged

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def test_the_first_line_of_a_turn_is_written_at_once_and_the_others_at_its_end(path: Path) -> None:
    in_turns(
        path,
        [("info", "1", "1\n"), ("info", "2", "1\n"), ("debug", "3", "1\n")],
        [("info", "4", "1\n2\n3\n4\n"), ("info", "5", "1\n2\n3\n4\n")],
    )


@pytest.mark.parametrize("level", ["warning", "error", "exception", "critical"])
def test_an_urgent_line_takes_with_it_what_came_before(path: Path, level: str) -> None:
    in_turns(path, [("info", "1", "1\n"), ("info", "2", "1\n"), (level, "3", "1\n2\n3\n")])


def test_not_more_gathers_than_a_pipe_takes_in_one_piece(path: Path) -> None:
    long = "x" * 2000
    in_turns(
        path,
        [
            ("info", "1", "1\n"),
            ("info", long, "1\n"),
            ("info", long, "1\n"),
            ("info", long, f"1\n{long}\n{long}\n"),
        ],
    )


def test_a_pipe_gets_whole_lines_in_each_piece_that_it_takes(path: Path) -> None:
    """In a pipe of packets each is one write, or the part of one that others may part from the rest."""
    read, write = os.pipe2(os.O_DIRECT | os.O_NONBLOCK)

    async def main() -> None:
        output = opened(path)
        os.dup2(write, output.descriptor)
        output.gather(asyncio.get_running_loop().call_soon)
        for number in range(70):
            output.info(f"{number:0150}")
        output.warning("x" * 2000)
        output.gather(None)

    asyncio.run(main())
    pieces = []
    with suppress(BlockingIOError):
        while True:
            pieces.append(os.read(read, 8192))
    assert b"".join(pieces).count(b"\n") == 71
    assert len(pieces) < 10
    for piece in pieces:
        assert piece.endswith(b"\n")
    for descriptor in (read, write):
        os.close(descriptor)


def test_a_thread_writes_at_once(path: Path) -> None:
    async def main() -> None:
        output = opened(path)
        output.gather(asyncio.get_running_loop().call_soon)
        output.info("1")
        output.info("2")
        for level in ("info", "warning"):
            thread = threading.Thread(target=getattr(output, level), args=(level,))
            thread.start()
            thread.join()
        assert content(path) == "1\ninfo\nwarning\n"
        output.gather(None)

    asyncio.run(main())
    assert content(path) == "1\ninfo\nwarning\n2\n"


def test_what_has_gathered_is_written_before_the_loop_is_gone(path: Path) -> None:
    async def main() -> None:
        output = opened(path)
        output.gather(asyncio.get_running_loop().call_soon)
        output.info("1")
        output.info("2")
        assert content(path) == "1\n"
        output.gather(None)
        assert content(path) == "1\n2\n"
        output.info("3")
        output.info("4")

    asyncio.run(main())
    assert content(path) == "1\n2\n3\n4\n"


def test_what_has_gathered_is_in_the_file_that_is_renamed(path: Path) -> None:
    async def main() -> None:
        output = opened(path)
        output.gather(asyncio.get_running_loop().call_soon)
        output.info("1")
        output.info("2")
        old = renamed(path)
        output.reopen()
        output.warning("3")
        assert (content(old), content(path)) == ("1\n2\n", "3\n")
        output.gather(None)

    asyncio.run(main())


def test_lines_that_gathered_and_found_no_room_are_counted(path: Path) -> None:
    async def main() -> None:
        output = opened(path)
        output.gather(asyncio.get_running_loop().call_soon)
        kept, full = os.dup(output.descriptor), os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, output.descriptor)
        for number in range(5):
            output.info(str(number))
        output.gather(None)
        os.dup2(kept, output.descriptor)
        output.info("room")
        os.close(kept)
        os.close(full)

    asyncio.run(main())
    assert content(path) == "5 lost\nroom\n"


def test_a_fork_leaves_to_its_parent_what_has_gathered(path: Path) -> None:
    subprocess.run([sys.executable, "-c", FORKS, str(path)], check=True)
    events = [line.split('"event": "')[1].split('"')[0] for line in content(path).splitlines()]
    assert events == ["first", "of the child", "of the child too", "gathers", "last"]


def test_a_line_that_was_cut_has_no_other_glued_to_it(path: Path) -> None:
    output = opened(path)
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(write, False)
    os.dup2(write, output.descriptor)
    output.info("x" * 6000)
    output.info("no room")
    assert os.read(read, 8192) == b"x" * 4096
    output.info("room")
    output.info("more")
    said = b"\n2 lost\nroom\nmore\n"
    assert os.read(read, 8192) == said
    for descriptor in (read, write):
        os.close(descriptor)


def test_none_waits_while_one_has_waited_in_vain(path: Path) -> None:
    """For so many that each could not have its second."""
    os.mkfifo(path)
    read = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    output = opened(path)
    fcntl.fcntl(read, fcntl.F_SETPIPE_SZ, 4096)
    output.info("x" * 4095)
    end = time.monotonic() + DEADLINE
    lost = int(DEADLINE) + 1
    for _ in range(lost):
        output.info("no room")
    assert time.monotonic() < end
    assert os.read(read, 8192) == b"x" * 4095 + b"\n"
    output.info("room")
    assert os.read(read, 8192) == f"{lost} lost\nroom\n".encode()
    output.info("more")
    assert os.read(read, 8192) == b"more\n", "it is told once"
    os.close(read)
