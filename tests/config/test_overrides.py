"""`--set path=value` and `IOTO_SET_<PATH>`: the same types and errors as in a file."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from ioto_server.config import UNLIMITED, Config, ConfigError
from tests.config.helpers import Load, errors


def test_the_environment_is_laid_over_the_files_and_set_over_the_environment(load: Load) -> None:
    loaded = load(
        "{ limits: { body: 1, header: 1, upload: 1 } }",
        ("limits.upload", "3"),
        ("log.level", "debug"),
        IOTO_SET_LIMITS__HEADER="2",
        ioto_set_limits__UPLOAD="2",
        IOTO_SET_TIMEOUTS__PARSE="7 secs",
        IOTO_SETTINGS="x",
    )
    limits = loaded.config.limits
    assert (limits.body, limits.header, limits.upload) == (1, 2, 3)
    assert loaded.config.timeouts.parse == 7
    assert loaded.config.log.level == "debug"
    assert not loaded.warnings


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("limits.maxFrame", "64K", lambda config: config.limits.max_frame == 65536),
        ("LIMITS.maxframe", "65536", lambda config: config.limits.max_frame == 65536),
        ("web.limits.maxFrame", "'64K'", lambda config: config.limits.max_frame == 65536),
        ("limits.perAddress", "unlimited", lambda config: config.limits.per_address == UNLIMITED),
        ("webSockets.ping", "never", lambda config: config.web_sockets.ping == math.inf),
        ("webSockets.protocol", "null", lambda config: config.web_sockets.protocol is None),
        ("webSockets.protocol", "['a', 'b']", lambda config: config.web_sockets.protocol == ("a", "b")),
        ("webSockets.compress.level", "9", lambda config: config.web_sockets.compress.level == 9),
        ("listen", "http://127.0.0.1:0", lambda config: str(config.listen[0]) == "http://127.0.0.1:0"),
        ("headers.X-Frame-Options", "DENY", lambda config: config.headers == {"X-Frame-Options": "DENY"}),
        ("mime..html", "text/plain", lambda config: config.mime == {".html": "text/plain"}),
        ("routes", "[{ match: '/ws/', handler: 'action' }]", lambda config: len(config.routes) == 1),
        ("trustedProxies", "10.0.0.1", lambda config: str(config.trusted_proxies[0]) == "10.0.0.1/32"),
        ("index", '"5"', lambda config: config.index == "5"),
    ],
)  # fmt: skip
def test_set_takes_json5_or_text(path: str, text: str, value: Callable[[Config], bool], load: Load) -> None:
    assert value(load("{ webSockets: { compress: true } }", (path, text)).config)


ROLE = (
    "routes[0].role: 'admin' asks for authentication, "
    "which this version does not have: everybody would get in"
)


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("limits.maxFrme", "1", "limits.maxFrme: there is no such directive"),
        ("", "1", ": there is no such directive"),
        ("limits..maxFrame", "1", "limits..maxFrame: there is no such directive"),
        ("limits.maxFrame.x", "1", "limits.maxFrame.x: limits.maxFrame is a single value"),
        ("routes.0.match", "/ws/", "routes.0.match: routes is a list"),
        ("listen.0", "http://:80", "listen.0: listen is a list"),
        ("limits.maxFrame", "12 bananas", "limits.maxFrame: 12 bananas is not a size: 'bananas' is no unit"),
        ("limits", "1", "limits: 1 is not an object"),
        ("routes", "[{ match: '/ws' ", ": syntax error: the { that begins here is not closed"),
        ("name", "", "name:  is empty"),
        ("name", "5", "name: 5 is not a host name"),
        ("routes", "[{ role: 'admin' }]", ROLE),
    ],
)  # fmt: skip
def test_wrong_overrides(path: str, text: str, message: str, load: Load) -> None:
    assert errors(load, "{}", (path, text)) == [message]
    with pytest.raises(ConfigError) as caught:
        load("{}", (path, text))
    assert caught.value.problems[0].file == f"--set {path}"
    assert caught.value.problems[0].line == 0
    assert caught.value.problems[0].hint


def test_an_override_that_is_no_text(load: Load) -> None:
    assert errors(load, "{}", ("name", "caf\udce9")) == ["name: is not UTF-8"]
    assert errors(load, "{}", ("n\udce9me", "x")) == ["n?me: is not UTF-8"]


def test_an_override_names_its_variable(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load("{}", IOTO_SET_WORKERS="many")
    assert str(caught.value).startswith("environment IOTO_SET_WORKERS: error: workers: many is not a number")


def test_a_value_of_the_file_that_is_replaced_need_not_be_right(load: Load) -> None:
    assert load("{ workers: 'many' }", ("workers", "2")).config.workers == 2
