"""The console section: any action opened, used and closed from the page."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.site import OpenSite
from tests.conftest import StartDaemon
from tests.support.daemon import Daemon

# Closes as it is told to: "1011 reason".
CLOSER = """
from ioto_server import Web, action

@action("/ws/closer")
async def closer(web: Web) -> None:
    async for message in web.websocket:
        code, _, reason = message.partition(" ")
        web.websocket.send_close(int(code), reason)
"""

FLOOD = """
from ioto_server import Web, action

@action("/ws/flood")
async def flood(web: Web) -> None:
    for number in range(700):
        await web.websocket.send(f"message {number}")
    async for _ in web.websocket:
        pass
"""


def test_echo_of_text(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    site.connect()
    site.send("Grüße, 世界 👋")
    expect(site.received).to_have_text(["Grüße, 世界 👋"])
    row = site.page.locator("#log .row.in")
    expect(row.locator("time")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d\.\d{3}$"))
    expect(row.locator(".kind")).to_have_text("text")
    expect(row.locator(".size")).to_have_text("20 B")  # UTF-8 bytes, not characters
    expect(site.page.locator("#sent")).to_have_text("1 · 20 B")
    expect(site.page.locator("#received")).to_have_text("1 · 20 B")


def test_echo_of_binary_typed_as_hex(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    site.connect()
    site.mode("Hex")
    site.send("00 ff, 0x48:65 6C6c 6f")
    expect(site.received).to_have_text(re.compile(r"0000 {2}00 ff 48 65 6c 6c 6f +··Hello"))
    expect(site.page.locator("#log .row.in .kind")).to_have_text("binary")
    site.send("abc")
    expect(site.page.locator("#composer-note")).to_contain_text("one is missing")
    site.send("0g")
    expect(site.page.locator("#composer-note")).to_contain_text("“g” is not a hex digit")
    expect(site.page.locator("#sent")).to_have_text("1 · 7 B")


def test_echo_of_a_file(daemon: Daemon, open_site: OpenSite, tmp_path: Path) -> None:
    # Over maxFrame, so that it comes back in several frames as one message.
    file = tmp_path / "picture.bin"
    file.write_bytes(bytes(range(256)) * 1200)
    site = open_site(daemon.url)
    site.connect()
    site.mode("File")
    site.page.locator("#file").set_input_files(file)
    expect(site.page.locator("#file-name")).to_have_text("picture.bin")
    site.press("Send")
    expect(site.page.locator("#received")).to_have_text("1 · 300.0 KB")
    site.page.locator("#log .row.in").get_by_role("button", name="Show all").click()
    expect(site.page.locator("#log .row.in .body")).to_contain_text("The first 64.0 KB are kept here.")


def test_the_page_example(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    site.choose("Example")
    expect(site.page.get_by_label("URL path")).to_have_value("/test/websockets")
    site.connect()
    expect(site.received).to_have_text(["WebSocket connected"])
    site.send("anything")
    expect(site.received).to_have_text(["WebSocket connected", "Response message"])


def test_chat_opened_as_an_action(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    site.choose("Chat")
    expect(site.page.get_by_label("Sub-protocol")).to_have_value("chat")
    site.connect()
    expect(site.page.locator("#chosen-protocol")).to_have_text("chat")
    expect(site.received.first).to_contain_text('"presence"')
    site.send("not JSON")
    expect(site.received.last).to_contain_text('"error"')


def test_feed_opened_as_an_action_with_pretty_json(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    site.choose("Live feed")
    site.connect()
    expect(site.received.first).to_contain_text('"cpu"')
    site.page.get_by_label("Pretty JSON").check()
    expect(site.received.first).to_have_text(re.compile(r'^\{\n {2}"\w+": '))
    site.page.get_by_role("button", name="Pretty-print this JSON").first.click()
    expect(site.received.first).not_to_have_text(re.compile("\n"))


def test_switching_closes_the_first_connection(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    site.connect()
    site.choose("Example")
    site.press("Switch")
    expect(site.received).to_have_text(["WebSocket connected"])
    expect(site.page.locator("#log")).to_contain_text("Closed: 1000 normal closure, asked for here, clean")


def test_close_with_a_chosen_code_and_reason(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    site.connect()
    site.page.get_by_label("Code").fill("4321")
    expect(site.page.locator("#close-help")).to_contain_text("private code")
    site.page.get_by_label("Reason").fill("enough for today")
    site.press("Close")
    expect(site.state).to_have_text("Closed: 4321 private code")
    expect(site.rows.last).to_contain_text("“enough for today”, asked for here, clean")


def test_close_refuses_what_a_browser_may_not_send(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    site.connect()
    for code in ("1001", "2999", "5000", "no"):
        site.page.get_by_label("Code").fill(code)
        site.press("Close")
        expect(site.page.locator("#close-help")).to_have_text("Browsers may send only 1000 and 3000 to 4999.")
    site.page.get_by_label("Code").fill("1000")
    site.page.get_by_label("Reason").fill("ü" * 62)
    site.press("Close")
    expect(site.page.locator("#close-help")).to_have_text(
        "The reason has 124 bytes; a Close frame holds 123."
    )
    expect(site.state).to_have_text("Open")


CODES_ON_THE_WIRE = {
    1000: "normal closure",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1007: "invalid payload data",
    1008: "policy violation",
    1009: "message too big",
    1010: "mandatory extension",
    1011: "internal error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
    3000: "unauthorized",
    3999: "library or framework code",
    4999: "private code",
}


def test_close_codes_in_words(start_daemon: StartDaemon, open_site: OpenSite) -> None:
    daemon = start_daemon(actions={"closer.py": CLOSER})
    site = open_site(daemon.url)
    site.aim("/ws/closer")
    for code, words in CODES_ON_THE_WIRE.items():
        site.connect()
        site.send(f"{code} because of {code}")
        expect(site.state).to_have_text(f"Closed: {code} {words}")
        expect(site.rows.last).to_contain_text(f"{code} {words}, “because of {code}”, by the server, clean")


def test_every_registered_code_is_explained(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    site.page.get_by_text("What every code means").click()
    for code in range(1000, 1016):
        entry = site.page.locator("#codes > div").filter(has=site.page.get_by_text(str(code), exact=True))
        expect(entry.locator("dt")).to_have_text(re.compile(rf"^{code} \w+"))
        expect(entry.locator("dd")).to_have_text(re.compile(r"^[A-Z].{15,}\.$"))


def test_round_trip(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    site.press("Measure round trip")
    expect(site.page.locator("#trip-result")).to_have_text(
        re.compile(r"^\d+\.\d+ ms median, \d+\.\d+ to \d+\.\d+ ms$")
    )
    expect(site.page.locator("#panel-console")).to_contain_text("browsers answer the server's by themselves")
    expect(site.state).to_have_text("Not connected")


def test_log_is_bounded(start_daemon: StartDaemon, open_site: OpenSite) -> None:
    daemon = start_daemon(actions={"flood.py": FLOOD})
    site = open_site(daemon.url)
    site.choose("Your own")
    site.aim("/ws/flood")
    site.connect()
    expect(site.received.last).to_have_text("message 699")
    expect(site.rows).to_have_count(500)
    # 700 messages and the two notes of connecting and opening.
    expect(site.page.locator("#log-count")).to_have_text("500 rows, 202 older ones dropped")
    expect(site.rows.last).to_be_in_viewport()
    site.press("Clear")
    expect(site.rows).to_have_count(0)
    expect(site.page.get_by_text("Nothing on the wire yet")).to_be_visible()


def test_reading_back_is_not_disturbed(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    site.connect()
    for number in range(30):
        site.send(f"line {number}")
    expect(site.received).to_have_count(30)
    site.page.locator("#log").hover()
    site.page.mouse.wheel(0, -5000)
    expect(site.rows.first).to_be_in_viewport()
    site.send("one more")
    expect(site.page.get_by_role("button", name="2 new rows")).to_be_visible()
    expect(site.rows.first).to_be_in_viewport()
    site.page.get_by_role("button", name="2 new rows").click()
    expect(site.rows.last).to_be_in_viewport()


@pytest.mark.parametrize(
    ("path", "protocol", "problem"),
    [
        ("ws/echo", "", "begins with one /"),
        ("//elsewhere.example/ws/echo", "", "begins with one /"),
        ("/ws/echo", "two words", "no sub-protocol name"),
        ("/ws/echo", "chat, chat", "only once"),
    ],
)
def test_impossible_target(
    daemon: Daemon, open_site: OpenSite, path: str, protocol: str, problem: str
) -> None:
    site = open_site(daemon.url)
    site.aim(path, protocol)
    site.press("Connect")
    expect(site.page.get_by_role("alert").filter(has_text=problem)).to_be_visible()
    expect(site.state).to_have_text("Not connected")


@pytest.mark.parametrize(
    ("path", "protocol", "explanation"),
    [
        ("/ws/nothing-here", "", "Nothing is bound to /ws/nothing-here (404)"),
        ("/ws/chat", "soap", "check the sub-protocol “soap”"),
        ("/index.html", "", "/index.html answers plain HTTP (200)"),
    ],
)
def test_refused_handshake(
    daemon: Daemon, open_site: OpenSite, path: str, protocol: str, explanation: str
) -> None:
    site = open_site(daemon.url)
    site.watch.complaints_expected = True  # Chromium reports every failed handshake itself
    site.aim(path, protocol)
    site.press("Connect")
    expect(site.state).to_have_text("Refused")
    expect(site.banner).to_contain_text(explanation)


def test_server_stopped_and_back(start_daemon: StartDaemon, open_site: OpenSite) -> None:
    daemon = start_daemon()
    site = open_site(daemon.url)
    site.watch.complaints_expected = True
    site.connect()
    port = daemon.port
    assert daemon.stop() == 0
    expect(site.state).to_have_text("Closed: 1001 going away")
    site.press("Reconnect")
    expect(site.banner).to_contain_text("The server does not answer")
    # No try of the page's own may come first: the button would be gone before it is pressed.
    site.page.evaluate("() => { window.setTimeout = () => 0; }")
    site.press("Keep trying")
    expect(site.banner).to_contain_text(re.compile(r"Try \d+ in \d+ s"))
    start_daemon({"listen": [f"http://127.0.0.1:{port}"]})
    site.press("Try now")
    expect(site.state).to_have_text("Open")
    expect(site.banner).to_be_hidden()
    site.send("back again")
    expect(site.received).to_have_text(["back again"])


def test_server_killed(start_daemon: StartDaemon, open_site: OpenSite) -> None:
    daemon = start_daemon()
    site = open_site(daemon.url)
    site.watch.complaints_expected = True
    site.connect()
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    expect(site.state).to_have_text("Closed: 1006 abnormal closure")
    expect(site.banner).to_contain_text("The server is gone")
    expect(site.rows.last).to_contain_text("not clean")
