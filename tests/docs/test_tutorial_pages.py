"""The pages of the tutorials, in a browser: what they show when the actions beside them serve them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.docs.story import DOCS, blocks
from tests.support.daemon import Daemon

PATIENCE = 20_000

Serve = Callable[[str], Daemon]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """A function that serves the files of a tutorial."""
    running: list[Daemon] = []

    def start(name: str) -> Daemon:
        for block in blocks(DOCS / f"{name}.md"):
            if block.caption is not None:
                file = tmp_path / block.caption
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(block.text)
        daemon = Daemon(tmp_path / "web.json5", arguments=["--set", 'listen=["http://127.0.0.1:0"]'])
        running.append(daemon)
        daemon.log("ready")
        return daemon

    yield start
    for daemon in running:
        daemon.close()


def open_page(browser: Browser, url: str) -> Page:
    page = browser.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"the page's script failed: {error}"))
    page.goto(url)
    return page


def test_two_people_chat(browser: Browser, serve: Serve) -> None:
    daemon = serve("tutorial-chat")
    ada = open_page(browser, f"{daemon.url}/?name=Ada")
    expect(ada.locator("#said")).to_contain_text("Ada is here", timeout=PATIENCE)
    bob = open_page(browser, f"{daemon.url}/?name=Bob")
    expect(ada.locator("#said")).to_contain_text("Bob is here, as 2 in all", timeout=PATIENCE)
    bob.locator("#text").fill("<b>Hello</b> Ada")
    bob.locator("#text").press("Enter")
    for page in (ada, bob):
        expect(page.locator("#said")).to_contain_text("Bob: <b>Hello</b> Ada", timeout=PATIENCE)
    bob.close()
    expect(ada.locator("#said")).to_contain_text("Bob has left", timeout=PATIENCE)


def test_the_chart_is_drawn(browser: Browser, serve: Serve) -> None:
    daemon = serve("tutorial-chart")
    page = open_page(browser, daemon.url)
    expect(page.locator("#now")).to_have_text(re.compile(r"^[0-9.]+$"), timeout=PATIENCE)
    page.wait_for_function("readings.length >= 3", timeout=PATIENCE)
    drawn = "pen.getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0)"
    assert page.evaluate(drawn)


def test_a_file_is_uploaded(browser: Browser, serve: Serve, tmp_path: Path) -> None:
    daemon = serve("tutorial-upload")
    page = open_page(browser, daemon.url)
    content = os.urandom(64 * 1024 * 20 + 1)
    page.locator("#file").set_input_files({"name": "a.bin", "mimeType": "", "buffer": content})
    expect(page.locator("#said")).to_have_text("a.bin is there", timeout=PATIENCE)
    assert (tmp_path / "uploads" / "a.bin").read_bytes() == content
    assert page.locator("#progress").evaluate("(bar) => [bar.value, bar.max]") == [len(content)] * 2


def test_a_refused_file_is_said(browser: Browser, serve: Serve) -> None:
    daemon = serve("tutorial-upload")
    page = open_page(browser, daemon.url)
    page.locator("#file").set_input_files({"name": ".hidden", "mimeType": "", "buffer": b"x"})
    expect(page.locator("#said")).to_have_text(
        "failed: 4400 The name must be a plain file name", timeout=PATIENCE
    )
