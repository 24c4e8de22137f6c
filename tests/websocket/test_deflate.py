"""The negotiation of permessage-deflate, both sides (RFC 7692, 5, 7.1)."""

from __future__ import annotations

from itertools import product

import pytest

from ioto_server.websocket import Deflate, DeflateSettings
from ioto_server.websocket.deflate import accept, negotiate, offer
from ioto_server.websocket.handshake import HandshakeError

from .wire import Headers

NAME = "permessage-deflate"
DEFAULT = DeflateSettings()
WIDE = DeflateSettings(window_bits=15)


def extensions(*values: str) -> Headers:
    return Headers(*(("Sec-WebSocket-Extensions", value) for value in values))


def agreed(value: str, settings: DeflateSettings = DEFAULT) -> tuple[Deflate, str]:
    found = negotiate(extensions(value), settings)
    assert found is not None
    return found


def answer(value: str, settings: DeflateSettings = DEFAULT) -> str | None:
    found = negotiate(extensions(value), settings)
    return None if found is None else found[1]


def test_default_settings_are_the_documented_ones() -> None:
    assert DeflateSettings(6, 12, 5, True, 128) == DEFAULT


def test_nothing_offered() -> None:
    assert negotiate(Headers(), DEFAULT) is None
    assert answer("x-webkit-deflate-frame") is None


def test_nothing_wanted() -> None:
    assert negotiate(extensions(NAME), None) is None


def test_malformed_header_is_refused_even_where_nothing_is_wanted() -> None:
    with pytest.raises(HandshakeError, match="malformed"):
        negotiate(extensions("a b"), None)


def test_plain_offer_is_answered_plainly() -> None:
    """What is not offered is not answered: the client's window stays the widest, ours may be smaller."""
    found, value = agreed(NAME)
    assert value == NAME
    assert found == Deflate(12, True, 15, True, 6, 5, 128)


def test_plain_offer_without_takeover_of_ours() -> None:
    """7.1.1.1: the server need not say that it begins each message afresh."""
    found, value = agreed(NAME, DeflateSettings(context_takeover=False))
    assert value == NAME
    assert (found.send_takeover, found.receive_takeover) == (False, True)


def test_server_no_context_takeover() -> None:
    """7.1.1.1: the server "accepts [...] by including" the parameter in its answer."""
    found, value = agreed(f"{NAME}; server_no_context_takeover")
    assert value == f"{NAME}; server_no_context_takeover"
    assert (found.send_takeover, found.receive_takeover) == (False, True)


def test_client_no_context_takeover() -> None:
    """7.1.1.2."""
    found, value = agreed(f"{NAME}; client_no_context_takeover")
    assert value == f"{NAME}; client_no_context_takeover"
    assert (found.send_takeover, found.receive_takeover) == (True, False)


@pytest.mark.parametrize(
    ("wanted", "ours", "bits"),
    [(15, 15, 15), (15, 12, 12), (12, 15, 12), (10, 12, 10), (9, 9, 9), (9, 15, 9)],
)
def test_server_max_window_bits(wanted: int, ours: int, bits: int) -> None:
    """7.1.2.1: answered "with the same or smaller value"."""
    found, value = agreed(f"{NAME}; server_max_window_bits={wanted}", DeflateSettings(window_bits=ours))
    assert value == f"{NAME}; server_max_window_bits={bits}"
    assert found.send_window_bits == bits


def test_server_max_window_bits_8_is_declined() -> None:
    """SPEC 4: zlib cannot."""
    assert answer(f"{NAME}; server_max_window_bits=8") is None


@pytest.mark.parametrize(
    ("parameter", "ours", "answered", "bits"),
    [
        ("client_max_window_bits", 12, "; client_max_window_bits=12", 12),
        ("client_max_window_bits", 15, "", 15),
        ("client_max_window_bits=15", 15, "", 15),
        ("client_max_window_bits=15", 10, "; client_max_window_bits=10", 10),
        ("client_max_window_bits=10", 12, "", 10),
        ("client_max_window_bits=12", 12, "", 12),
        ("client_max_window_bits=8", 9, "", 8),
    ],
)
def test_client_max_window_bits(parameter: str, ours: int, answered: str, bits: int) -> None:
    """7.1.2.2: the answer may ask for less than the client's hint; the hint holds whatever is answered."""
    found, value = agreed(f"{NAME}; {parameter}", DeflateSettings(window_bits=ours))
    assert value == NAME + answered
    assert found.receive_window_bits == bits


def test_quoted_value() -> None:
    assert answer(f'{NAME}; server_max_window_bits="10"') == f"{NAME}; server_max_window_bits=10"


BROKEN = [
    "unknown",
    "unknown=1",
    "server_no_context_takeover=1",
    "client_no_context_takeover=true",
    "server_no_context_takeover; server_no_context_takeover",
    "client_max_window_bits; client_max_window_bits=10",
    "server_max_window_bits",
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=010",
    "server_max_window_bits=+10",
    "server_max_window_bits=1e1",
    "server_max_window_bits=150",
    "client_max_window_bits=7",
    "client_max_window_bits=16",
    "client_max_window_bits=09",
]


@pytest.mark.parametrize("parameters", BROKEN)
def test_broken_offer_is_declined(parameters: str) -> None:
    """7.1: "A server MUST decline an extension negotiation offer for this extension if [...]"."""
    assert answer(f"{NAME}; {parameters}") is None


@pytest.mark.parametrize("parameters", [*BROKEN, "server_max_window_bits=8"])
def test_first_good_offer_is_accepted(parameters: str) -> None:
    """5.1: offers are "in the order of preference", the later ones fall-backs."""
    fallback = f"x-other, {NAME}; server_max_window_bits=11, {NAME}"
    assert answer(f"{NAME}; {parameters}, {fallback}") == f"{NAME}; server_max_window_bits=11"
    found = negotiate(extensions(f"{NAME}; {parameters}", fallback), DEFAULT)
    assert found is not None
    assert found[1] == f"{NAME}; server_max_window_bits=11"


def test_everything_at_once() -> None:
    everything = (
        f"{NAME}; server_no_context_takeover; client_no_context_takeover; "
        "server_max_window_bits=10; client_max_window_bits"
    )
    found, value = agreed(everything, DeflateSettings(9, 11, 7, True, 3))
    assert value == (
        f"{NAME}; server_no_context_takeover; client_no_context_takeover; "
        "server_max_window_bits=10; client_max_window_bits=11"
    )
    assert found == Deflate(10, False, 11, False, 9, 7, 3)


# The client's side


def test_offers() -> None:
    assert offer(WIDE) == f"{NAME}; client_max_window_bits"
    assert offer(DEFAULT) == f"{NAME}; server_max_window_bits=12; client_max_window_bits"
    assert offer(DeflateSettings(window_bits=15, context_takeover=False)) == (
        f"{NAME}; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"
    )


@pytest.mark.parametrize(
    ("settings", "value", "expected"),
    [
        (WIDE, NAME, Deflate(15, True, 15, True, 6, 5, 128)),
        (DEFAULT, f"{NAME}; server_max_window_bits=12", Deflate(12, True, 12, True, 6, 5, 128)),
        (DEFAULT, f"{NAME}; server_max_window_bits=8", Deflate(12, True, 8, True, 6, 5, 128)),
        (WIDE, f"{NAME}; server_max_window_bits=10", Deflate(15, True, 10, True, 6, 5, 128)),
        (WIDE, f"{NAME}; client_max_window_bits=9", Deflate(9, True, 15, True, 6, 5, 128)),
        (WIDE, f"{NAME}; client_max_window_bits=8", Deflate(8, True, 15, True, 6, 5, 128)),
        (WIDE, f"{NAME}; server_no_context_takeover", Deflate(15, True, 15, False, 6, 5, 128)),
        (WIDE, f"{NAME}; client_no_context_takeover", Deflate(15, False, 15, True, 6, 5, 128)),
        (
            DeflateSettings(1, 15, 9, False, 7),
            f"{NAME}; server_no_context_takeover",
            Deflate(15, False, 15, False, 1, 9, 7),
        ),
    ],
)
def test_good_answers(settings: DeflateSettings, value: str, expected: Deflate) -> None:
    assert accept(extensions(value), settings) == expected


def test_declined() -> None:
    assert accept(Headers(), DEFAULT) is None
    assert accept(Headers(), None) is None


@pytest.mark.parametrize("value", ["x-other", f"{NAME}, {NAME}", f"{NAME}, x-other"])
def test_answer_that_was_not_offered(value: str) -> None:
    """RFC 6455, 4.1: an extension that "was not present in the client's handshake"."""
    with pytest.raises(HandshakeError) as caught:
        accept(extensions(value), WIDE)
    assert caught.value.status == 101
    assert caught.value.text == "Server answered with an extension that was not offered (RFC 6455 4.1)"


def test_answer_to_no_offer() -> None:
    with pytest.raises(HandshakeError, match="extension that was not offered"):
        accept(extensions(NAME), None)


@pytest.mark.parametrize("parameters", [*BROKEN, "client_max_window_bits"])
def test_broken_answer(parameters: str) -> None:
    """7.1: "A client MUST _Fail the WebSocket Connection_ if the peer server accepted [...] with [...]"."""
    with pytest.raises(HandshakeError) as caught:
        accept(extensions(f"{NAME}; {parameters}"), WIDE)
    assert caught.value.status == 101
    assert caught.value.text == "Server's answer to permessage-deflate breaks RFC 7692 7.1"


@pytest.mark.parametrize(
    ("settings", "value"),
    [
        (DEFAULT, NAME),
        (DEFAULT, f"{NAME}; server_max_window_bits=13"),
        (DeflateSettings(window_bits=15, context_takeover=False), NAME),
        (DeflateSettings(window_bits=15, context_takeover=False), f"{NAME}; client_no_context_takeover"),
    ],
)
def test_answer_that_does_not_keep_to_the_offer(settings: DeflateSettings, value: str) -> None:
    with pytest.raises(HandshakeError, match="breaks RFC 7692"):
        accept(extensions(value), settings)


@pytest.mark.parametrize(("server", "client"), list(product([9, 12, 15], repeat=2)))
@pytest.mark.parametrize("takeover", [True, False])
def test_our_own_sides_agree(server: int, client: int, takeover: bool) -> None:
    wish = DeflateSettings(window_bits=client, context_takeover=takeover)
    found = negotiate(extensions(offer(wish)), DeflateSettings(window_bits=server))
    assert found is not None
    theirs, value = found
    ours = accept(extensions(value), wish)
    assert ours is not None
    assert ours.send_window_bits <= theirs.receive_window_bits
    assert theirs.send_window_bits <= ours.receive_window_bits
    assert ours.send_takeover == theirs.receive_takeover == takeover
    assert theirs.send_takeover == ours.receive_takeover == takeover
