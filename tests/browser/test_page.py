"""The page as a whole: what it loads, how it fits, and whether everybody can use it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.site import STRICT_POLICY, OpenSite, Site
from tests.support import REPOSITORY
from tests.support.daemon import Daemon

WIDTHS = {360: 740, 768: 1024, 1280: 800, 1600: 900}

# Every text that is in sight, its contrast with what lies behind it, and the least WCAG 2.2 AA asks (1.4.3).
CONTRASTS = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true});
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a));
  const ground = (element) => {
    if (!element) return [255, 255, 255];
    const color = rgba(getComputedStyle(element).backgroundColor);
    return color[3] === 1 ? color.slice(0, 3) : over(color, ground(element.parentElement));
  };
  const luminance = (color) => {
    const [r, g, b] = color.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    if (element.closest('.sr, .skip, :disabled')) continue;
    const style = getComputedStyle(element);
    const behind = ground(element);
    const ink = over(rgba(element instanceof SVGElement ? style.fill : style.color), behind);
    const [light, dark] = [luminance(ink), luminance(behind)].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    found.push({text, contrast: (light + 0.05) / (dark + 0.05), least: large ? 3 : 4.5});
  }
  return found;
}"""

NAMELESS = """() => [...document.querySelectorAll('button, input, textarea, select, svg[role=img]')]
  .filter((each) => !(each.labels?.length && each.labels[0].textContent.trim()) && !each.ariaLabel
    && !(each instanceof HTMLButtonElement && each.textContent.trim()))
  .map((each) => each.outerHTML)"""


def fill(site: Site, guest: Site) -> None:
    """Bring every section to life: messages, a conversation, a chart."""
    site.connect()
    site.send("Hello, wire")
    site.send('{"sensor": {"id": 7, "name": "boiler"}, "values": [21.5, 21.7], "ok": true}')
    site.send("a long line " * 80)
    site.mode("Hex")
    site.send("00 01 02 ff 48 65 6c 6c 6f 20 77 6f 72 6c 64 21 0a 7f")
    expect(site.received).to_have_count(4)
    site.page.get_by_label("Pretty JSON").check()
    site.press("Measure round trip")
    expect(site.page.locator("#trip[data-state=measured]")).to_be_visible()
    room = "gallery"
    site.join("Ada Lovelace", room)
    guest.join("Grace", room)
    site.say("Is the pump in hall two back?")
    expect(guest.page.locator("#chat-log .bubble")).to_have_count(1)
    guest.say("Since nine. I watched it for an hour and nothing moved, so I went for coffee; then it moved.")
    expect(site.page.locator("#chat-log .bubble")).to_have_count(2)
    site.tab("Live feed")
    expect(site.page.locator("#chart-use path.line.series-1[d*=L]")).to_be_attached()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_section_fits_and_can_be_read(
    daemon: Daemon, open_site: OpenSite, artefacts: Path, width: int, theme: str
) -> None:
    site = open_site(daemon.url, viewport={"width": width, "height": WIDTHS[width]}, color_scheme=theme)
    site.page.screenshot(path=artefacts / f"{width}-{theme}-empty.png")
    fill(site, open_site(daemon.url))
    for name in ("Console", "Chat", "Live feed"):
        site.tab(name)
        site.page.screenshot(
            path=artefacts / f"{width}-{theme}-{name.lower().replace(' ', '-')}.png", full_page=True
        )
        wide, room = site.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= room, f"{name} is scrolled sideways"
        texts = site.page.evaluate(CONTRASTS)
        assert len(texts) > 10
        assert [each for each in texts if each["contrast"] < each["least"]] == []


def test_everything_comes_from_the_package(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    with site.page.expect_event("load"):
        site.page.reload()
    loaded = site.page.evaluate("performance.getEntriesByType('resource').map((each) => each.name)")
    files = {path.name for path in (REPOSITORY / "ioto_server" / "site").iterdir()}
    assert {name.rpartition("/")[2] for name in loaded} >= {"app.js", "style.css", "theme.js", "link.js"}
    assert {name.rpartition("/")[2] for name in loaded} <= files


def test_policy_is_in_force(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    site.watch.complaints_expected = True
    answer = site.page.reload()
    assert answer is not None
    assert answer.headers["content-security-policy"] == STRICT_POLICY
    site.page.evaluate(
        """() => {
          const script = document.createElement('script');
          try {
            script.append('document.title = "inline"');
            document.body.append(script);
          } catch {} // Trusted Types may refuse it even before the policy for scripts does
        }"""
    )
    expect(site.page).to_have_title("ioto-server")
    assert site.watch.violations, "an inline script was not even reported"
    site.watch.violations.clear()


def test_theme_is_chosen_and_kept(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url, color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = site.page.evaluate(ground)
    site.page.get_by_title("Dark", exact=True).click()
    dark = site.page.evaluate(ground)
    assert dark != light
    site.page.reload()
    assert site.page.evaluate(ground) == dark
    site.page.get_by_title("Colours as the system has them").click()
    assert site.page.evaluate(ground) == light
    site.page.emulate_media(color_scheme="dark")
    assert site.page.evaluate(ground) == dark


def test_keyboard_alone(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    keyboard = site.page.keyboard
    site.page.get_by_role("tab", name="Console").focus()
    for key, name in (("ArrowRight", "Chat"), ("End", "Live feed"), ("ArrowRight", "Console")):
        keyboard.press(key)
        tab = site.page.get_by_role("tab", name=name)
        expect(tab).to_be_focused()
        expect(tab).to_have_attribute("aria-selected", "true")
    for _ in range(2):
        keyboard.press("Tab")
    keyboard.press("ArrowDown")  # from Echo to Example
    expect(site.page.get_by_label("URL path")).to_have_value("/test/websockets")
    keyboard.press("Enter")
    expect(site.received).to_have_text(["WebSocket connected"])
    message = site.page.get_by_label("Message", exact=True)
    message.focus()
    keyboard.type("one")
    keyboard.press("Shift+Enter")
    keyboard.type("two")
    keyboard.press("Enter")
    expect(site.page.locator("#log .row.out .body")).to_have_text("one\ntwo")
    keyboard.press("ArrowUp")
    expect(message).to_have_value("one\ntwo")


def test_every_control_has_a_name(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    fill(site, open_site(daemon.url))
    assert site.page.evaluate(NAMELESS) == []


def test_nothing_jumps(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url)
    site.page.evaluate(
        """() => {
          window.shifts = [];
          const name = ({node}) => node?.id || node?.className || String(node?.nodeName);
          new PerformanceObserver((list) => {
            for (const {value, sources} of list.getEntries()) shifts.push([value, sources.map(name)]);
          }).observe({type: 'layout-shift', buffered: true});
        }"""
    )
    site.connect()
    site.send("Hello")
    expect(site.received).to_have_count(1)
    site.press("Measure round trip")
    expect(site.page.locator("#trip[data-state=measured]")).to_be_visible()
    site.press("Disconnect")
    expect(site.state).to_have_text("Closed: 1000 normal closure")
    assert sum(value for value, _ in site.page.evaluate("shifts")) < 0.01, site.page.evaluate("shifts")
