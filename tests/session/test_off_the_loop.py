"""Work in threads: whoever is cancelled meanwhile leaves nothing behind."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ioto_server.config import Config
from ioto_server.http import forms
from ioto_server.session import off_the_loop
from ioto_server.session.bodies import read_form


async def cancelled(task: asyncio.Task[Any]) -> bool:
    with pytest.raises(asyncio.CancelledError):
        await task
    return True


def test_what_a_cancelled_task_was_to_get_is_undone_when_it_is_there() -> None:
    async def scenario() -> None:
        begun, may_end = threading.Event(), threading.Event()
        undone: list[str] = []

        def work() -> str:
            begun.set()
            assert may_end.wait(30)
            return "opened"

        task = asyncio.create_task(off_the_loop(work, undone.append))
        await asyncio.to_thread(begun.wait, 30)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not task.done(), "its work is not done"
        may_end.set()
        assert await cancelled(task)
        assert undone == ["opened"]

    asyncio.run(scenario())


def test_what_the_work_of_a_cancelled_task_raises_is_lost() -> None:
    async def scenario() -> None:
        begun, may_end = threading.Event(), threading.Event()

        def work() -> str:
            begun.set()
            assert may_end.wait(30)
            raise OSError

        task = asyncio.create_task(off_the_loop(work, lambda _: pytest.fail("there is nothing to undo")))
        await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        await asyncio.sleep(0)
        may_end.set()
        assert await cancelled(task)

    asyncio.run(scenario())


def test_a_form_that_is_given_up_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that stores its file is in the midst of it when the action's time is up."""

    async def scenario() -> None:
        begun, may_end = threading.Event(), threading.Event()
        feed = forms.MultipartReader.feed

        def slow_feed(reader: forms.MultipartReader, data: bytes) -> None:
            begun.set()
            assert may_end.wait(30)
            feed(reader, data)

        monkeypatch.setattr(forms.MultipartReader, "feed", slow_feed)
        pieces = [b'--x\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\ncontent', b""]

        async def read() -> bytes:
            return pieces.pop(0)

        request: Any = SimpleNamespace(headers={"content-type": "multipart/form-data; boundary=x"})
        exchange: Any = SimpleNamespace(read=read)
        config = Config.read({"upload": {"dir": str(tmp_path)}})
        task = asyncio.create_task(read_form(request, exchange, config))
        await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        await asyncio.sleep(0)
        may_end.set()
        assert await cancelled(task)

    asyncio.run(scenario())
    assert list(tmp_path.iterdir()) == []
