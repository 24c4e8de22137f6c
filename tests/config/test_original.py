"""What people come with: the fragments of the page, and files of the original's shape."""

from __future__ import annotations

import math
from ipaddress import ip_network
from pathlib import Path

import pytest

from ioto_server.config import UNLIMITED, Compress, Config, ConfigError, Loaded, load_config
from tests.config.helpers import Load, messages

FOLDER = Path(__file__).resolve().parent / "original"
MINUTE, HOUR = 60, 3600


def original(name: str) -> Loaded:
    return load_config(FOLDER / f"{name}.json5", environ={})


# The page


def test_the_routes_of_the_page(load: Load) -> None:
    loaded = load("""{
routes: [
    { match: '/upload/', methods: ['DELETE', 'GET', 'PUT'] },
    { match: '/ws/', methods: ['GET'], handler: 'action' },
    { /* Catch all */ },
],
}""")
    routes = loaded.config.routes
    assert routes is not None
    assert [(route.match, route.methods, route.handler) for route in routes] == [
        ("/upload/", ("DELETE", "GET", "PUT"), "file"),
        ("/ws/", ("GET",), "action"),
        ("", ("GET", "POST"), "file"),
    ]
    # Nobody may write to the packaged site (SPEC 8), so the page's first route needs a folder.
    assert messages(loaded) == [
        "routes[0].methods: has DELETE and PUT, "
        "and the packaged site cannot be changed: they are answered 403"
    ]


def test_the_timeouts_of_the_page(load: Load) -> None:
    loaded = load("""{
timeouts: {
    inactivity: '5 mins',
    request: '1 hour',
},
}""")
    assert (loaded.config.timeouts.inactivity, loaded.config.timeouts.request) == (5 * MINUTE, HOUR)
    assert not loaded.warnings


def test_the_ping_of_the_page_is_json5_with_its_colon_only(load: Load) -> None:
    fragment = """{
webSockets {
    ping: "1min"
}
}"""
    with pytest.raises(ConfigError) as caught:
        load(fragment)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (2, 11)
    assert problem.message == "syntax error: a colon is missing after webSockets"
    assert problem.hint == "write webSockets: {"
    loaded = load(fragment.replace("webSockets {", "webSockets: {"))
    assert loaded.config.web_sockets.ping == MINUTE
    assert not loaded.warnings


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("limits.max_message", 2147483647),
        ("limits.max_frame", 131072),
        ("web_sockets.ping", math.inf),
        ("web_sockets.protocol", ("chat",)),
        ("web_sockets.validate_utf", True),
    ],
)
def test_the_defaults_of_the_page(path: str, value: object) -> None:
    section, name = path.split(".")
    assert getattr(getattr(Config(), section), name) == value


# Files of its users


def test_a_device() -> None:
    with pytest.raises(ConfigError) as caught:
        original("device")
    # The certificate is on the device.
    assert {problem.path for problem in caught.value.problems} == {"tls.certificate", "tls.key"}
    legacy = next(problem for problem in caught.value.warnings if "original" in problem.message)
    assert legacy.message == (
        "directives of the original without effect here: "
        "enable, limits.buffer, limits.sessions, timeouts.session, timeouts.tls"
    )
    assert "limits.buffer (line 16): buffers need no setting; limits.maxBacklog bounds" in legacy.hint
    text = (FOLDER / "device.json5").read_text()
    assert "timeouts.tls (line 30)" in legacy.hint
    assert text.splitlines()[29].strip() == "tls: 'never',"


def test_a_device_with_its_certificate_taken_out(load: Load, tmp_path: Path) -> None:
    text = (FOLDER / "device.json5").read_text().replace("    tls: {\n", "    _tls: {\n")
    for folder in ("site", "actions"):
        (tmp_path / folder).mkdir()
    loaded = load(text.replace(", 'https://:8443'", ""))
    config = loaded.config
    assert [str(endpoint) for endpoint in config.listen] == ["http://:8080"]
    assert config.name is None
    assert config.headers == {"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "*"}
    assert config.limits.connections == 100
    assert config.limits.upload == 20 * 1024**2
    assert config.timeouts.request == HOUR
    assert config.web_sockets.ping == MINUTE
    assert (config.log.path, config.log.level, config.log.show) == ("stdout", "info", "Hh")
    assert len(loaded.warnings) == 1


def test_redirects() -> None:
    loaded = original("redirects")
    assert [(one.source, one.to, one.status) for one in loaded.config.redirect] == [
        ("/", "/index.html", 302),
        ("/docs/", "https://docs.example.com/", 301),
        ("/old", "/new", 302),
    ]
    routes = loaded.config.routes
    assert routes is not None
    assert routes[0].redirect == "/index.html"
    assert routes[2].cache == "public, max-age=86400"
    assert not loaded.warnings


def test_roles_are_errors_until_there_is_authentication() -> None:
    with pytest.raises(ConfigError) as caught:
        original("roles")
    assert [(problem.path, problem.line) for problem in caught.value.problems] == [
        ("auth", 3),
        ("routes[1].role", 14),
        ("routes[2].role", 15),
    ]
    (legacy,) = caught.value.warnings
    assert legacy.message == (
        "directives of the original without effect here: routes[1].validate, routes[2].xsrf, sessions"
    )


def test_mime() -> None:
    loaded = original("mime")
    assert loaded.config.mime == {
        ".html": "text/html; charset=utf-8",
        ".wasm": "application/wasm",
        ".bin": "application/octet-stream",
    }
    limits, timeouts = loaded.config.limits, loaded.config.timeouts
    assert (limits.upload, limits.body, limits.requests) == (1536 * 1024, UNLIMITED, 500)
    assert limits.connections == UNLIMITED
    assert (timeouts.inactivity, timeouts.request, timeouts.parse) == (math.inf, 300, 0.5)
    assert not loaded.warnings


def test_signatures() -> None:
    loaded = original("signatures")
    assert [problem.message for problem in loaded.warnings] == [
        "directives of the original without effect here: signatures, xsrf, routes[0].validate, log.types"
    ]
    routes = loaded.config.routes
    assert routes is not None
    assert (routes[0].stream, routes[1].trim) == (True, "/files")
    assert (loaded.config.log.path, loaded.config.log.format) == ("stderr", "json")


def test_websockets() -> None:
    loaded = original("websockets")
    config, sockets = loaded.config, loaded.config.web_sockets
    assert (sockets.ping, sockets.protocol, sockets.validate_utf) == (45, ("chat.v2", "chat"), False)
    assert sockets.compress == Compress(level=3, threshold=1024)
    assert sockets.origins == ("example.com", "https://*.example.com", "localhost:*")
    assert config.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1/128"), "unix")
    assert (config.workers, str(config.topics.broker)) == ("auto", "redis://localhost")
    assert config.listen[1].path == FOLDER / "run/web.sock"
    assert config.metrics is not None
    assert (str(config.metrics.listen), config.metrics.path) == ("http://localhost:9100", "/metrics")
    assert (config.timeouts.close, config.timeouts.pong, config.timeouts.drain) == (3, 10, 60)
    assert not loaded.warnings
