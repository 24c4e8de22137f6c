"""The table of SPEC 2: names, defaults, and what each directive takes."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from ioto_server.config import UNLIMITED, Compress, Config, Limits, Redirect, Route, Timeouts, Tls
from ioto_server.config.directives import walk
from tests.config.helpers import Load, errors

KB, MB = 1024, 1024**2


def test_every_default_is_that_of_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    config = Config()
    assert [str(endpoint) for endpoint in config.listen] == ["http://localhost:4100"]
    assert config.name is None
    assert config.documents_is_site
    assert config.index == "index.html"
    assert config.actions == (Path.cwd() / "actions",)
    assert config.routes is None
    assert (config.redirect, config.headers, config.mime) == ((), {}, {})
    assert (config.upload.dir, config.upload.remove) == (Path("/tmp"), True)
    assert vars(config.limits) == {
        "max_message": 2147483647,
        "max_frame": 131072,
        "max_fragments": 131072,
        "max_backlog": MB,
        "memory": 512 * MB,
        "connections": 10000,
        "per_address": UNLIMITED,
        "header": 10 * KB,
        "body": 100 * KB,
        "upload": 20 * MB,
        "requests": 1000,
    }
    assert vars(config.timeouts) == {
        "parse": 5,
        "inactivity": 300,
        "request": None,
        "close": 5,
        "pong": 20,
        "start": 30,
        "drain": 30,
    }
    assert vars(config.web_sockets) == {
        "enable": True,
        "ping": math.inf,
        "protocol": ("chat",),
        "validate_utf": True,
        "compress": None,
        "origins": None,
    }
    assert config.trusted_proxies == ()
    assert config.topics.broker is None
    assert (config.log.path, config.log.level, config.log.format, config.log.show) == (
        "stdout",
        "info",
        "auto",
        "",
    )
    assert (config.tls, config.metrics, config.workers) == (None, None, 1)
    assert Config.read({"workers": "2"}).workers == 2
    assert config.control == Path.cwd() / "run/control.sock"


def test_compress_true_is_the_object_of_the_table(load: Load) -> None:
    compress = load("{ webSockets: { compress: true } }").config.web_sockets.compress
    assert compress == Compress(level=6, window_bits=12, mem_level=5, context_takeover=True, threshold=128)
    assert load("{ webSockets: { compress: {} } }").config.web_sockets.compress == compress
    assert load("{ webSockets: { compress: false } }").config.web_sockets.compress is None


TABLE = """
listen name documents index actions routes redirect headers mime upload.dir upload.remove
limits.maxMessage limits.maxFrame limits.maxFragments limits.maxBacklog limits.memory limits.connections
limits.perAddress limits.header limits.body limits.upload limits.requests
timeouts.parse timeouts.inactivity timeouts.request timeouts.close timeouts.pong timeouts.start timeouts.drain
webSockets.enable webSockets.ping webSockets.protocol webSockets.validateUTF webSockets.compress
webSockets.compress.level webSockets.compress.windowBits webSockets.compress.memLevel
webSockets.compress.contextTakeover webSockets.compress.threshold webSockets.origins
trustedProxies topics.broker log.path log.level log.format log.show
tls.certificate tls.key tls.authority tls.verify.client tls.verify.issuer tls.ciphers
workers metrics.listen metrics.path control
routes[].match routes[].methods routes[].handler routes[].redirect routes[].trim routes[].stream
routes[].compressed routes[].cache routes[].documents routes[].role
redirect[].from redirect[].to redirect[].status
"""


def test_every_directive_of_the_table_is_there_and_no_other() -> None:
    names = re.findall(r"\S+", TABLE)
    sections = {"upload", "limits", "timeouts", "webSockets", "topics", "log", "tls", "tls.verify", "metrics"}
    assert {directive.path for directive in walk()} == set(names) | sections


def test_every_directive_has_two_lines_of_help_and_a_version() -> None:
    for directive in walk():
        lines = directive.help.splitlines()
        assert len(lines) == 2, directive.path
        assert all(0 < len(line) <= 100 for line in lines), directive.path
        assert directive.since
        assert directive.allowed


def test_a_configuration_can_be_made_in_python() -> None:
    config = Config(
        listen="http://127.0.0.1:0",  # type: ignore[arg-type]
        limits=Limits(max_message=100, connections=UNLIMITED),
        timeouts=Timeouts(inactivity=math.inf),
        routes=(Route(match="/ws/", handler="action"),),
        redirect=(Redirect(source="/a", to="/b"),),
        tls=Tls(certificate=Path("/x")),
    )
    assert config.listen[0].port == 0
    assert config.limits.max_message == 100
    assert config.limits.max_frame == 131072
    assert config.limits.connections == UNLIMITED
    assert config.timeouts.inactivity == math.inf
    assert config.redirect[0].status == 302


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(AttributeError, match="frozen"):
        Config().limits.max_frame = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("'1 day'", "public, max-age=86400"),
        ("0.5", "public, max-age=1"),
        ("'forever'", "public, max-age=31536000, immutable"),
        ("false", "no-store"),
        ("'no-cache'", "no-cache"),
        ("'private, max-age=60'", "private, max-age=60"),
        ("null", None),
    ],
)
def test_cache_is_the_text_of_cache_control(text: str, header: str | None, load: Load) -> None:
    (route,) = load(f"{{ routes: [{{ cache: {text} }}] }}").config.routes or ()
    assert route.cache == header


@pytest.mark.parametrize("text", ["'never'", "true", "0", "'5 parsecs'", "'no-cache\\r\\nX: y'", "'é=1'"])
def test_what_is_no_cache(text: str, load: Load) -> None:
    assert len(errors(load, f"{{ routes: [{{ cache: {text} }}] }}")) == 1


@pytest.mark.parametrize(("text", "ciphers"), [("'A:B'", "A:B"), ("['A', 'B']", "A:B"), ("null", None)])
def test_ciphers_may_be_a_list(text: str, ciphers: str | None, load: Load) -> None:
    found = errors(load, f"{{ tls: {{ certificate: '/none', ciphers: {text} }} }}")
    assert ("tls.ciphers: " in " ".join(found)) == (ciphers is not None)
    assert Tls(certificate=Path("/x"), ciphers=["A", "B"]).ciphers == "A:B"  # type: ignore[arg-type]


def test_what_does_not_fit_is_told_at_once_when_made_in_python() -> None:
    with pytest.raises(ValueError, match="from: is missing; to: is not a path or a URL; status: is "):
        Redirect(to=1, status=2)  # type: ignore[arg-type]
