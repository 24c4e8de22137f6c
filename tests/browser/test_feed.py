"""The live feed section: readings once a second as numbers and charts."""

from __future__ import annotations

import re
import signal

from playwright.sync_api import Locator, Page, expect

from tests.browser.site import OpenSite
from tests.conftest import StartDaemon
from tests.support.daemon import Daemon


def line(page: Page, chart: str, series: int) -> Locator:
    return page.locator(f"#{chart} path.line.series-{series}")


def test_charts_draw_and_move(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    site.tab("Live feed")
    expect(site.page.locator("#feed-state")).to_have_text("Live")
    # Two readings make a line.
    expect(line(site.page, "chart-use", 1)).to_have_attribute("d", re.compile(r"^M[\d.]+ [\d.]+L"))
    series = [("chart-use", 1), ("chart-use", 2), ("chart-load", 1), ("chart-load", 2), ("chart-load", 3)]
    drawn = {each: line(site.page, *each).get_attribute("d") for each in series}
    for each, before in drawn.items():
        assert before
        expect(line(site.page, *each)).not_to_have_attribute("d", before)


def test_numbers_axes_and_legend(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url, "#feed")
    page = site.page
    expect(page.locator("#now-cpu")).to_have_text(re.compile(r"^\d{1,3}\.\d$"))
    expect(page.locator("#now-memory")).to_have_text(re.compile(r"^\d{1,2}\.\d$"))
    expect(page.locator("#now-load")).to_have_text(re.compile(r"^\d+\.\d\d$"))
    expect(page.locator("#now-connections")).to_have_text(re.compile(r"^[1-9]\d*$"))
    expect(page.locator("#chart-use .axis text[text-anchor=end]")).to_have_text(
        ["0", "25", "50", "75", "100"]
    )
    expect(page.locator("#chart-use .axis text[text-anchor=middle]").first).to_have_text(
        re.compile(r"^\d\d:\d\d:\d\d$")
    )
    expect(page.locator("#chart-use .legend li")).to_have_text(
        [re.compile(r"^Processor\d+\.\d %$"), re.compile(r"^Memory\d+\.\d %$")]
    )
    expect(page.locator("#chart-load .legend li")).to_have_text(
        [re.compile(r"^1 min\d"), re.compile(r"^5 min\d"), re.compile(r"^15 min\d")]
    )
    page.get_by_text("The last readings as a table").click()
    expect(page.locator("#readings tr").nth(1)).to_be_visible()


def test_single_values_by_pointer_and_keyboard(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url, "#feed")
    expect(line(site.page, "chart-use", 1)).to_have_attribute("d", re.compile("L"))
    chart = site.page.locator("#chart-use svg")
    chart.hover()
    tip = site.page.locator("#chart-use .tip")
    expect(tip).to_have_text(re.compile(r"^\d\d:\d\d:\d\dProcessor \d+\.\d %Memory \d+\.\d %$"))
    site.page.mouse.move(0, 0)
    expect(tip).to_be_hidden()
    chart.focus()
    chart.press("ArrowLeft")
    expect(tip).to_be_visible()
    expect(site.page.locator("#announcer")).to_have_text(re.compile(r"Processor \d+\.\d %"))
    chart.press("Escape")
    expect(tip).to_be_hidden()


def test_pause_holds_the_picture(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url, "#feed")
    drawn = line(site.page, "chart-use", 1)
    expect(drawn).to_have_attribute("d", re.compile("L"))
    site.press("Pause")
    held = drawn.get_attribute("d")
    assert held
    readings = re.compile(r'"cpu"')
    with site.page.expect_event("console", lambda message: bool(readings.search(message.text))):
        # A second listener on the same feed tells when a reading has gone by.
        site.page.evaluate(
            """() => {
              const feed = new WebSocket(location.origin.replace('http', 'ws') + '/ws/feed');
              let heard = 0;
              feed.onmessage = ({data}) => {
                if (++heard < 3) return;
                console.log(data);
                feed.close();
              };
            }"""
        )
    expect(drawn).to_have_attribute("d", held)
    site.press("Resume")
    expect(drawn).not_to_have_attribute("d", held)


def test_disconnect_and_connect(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url, "#feed")
    expect(site.page.locator("#feed-state")).to_have_text("Live")
    site.press("Disconnect")
    expect(site.page.locator("#feed-state")).to_have_text("Closed: 1000 normal closure")
    site.press("Connect")
    expect(site.page.locator("#feed-state")).to_have_text("Live")


def test_says_that_the_server_is_gone_and_comes_back(start_daemon: StartDaemon, open_site: OpenSite) -> None:
    daemon = start_daemon()
    site = open_site(daemon.url, "#feed")
    site.watch.complaints_expected = True
    expect(site.page.locator("#feed-state")).to_have_text("Live")
    port = daemon.port
    place = site.page.locator("#chart-use").bounding_box()
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    banner = site.page.locator("#feed-banner")
    expect(banner).to_contain_text("The server is gone")
    expect(banner).to_be_in_viewport(ratio=1)
    assert site.page.locator("#chart-use").bounding_box() == place
    expect(banner).to_contain_text("The server does not answer")  # after the first try
    start_daemon({"listen": [f"http://127.0.0.1:{port}"]})
    expect(site.page.locator("#feed-state")).to_have_text("Live")
    expect(banner).to_be_hidden()
