"""A page of the documentation as a story: its files are written, its commands run, from top to bottom.

What stands in a page is what is tested: a block with a caption is the file of that name, a `console` block is
a terminal, in which lines after a command are what it prints (`…` stands for anything). Port 4100 of the
pages is a free one here.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import trustme

from ioto_server.config import load_config
from ioto_server.daemon.ask import AskError, ask
from tests.support import REPOSITORY
from tests.support.daemon import DEADLINE, Daemon, environment

DOCS = REPOSITORY / "docs"
PAGES = sorted(DOCS.glob("*.md"))

# Languages of blocks that hold nothing that could be run: output, protocols, and the C of the original.
QUIET = {"text", "c", "ini", "shell"}

_OPEN = re.compile(r"^ *(?P<fence>```+)(?:\{(?P<directive>[a-z-]+)\})? *(?P<language>[a-z0-9]+)?")
_PAGE_PORT = "localhost:4100"


@dataclass(frozen=True)
class Block:
    """One block of code, and where it stands."""

    page: Path
    line: int
    language: str
    caption: str | None
    text: str

    @property
    def where(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Every block of a page, in order."""
    lines = iter(enumerate(page.read_text().splitlines(), 1))
    for number, line in lines:
        opening = _OPEN.match(line)
        if opening is None:
            continue
        fence = opening["fence"]
        body: list[str] = []
        caption = None
        for _, inner in lines:
            if inner.strip() == fence:
                break
            if inner.startswith(":caption: ") and not any(body):
                caption = inner.removeprefix(":caption: ").strip()
                continue
            if inner.startswith(":") and not any(body):
                continue
            body.append(inner)
        if opening["directive"] not in (None, "code-block"):
            continue
        text = "\n".join(body).strip("\n") + "\n"
        yield Block(page, number, opening["language"] or "", caption, text)


class Story:
    """A page that is being lived through in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.daemon: Daemon | None = None
        self._port = 0
        self._watches = False
        self.written: list[Path] = []

    def live(self, page: Path) -> None:
        """Do all that a page says."""
        for block in blocks(page):
            try:
                self._live(block)
            except AssertionError as error:
                error.add_note(f"in the block at docs/{block.where}")
                raise
        # At the end all is there that they name.
        for file in self.written:
            if file.name == "web.json5":
                _check_configuration(file)

    def _live(self, block: Block) -> None:
        if block.caption is not None:
            self._write(block)
        elif block.language == "console":
            self._type(block.text)
        elif block.language == "json5":
            self._load(block.text)
        else:
            assert block.language in QUIET, f"{block.where}: nobody runs a block of {block.language!r}"

    def _write(self, block: Block) -> None:
        assert block.caption is not None
        file = self.folder / block.caption
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text)
        self.written.append(file)
        if file.suffix == ".py":
            compile(block.text, str(file), "exec")

    def _load(self, text: str) -> None:
        """A configuration that is only shown has to be one, too."""
        file = self.folder / "shown.json5"
        file.write_text(text)
        (self.folder / "actions").mkdir(exist_ok=True)
        _check_configuration(file)
        file.unlink()

    # ---- the terminal -----------------------------------------------------------------------------------

    def _type(self, text: str) -> None:
        command: str | None = None
        expected: list[str] = []
        for line in [*text.splitlines(), "$ "]:
            if not line.startswith("$ "):
                expected.append(line)
                continue
            if command is not None:
                self._run(command, expected)
            command, expected = line.removeprefix("$ "), []

    def _run(self, command: str, expected: list[str]) -> None:
        words = shlex.split(command)
        if words[0] == "cd":
            self.folder = self.folder / words[1]
        elif words[:2] == ["ioto-server", "start"]:
            self._start(words[2:], expected)
        elif words == ["ioto-server", "stop"]:
            assert self.daemon is not None
            self._run_to_its_end(command, expected)
            assert self.daemon.wait() == 0
            self.daemon = None
        else:
            self._run_to_its_end(command, expected)
            if self._watches:
                # A reader is slower than a test: by the next command, what was saved has been taken up. In
                # whichever order, both take their turn.
                with contextlib.suppress(AskError):
                    ask(self.folder / "run" / "control.sock", "reload")

    def _start(self, arguments: list[str], expected: list[str]) -> None:
        self.stop()
        self._watches = "--watch" in arguments
        self.daemon = Daemon(
            self.folder / "web.json5",
            arguments=[*arguments, "--set", 'listen=["http://127.0.0.1:0"]'],
        )
        self.daemon.log("ready")
        self._port = self.daemon.port
        # Its log is JSON here and text at a terminal: the words are the same.
        logged = self._as_in_the_page(self.daemon.output).splitlines()
        for line in expected:
            words = line.replace("…", " ").split()
            assert any(all(word in one for word in words) for one in logged), f"{line!r} is not logged"

    def stop(self) -> None:
        """End the daemon that the page has started; that must go in order."""
        if self.daemon is not None:
            daemon, self.daemon = self.daemon, None
            daemon.close()

    def _run_to_its_end(self, command: str, expected: list[str]) -> None:
        if self.daemon is not None:
            command = command.replace(_PAGE_PORT, f"127.0.0.1:{self._port}")
        run = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.folder,
            env=environment({"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=4 * DEADLINE,
            check=False,
        )
        printed = self._as_in_the_page(run.stdout).splitlines()
        if not expected:
            assert run.returncode == 0, f"$ {command}\n{run.stdout}"
            return
        assert _matches(expected, printed), "\n".join(
            [f"$ {command}", "printed:", *printed, "the page says:", *expected]
        )

    def _as_in_the_page(self, text: str) -> str:
        return text.replace(f"127.0.0.1:{self._port}", _PAGE_PORT) if self._port else text


def _check_configuration(file: Path) -> None:
    """Load a configuration; the certificate that it names is there, as it would be at its reader's."""
    if "tls/chain.pem" in file.read_text():
        folder = file.parent / "tls"
        folder.mkdir(exist_ok=True)
        issued = trustme.CA().issue_cert("live.example.com")
        for blob in issued.cert_chain_pems:
            blob.write_to_path(folder / "chain.pem", append=True)
        (folder / "key.pem").touch(mode=0o600)
        issued.private_key_pem.write_to_path(folder / "key.pem")
    assert [str(warning) for warning in load_config(file, environ={}).warnings] == []


def _matches(expected: list[str], printed: list[str]) -> bool:
    """Whether the lines are those of the page; a line that is only `…` stands for any number of lines."""
    pattern = ""
    for line in expected:
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in line.rstrip().split("…")) + r" *\n"
    text = "".join(f"{line}\n" for line in printed)
    return re.fullmatch(pattern, text) is not None
