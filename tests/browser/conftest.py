"""The packaged site served to it under a strict Content-Security-Policy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.site import STRICT_POLICY, OpenSite, Site, Watch
from tests.support import REPOSITORY
from tests.support.daemon import Daemon, copy_shipped

# A limit for a busy machine, never a measure.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """The daemon as it ships, made to send the strictest Content-Security-Policy the site must work under."""
    headers = {"Content-Security-Policy": STRICT_POLICY}
    running = Daemon(copy_shipped(tmp_path_factory.mktemp("site"), {"headers": headers}))
    try:
        running.log("listening")
        yield running
    finally:
        running.close()


@pytest.fixture
def open_site(browser: Browser) -> Iterator[OpenSite]:
    """A function that opens the site of a daemon as a new person: `open_site(url, fragment="", **context)`.

    `context` is what Playwright's new_context takes: viewport, color_scheme. At the end of the test no page
    may have broken the policy, asked another server, or complained on the console
    (`watch.complaints_expected` allows the last, where the test itself breaks the connection).
    """
    watches: list[Watch] = []
    contexts = []

    def open_one(url: str, fragment: str = "", **options: Any) -> Site:
        context = browser.new_context(**{"reduced_motion": "reduce", **options})
        contexts.append(context)
        watch = Watch(url)
        watches.append(watch)
        watch.follow(context)
        page = context.new_page()
        page.goto(f"{url}/{fragment}")
        expect(page.locator("#host")).not_to_be_empty()  # the scripts have run
        return Site(page, watch)

    yield open_one
    for context in contexts:
        context.close()
    for watch in watches:
        watch.check()


@pytest.fixture(scope="session")
def artefacts() -> Path:
    folder = REPOSITORY / "artefacts" / "browser"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
