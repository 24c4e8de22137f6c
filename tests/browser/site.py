"""The packaged site in a browser, as a person uses it: what the tests of this folder share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, expect

STRICT_POLICY = "default-src 'self'"
"""The Content-Security-Policy the site is served under, besides the one it brings itself."""


@dataclass
class Watch:
    """What a browser context did that it should not have done."""

    origin: str
    complaints: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    complaints_expected: bool = False

    def follow(self, context: BrowserContext) -> None:
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", self._request)
        context.on("page", lambda page: page.on("websocket", lambda socket: self._address(socket.url)))
        context.expose_binding("__violation", lambda _source, text: self.violations.append(text))
        context.add_init_script(
            "addEventListener('securitypolicyviolation',"
            " (event) => __violation(`${event.violatedDirective} ${event.blockedURI}`))"
        )

    def check(self) -> None:
        assert self.violations == [], "the page broke its Content-Security-Policy"
        assert self.foreign == [], "the page asked somebody else than its own server"
        if not self.complaints_expected:
            assert self.complaints == [], "the page complained on the console"

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _request(self, request: Request) -> None:
        self._address(request.url)

    def _address(self, url: str) -> None:
        parts = urlsplit(url)
        # data: and blob: URLs never leave the browser.
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(self.origin).netloc:
            self.foreign.append(url)


class Site:
    """One open page of the packaged site."""

    def __init__(self, page: Page, watch: Watch) -> None:
        self.page = page
        self.watch = watch

    # Console

    @property
    def state(self) -> Locator:
        return self.page.locator("#state")

    @property
    def rows(self) -> Locator:
        return self.page.locator("#log .row")

    @property
    def received(self) -> Locator:
        return self.page.locator("#log .row.in .body")

    @property
    def banner(self) -> Locator:
        return self.page.locator("#console-banner")

    def choose(self, action: str) -> None:
        """Pick an action by the name on its card."""
        self.page.locator(".choices label", has=self.page.get_by_text(action, exact=True)).click()

    def aim(self, path: str, protocol: str = "") -> None:
        """Fill in a URL path and a sub-protocol by hand."""
        self.page.get_by_label("URL path").fill(path)
        self.page.get_by_label("Sub-protocol").fill(protocol)

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def connect(self) -> None:
        """Press Connect and wait until the connection is open."""
        self.press("Connect")
        expect(self.state).to_have_text("Open")

    def send(self, text: str) -> None:
        self.page.get_by_label("Message", exact=True).fill(text)
        self.press("Send")

    def mode(self, name: str) -> None:
        """Send as Text, Hex or File."""
        self.page.get_by_role("radio", name=name, exact=True).check()

    # Sections

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def join(self, nickname: str, room: str = "lobby") -> None:
        """Join a chat room and wait until the server has let us in."""
        self.tab("Chat")
        self.page.get_by_label("Nickname").fill(nickname)
        self.page.get_by_label("Room", exact=True).fill(room)
        self.press("Join")
        expect(self.page.locator("#chat-state")).to_have_text("Joined")

    def say(self, text: str) -> None:
        box = self.page.get_by_label("Message to the room")
        box.fill(text)
        box.press("Enter")


OpenSite = Callable[..., Site]
