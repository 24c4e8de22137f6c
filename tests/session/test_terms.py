"""What all WebSockets of one action begin with: found out once, and again when the configuration changes."""

from __future__ import annotations

from pathlib import Path

from ioto_server.config import Config
from ioto_server.session.action import Action
from ioto_server.session.own import Own
from ioto_server.session.terms import Upgrade
from ioto_server.websocket import Protocol
from tests.session.harness import make_host


def make_action(own: Own | None = None, text: type[str] | type[bytes] = str) -> Action:
    return Action("/test", lambda web: None, Path("test.py"), 1, own=own, text=text)


def received(codec: Protocol, text: str) -> object:
    """What `codec` makes of a message of a client's."""
    out: list[bytes] = []
    Protocol(True, max_message=1000, max_frame=1000, max_fragments=9).send_message(1, text, out)
    codec.receive(b"".join(out))
    event = codec.next_event()
    return codec.data if event.name == "MESSAGE" else event.name


def test_they_hold_until_the_configuration_is_another() -> None:
    host = make_host(timeouts={"inactivity": 10}, limits={"maxMessage": 4, "maxFrame": 4})
    action, upgrade = make_action(), Upgrade(None, None)
    terms = upgrade.terms(host, action)
    assert upgrade.terms(host, action) is terms
    assert terms.keepalive().inactivity == 10
    assert b"X-Inactivity-Timeout: 10\r\n" in terms.fields
    assert received(terms.codec(), "12345") == "FAILED"
    host.configure(Config.read({"timeouts": {"inactivity": 20}, "limits": {"maxMessage": 5}}))
    later = upgrade.terms(host, action)
    assert later is not terms
    assert later.config is host.config
    assert later.keepalive().inactivity == 20
    assert b"X-Inactivity-Timeout: 20\r\n" in later.fields
    assert received(later.codec(), "12345") == "12345"


def test_an_action_has_its_own() -> None:
    host = make_host(limits={"maxMessage": 4})
    own = make_action(Own.read(max_message=6, inactivity=7), bytes)
    terms = Upgrade(None, None).terms(host, own)
    assert terms.config.limits.max_message == 6
    assert terms.keepalive().inactivity == 7
    assert received(terms.codec(), "123456") == b"123456"
    assert received(terms.codec(), "1234567") == "FAILED"


def test_what_one_connection_has_read_is_no_business_of_the_next() -> None:
    terms = Upgrade(None, None).terms(make_host(), make_action())
    first = terms.codec()
    first.receive(b"\x88")
    assert first.next_event().name == "NEED_DATA"
    first.send_close(1000, "", [])
    second = terms.codec()
    assert not second.close_sent
    assert received(second, "whole") == "whole"
    assert received(terms.codec(), "as well") == "as well"
