"""Chromium and files: seeking in a long recording asks for ranges, a reload costs 304s and no content."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.conftest import StartDaemon
from tests.support.daemon import Daemon

PAGE = """\
<!doctype html><title>Recording</title><link rel="stylesheet" href="page.css">
<video src="recording.wav" preload="metadata" controls></video>
"""
SECONDS = 600


@pytest.fixture
def served(start_daemon: StartDaemon, tmp_path: Path) -> Daemon:
    """The daemon with a page that plays ten minutes: more than a browser fetches ahead."""
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "index.html").write_text(PAGE)
    (documents / "page.css").write_text("video { width: 100% }\n")
    with wave.open(str(documents / "recording.wav"), "wb") as recording:
        recording.setparams((1, 2, 44_100, 0, "NONE", "not compressed"))
        recording.writeframes(bytes(2 * 44_100 * SECONDS))
    return start_daemon({"documents": str(documents)})


@pytest.fixture
def page(browser: Browser) -> Any:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_seeking_fetches_a_range(served: Daemon, page: Page) -> None:
    page.goto(served.url)
    page.wait_for_function("document.querySelector('video').readyState >= 1")
    seconds = page.evaluate("document.querySelector('video').duration")
    assert round(seconds) == SECONDS
    with page.expect_response(lambda one: one.url.endswith(".wav") and is_late(one.request)) as answer:
        page.evaluate("document.querySelector('video').currentTime = 580")
    assert answer.value.status == 206
    begin, _, size = (
        answer.value.headers["content-range"].removeprefix("bytes ").replace("/", "-").partition("-")
    )
    assert int(begin) > 2 * 44_100 * 500
    assert size.endswith(str(2 * 44_100 * SECONDS + 44))
    page.wait_for_function("!document.querySelector('video').seeking")


def is_late(request: Any) -> bool:
    """Whether a request asks for what lies far behind the beginning."""
    asked = request.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")[0]
    return int(asked) > 2 * 44_100 * 500


def test_a_reload_is_answered_304(served: Daemon, page: Page) -> None:
    """Asked of the devtools protocol: to the page itself a revalidated answer looks like a 200."""
    page.goto(served.url)
    devtools = page.context.new_cdp_session(page)
    statuses: list[int] = []
    devtools.on("Network.responseReceivedExtraInfo", lambda event: statuses.append(event["statusCode"]))
    devtools.send("Network.enable")
    page.reload()
    page.wait_for_function("document.querySelector('video').readyState >= 1")
    assert statuses.count(304) >= 2, f"the page and its style sheet: {statuses}"
    assert 200 not in statuses
