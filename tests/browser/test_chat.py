"""The chat section: people in one room see each other."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.site import OpenSite
from tests.conftest import StartDaemon
from tests.support.daemon import Daemon


def test_two_browsers_see_each_other(daemon: Daemon, open_site: OpenSite) -> None:
    ada, grace = open_site(daemon.url), open_site(daemon.url)
    ada.join("Ada", "engines")
    expect(ada.page.locator("#presence")).to_have_text("1 person here")
    grace.join("Grace", "engines")
    expect(ada.page.locator("#presence")).to_have_text("2 people here")
    ada.say("Is the pump back?")
    grace.say("Since nine.")
    for site in (ada, grace):
        expect(site.page.locator("#chat-log .bubble")).to_have_text(["Is the pump back?", "Since nine."])
    expect(ada.page.locator("#chat-log .mine .bubble")).to_have_text(["Is the pump back?"])
    expect(grace.page.locator("#chat-log .mine .bubble")).to_have_text(["Since nine."])
    expect(grace.page.locator("#chat-log .who").first).to_have_text(re.compile(r"^Ada \d\d:\d\d$"))
    ada.press("Leave")
    expect(grace.page.locator("#presence")).to_have_text("1 person here")
    expect(ada.page.locator("#chat-state")).to_have_text("Left")


def test_rooms_are_apart(daemon: Daemon, open_site: OpenSite) -> None:
    ada, grace = open_site(daemon.url), open_site(daemon.url)
    ada.join("Ada", "north & south")
    grace.join("Grace", "south")
    grace.say("only in the south")
    expect(grace.page.locator("#chat-log .bubble")).to_have_text(["only in the south"])
    # A message of her own comes after anything that Grace's could have caused.
    ada.say("only in the north")
    expect(ada.page.locator("#chat-log .bubble")).to_have_text(["only in the north"])
    expect(ada.page.locator("#presence")).to_have_text("1 person here")


def test_text_is_text(daemon: Daemon, open_site: OpenSite) -> None:
    ada, grace = open_site(daemon.url), open_site(daemon.url)
    ada.join("<b>Ada</b>", "markup")
    grace.join("Grace", "markup")
    ada.say('<img src=x onerror="document.title=1">')
    expect(grace.page.locator("#chat-log .bubble")).to_have_text('<img src=x onerror="document.title=1">')
    expect(grace.page.locator("#chat-log .who b")).to_have_text("<b>Ada</b>")
    expect(grace.page.locator("#chat-log img")).to_have_count(0)


def test_invitation_leads_to_the_room(daemon: Daemon, open_site: OpenSite) -> None:
    ada = open_site(daemon.url)
    ada.join("Ada", "böse räume?")
    with ada.page.expect_popup() as popup:
        ada.page.get_by_role("link", name="Open a second window").click()
    guest = popup.value
    expect(guest.get_by_role("tab", name="Chat")).to_have_attribute("aria-selected", "true")
    expect(guest.get_by_label("Room", exact=True)).to_have_value("böse räume?")


def test_room_names_the_server_cannot_take(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url, "#chat")
    for room in ("a/b", "a*"):
        site.page.get_by_label("Room", exact=True).fill(room)
        site.press("Join")
        expect(site.page.get_by_role("alert").filter(has_text="has no / and no *")).to_be_visible()
    expect(site.page.locator("#chat-state")).to_have_text("Not joined")


def test_unread_messages_are_counted_on_the_tab(daemon: Daemon, open_site: OpenSite) -> None:
    ada, grace = open_site(daemon.url), open_site(daemon.url)
    ada.join("Ada", "unread")
    grace.join("Grace", "unread")
    ada.tab("Console")
    grace.say("one")
    grace.say("two")
    expect(ada.page.locator("#chat-unread")).to_have_text("2")
    ada.tab("Chat")
    expect(ada.page.locator("#chat-unread")).to_be_hidden()


def test_nickname_is_needed_and_kept(daemon: Daemon, open_site: OpenSite) -> None:
    site = open_site(daemon.url, "#chat")
    expect(site.page.get_by_label("Nickname")).not_to_have_value("")  # one is suggested
    site.page.get_by_label("Nickname").fill("  ")
    site.press("Join")
    expect(site.page.get_by_role("alert").filter(has_text="A nickname is needed")).to_be_visible()
    site.page.get_by_label("Nickname").fill("Ada")
    site.press("Join")
    expect(site.page.locator("#chat-state")).to_have_text("Joined")
    site.page.reload()
    expect(site.page.get_by_label("Nickname")).to_have_value("Ada")


def test_comes_back_by_itself(start_daemon: StartDaemon, open_site: OpenSite) -> None:
    daemon = start_daemon()
    site = open_site(daemon.url)
    site.watch.complaints_expected = True
    site.join("Ada")
    port = daemon.port
    daemon.stop()
    expect(site.page.locator("#chat-banner")).to_contain_text("Closed: 1001 going away")
    start_daemon({"listen": [f"http://127.0.0.1:{port}"]})
    expect(site.page.locator("#chat-state")).to_have_text("Joined")
    expect(site.page.locator("#chat-banner")).to_be_hidden()
    site.say("still here")
    expect(site.page.locator("#chat-log .bubble")).to_have_text(["still here"])
