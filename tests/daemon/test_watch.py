"""`start --watch`: what is saved is live, what is broken changes nothing and is named (SPEC 7)."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ioto_server.daemon.ask import ask as ask_daemon
from tests.conftest import StartDaemon
from tests.support.daemon import DEADLINE, Daemon

from .test_reload import ANSWER, ask, connect, rewrite


@pytest.fixture
def watched(start_daemon: StartDaemon) -> Daemon:
    daemon = start_daemon({}, {"answer.py": ANSWER.format(answer="first")}, arguments=["--watch"])
    watches(daemon)
    return daemon


def watches(daemon: Daemon) -> None:
    """Wait until changes are followed."""
    for what in (daemon.folder / "actions", daemon.folder):
        daemon.log("watching", what=[str(what)])


def plugin(daemon: Daemon) -> Path:
    return daemon.folder / "actions" / "answer.py"


def answers(daemon: Daemon) -> bytes:
    with connect(daemon) as client:
        return ask(client)


def test_a_saved_file_is_live_and_open_connections_keep_their_code(watched: Daemon) -> None:
    with connect(watched) as old:
        plugin(watched).write_text(ANSWER.format(answer="second"))
        watched.log("reloaded", changed=["answer.py: loaded anew"])
        assert (ask(old), answers(watched)) == (b"first", b"second")


def test_a_broken_file_is_named_and_the_old_code_goes_on(watched: Daemon) -> None:
    plugin(watched).write_text("from ioto_server import action\ndef broken(:\n")
    assert "answer.py:2: SyntaxError" in watched.log("reload refused")["why"]
    assert answers(watched) == b"first"
    plugin(watched).write_text(ANSWER.format(answer="mended"))
    watched.log("reloaded")
    assert answers(watched) == b"mended"
    # The author's own lines, as at the start.
    assert "def broken(:\n" in watched.output
    assert "SyntaxError: invalid syntax\nNothing was changed. The old code goes on.\n" in watched.output


def test_editors_that_write_aside_and_rename(watched: Daemon) -> None:
    """As vim, emacs and others: files beside it, a backup, a lock, and the new one renamed over the old."""
    folder = plugin(watched).parent
    (folder / ".answer.py.swp").write_bytes(b"b0VIM")
    (folder / "4913").touch()
    (folder / "4913").unlink()
    (folder / ".#answer.py").symlink_to("me@here.1")
    shutil.copy(plugin(watched), folder / "answer.py~")
    (folder / "#answer.py#").write_text("def broken(:\n")
    (folder / "answer.py.tmp").write_text(ANSWER.format(answer="renamed"))
    os.replace(folder / "answer.py.tmp", plugin(watched))
    watched.log("reloaded", changed=["answer.py: loaded anew"])
    assert answers(watched) == b"renamed"
    assert not [line for line in watched.events if line["event"] == "reload refused"]


def test_plugins_helpers_and_folders_come_and_go(watched: Daemon) -> None:
    actions = plugin(watched).parent
    helped = "from ._words import WORDS\n" + ANSWER.format(answer="").replace("''", "WORDS")
    aside = watched.folder / "aside"
    aside.mkdir()
    (aside / "_words.py").write_text("WORDS = 'one'\n")
    (aside / "helped.py").write_text(helped.replace("/ws/answer", "/ws/helped"))
    aside.rename(actions / "more")
    watched.log("reloaded", changed=["more/helped.py: added"])
    (actions / "more" / "_words.py").write_text("WORDS = 'two'\n")
    watched.log("reloaded", changed=["more/helped.py: loaded anew"])
    with connect(watched, "/ws/helped") as client:
        assert ask(client) == b"two"
    shutil.rmtree(actions / "more")
    watched.log("reloaded", changed=["more/helped.py: removed"])


def test_the_configuration_is_followed_and_so_are_folders_that_it_names(watched: Daemon) -> None:
    rewrite(watched, limits={"maxMessage": "12 bananas"})
    assert "is not a size" in watched.log("reload refused")["why"]
    other = watched.folder / "other"
    other.mkdir()
    (other / "answer.py").write_text(ANSWER.format(answer="other"))
    rewrite(watched, limits={}, actions="other")
    watched.log("reloaded")
    watched.log("watching", what=[str(other)])
    (other / "answer.py").write_text(ANSWER.format(answer="changed"))
    watched.log("reloaded", changed=["answer.py: loaded anew"])
    assert answers(watched) == b"changed"


def test_a_file_that_is_emptied_before_it_is_written(watched: Daemon) -> None:
    with plugin(watched).open("w") as file:
        os.fsync(file.fileno())
        watched.log("not reloaded")
        # What would be an empty plugin is not taken for one: nobody is told that there is no action.
        assert answers(watched) == b"first"
        file.write(ANSWER.format(answer="written"))
    watched.log("reloaded", changed=["answer.py: loaded anew"])
    assert answers(watched) == b"written"


def test_what_is_saved_without_a_change_is_not_spoken_of(watched: Daemon) -> None:
    plugin(watched).touch()
    plugin(watched).write_text(plugin(watched).read_text())
    (plugin(watched).parent / "notes.txt").write_text("no plugin")
    plugin(watched).write_text(ANSWER.format(answer="then"))
    watched.log("reloaded", changed=["answer.py: loaded anew"])
    assert len([line for line in watched.events if line["event"].startswith("reload")]) == 1


def test_a_folder_that_is_not_there_is_said(start_daemon: StartDaemon) -> None:
    daemon = start_daemon({"actions": ["nowhere"]}, None, arguments=["--watch"])
    assert daemon.log("not watched")["folder"].endswith("nowhere")
    assert daemon.stop() == 0


def test_every_worker_follows_and_one_that_is_replaced_too(start_daemon: StartDaemon) -> None:
    actions = {"answer.py": ANSWER.format(answer="first")}
    daemon = start_daemon({"workers": 2}, actions, arguments=["--watch"])
    watches(daemon)

    def both() -> set[bytes]:
        # The kernel shares connections out as it likes: of so many, each worker has got some.
        return {answers(daemon) for _ in range(20)}

    control = daemon.folder / "run" / "control.sock"

    def until(condition: Callable[[dict[str, Any]], bool]) -> None:
        end = time.monotonic() + DEADLINE
        while not condition(ask_daemon(control, "status")):
            assert time.monotonic() < end
            time.sleep(0.05)

    assert both() == {b"first"}
    plugin(daemon).write_text(ANSWER.format(answer="second"))
    until(lambda status: status["reloads"] == 1)
    assert both() == {b"second"}
    plugin(daemon).write_text("def broken(:\n")
    daemon.log("reload refused")
    assert both() == {b"second"}
    plugin(daemon).write_text(ANSWER.format(answer="third"))
    until(lambda status: status["reloads"] == 2)
    for worker in ask_daemon(control, "status")["workers"]:
        os.kill(worker["pid"], signal.SIGKILL)
        daemon.log("worker died", worker=worker["worker"])
    until(lambda status: {one["state"] for one in status["workers"]} == {"serving"})
    plugin(daemon).write_text(ANSWER.format(answer="fourth"))
    until(lambda status: status["reloads"] == 3)
    assert both() == {b"fourth"}
