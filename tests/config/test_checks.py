"""Checks across directives: what cannot be meant, what would give something away, what has no effect."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from ioto_server.config import ConfigError, load_config
from ioto_server.config.view import View
from tests.config.helpers import Load, errors, messages, nobody


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for folder in ("site", "actions"):
        (tmp_path / folder).mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("faulty", "sound"),
    [
        ("limits.maxFrame", False),
        ("limits", False),
        ("limits.maxFrame.x", False),
        ("limits.maxFragments", True),
        ("limit", True),
        ("routes[0]", True),
    ],
)
def test_a_check_is_left_out_where_its_directives_are_wrong(faulty: str, sound: bool, load: Load) -> None:
    loaded = load("{}")
    view = View(loaded.config, loaded.root, "", frozenset({faulty}))
    assert view.sound("limits.maxFrame", "limits.maxMessage") == sound


# Limits and timeouts


def test_a_frame_larger_than_a_message(load: Load) -> None:
    (warning,) = load("{ limits: { maxFrame: '1MB',\n maxMessage: '64K' } }").warnings
    assert warning.path == "limits.maxFrame"
    assert warning.message == (
        "'1MB' is more than limits.maxMessage ('64K' in line 2), so no frame can ever be that large"
    )
    assert warning.hint == "write maxFrame: '64KB' or less, or a larger maxMessage"


@pytest.mark.parametrize(
    "text", ["{ limits: { maxMessage: 100 } }", "{ limits: { maxFrame: 100, maxMessage: 100 } }"]
)
def test_a_small_message_alone_is_no_conflict(text: str, load: Load) -> None:
    assert not load(text).warnings


def test_a_conflict_across_files_names_both_files(load: Load) -> None:
    (warning,) = load(
        "{ limits: { maxMessage: 5 } }", drop_ins={"a.json5": "{ limits: { maxFrame: 6 } }"}
    ).warnings
    assert warning.file.endswith("web.d/a.json5")
    assert "(5 in line 1 of " in warning.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("maxBacklog: '1GB'", "limits.maxBacklog: '1GB' is more than limits.memory (512MB by default): "),
        ("memory: '100K'", "limits.memory: '100K' is less than limits.maxBacklog (1MB by default): "),
    ],
)
def test_a_backlog_larger_than_all_memory(text: str, message: str, load: Load) -> None:
    assert messages(load(f"{{ limits: {{ {text} }} }}")) == [message + "one slow client could take it all"]


@pytest.mark.parametrize(
    ("text", "conflict"),
    [
        ("webSockets: { ping: '5 mins' }", True),
        ("webSockets: { ping: '4 mins' }", False),
        ("webSockets: { ping: '2 mins' }, timeouts: { inactivity: '1 min' }", True),
        ("webSockets: { ping: '1 day' }, timeouts: { inactivity: 'never' }", False),
        ("timeouts: { inactivity: '1 sec' }", False),
    ],
)
def test_a_ping_that_comes_after_the_end(text: str, conflict: bool, load: Load) -> None:
    found = [problem.path for problem in load(f"{{ {text} }}").warnings]
    assert found == (["webSockets.ping"] if conflict else [])


# Endpoints


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://localhost:80", "http://localhost:80"),
        ("http://localhost:80", "https://localhost:80"),
        ("http://localhost:80", "http://127.0.0.1:80"),
        ("http://[::1]:80", "http://localhost:80"),
        ("http://:80", "http://10.0.0.1:80"),
        ("http://10.0.0.1:80", "http://:80"),
        ("http://0.0.0.0:80", "http://127.0.0.1:80"),
        ("http://localhost:80", "http://0.0.0.0:80"),
        ("http://[::1]:80", "http://[::]:80"),
        ("unix:web.sock", "unix:web.sock"),
    ],
)
def test_endpoints_that_are_in_each_others_way(one: str, other: str, load: Load) -> None:
    found = errors(load, f"{{ listen: ['{one}', '{other}'] }}")
    assert [message.partition(":")[0] for message in found if "port" in message or "same" in message] == [
        "listen[1]"
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://localhost:80", "http://localhost:81"),
        ("http://127.0.0.1:80", "http://[::1]:80"),
        ("http://0.0.0.0:80", "http://[::]:80"),
        ("http://[::]:80", "http://127.0.0.1:80"),
        ("http://0.0.0.0:80", "http://somewhere.example:80"),
        ("http://10.0.0.1:80", "http://10.0.0.2:80"),
        ("http://127.0.0.1:0", "http://127.0.0.1:0"),
        ("http://:0", "http://:0"),
        ("unix:a.sock", "unix:b.sock"),
    ],
)
def test_endpoints_side_by_side(one: str, other: str, load: Load) -> None:
    assert not load(f"{{ listen: ['{one}', '{other}'] }}").warnings


def test_metrics_share_nothing_and_have_no_tls(load: Load) -> None:
    assert errors(load, "{ metrics: { listen: 'http://localhost:4100' } }") == [
        "metrics.listen: 'http://localhost:4100' is the same as http://localhost:4100"
    ]
    assert errors(load, "{ metrics: { listen: 'https://localhost:9100' } }") == [
        "metrics.listen: 'https://localhost:9100' is https, and metrics have no TLS"
    ]
    assert load("{ metrics: {} }").config.metrics is not None
    assert load("{ metrics: false }").config.metrics is None


# Sockets


def test_a_socket_in_the_place_of_a_file(load: Load, here: Path) -> None:
    (here / "x").write_text("precious")
    assert [
        message.partition(":")[0] for message in errors(load, "{ control: 'x', listen: 'unix:site' }")
    ] == [
        "listen",
        "control",
    ]


def test_a_socket_left_by_the_last_run_is_no_problem(load: Load, here: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(here / "web.sock"))
    assert not load("{ listen: 'unix:web.sock' }").warnings


# Routes


@pytest.mark.parametrize(
    ("matches", "shadowed"),
    [
        (["", "/ws/"], [1]),
        (["/ws/", ""], []),
        (["/a/", "/a/b", "/a/b/"], [1, 2]),
        (["/a", "/a/", "/a"], [2]),
        (["/", "/a", ""], []),
        (["/", "/"], [1]),
        (["/a/b/", "/a/"], []),
        (["/ab/", "/a/"], []),
        (["", "", ""], [1, 2]),
    ],
)
def test_routes_that_are_never_reached(matches: list[str], shadowed: list[int], load: Load) -> None:
    routes = ", ".join(f"{{ match: '{match}' }}" for match in matches)
    found = [
        problem
        for problem in load(f"{{ routes: [{routes}] }}").warnings
        if "never reached" in problem.message
    ]
    assert [problem.path for problem in found] == [f"routes[{index}]" for index in shadowed]


def test_a_route_that_is_never_reached_names_both_places(load: Load) -> None:
    (warning,) = load("{ routes: [\n {},\n { match: '/ws/', handler: 'action' }] }").warnings
    assert warning.line == 3
    assert (
        warning.message
        == "is never reached: routes[0].match ('' by default) takes everything below /ws/ before it"
    )
    assert warning.hint == "move it in front of routes[0]"


@pytest.mark.parametrize(
    ("route", "message"),
    [
        ("match: '/a/', trim: '/b'", "trim: '/b' is no beginning of '/a/', so nothing is ever taken off"),
        ("match: '/abc', trim: '/a'", "trim: '/a' is no beginning of '/abc', so nothing is ever taken off"),
        ("stream: true", "stream: true has no effect on files"),
        (
            "methods: 'PUT'",
            "methods: 'PUT' has PUT, and the packaged site cannot be changed: they are answered 403",
        ),
    ],
)
def test_settings_of_routes_without_effect(route: str, message: str, load: Load) -> None:
    assert messages(load(f"{{ routes: [{{ {route} }}] }}")) == [f"routes[0].{message}"]


@pytest.mark.parametrize(
    "route",
    [
        "match: '/a/', trim: '/a'",
        "match: '/a/b', trim: '/a'",
        "match: '/a', trim: '/a'",
        "trim: '/a'",
        "handler: 'action', stream: true",
        "handler: 'action', methods: ['PUT']",
    ],
)
def test_settings_of_routes_with_effect(route: str, load: Load) -> None:
    assert not load(f"{{ routes: [{{ {route} }}] }}").warnings


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        ("redirect: [{ from: '/a', to: '/a' }]", True),
        ("redirect: [{ from: '/a/', to: '/a/b' }]", True),
        ("redirect: [{ from: '', to: '/b' }]", True),
        ("redirect: [{ from: '/a', to: '/a/' }]", False),
        ("redirect: [{ from: '/', to: '/index.html' }]", False),
        ("redirect: [{ from: '', to: 'https://example.com/' }]", False),
        ("redirect: [{ from: 'http://', to: 'https://' }]", False),
        ("redirect: [{ from: 'http:///a', to: '/a' }]", True),
        ("redirect: [{ from: '/a', to: '/b' }, { from: '/b', to: '/a' }]", True),
        ("redirect: [{ from: '/a', to: '/b' }, { from: '/b', to: '/c' }, { from: '/c', to: '/a' }]", True),
        ("redirect: [{ from: '/a', to: '/b' }, { from: '/b', to: '/c' }]", False),
        ("redirect: [{ from: 'http://', to: 'https://' }, { from: 'https://', to: 'http://' }]", True),
        ("redirect: [{ from: '/a', to: 'https://' }, { from: 'https:///a', to: 'http://' }]", True),
        ("redirect: [{ from: 'http:///a', to: 'https://' }, { from: 'https:///', to: '/a' }]", False),
        ("name: 'a.b', redirect: [{ from: 'http://', to: 'https://a.b/' }]", False),
        ("routes: [{ match: '/a/', redirect: '/a/b' }]", True),
        ("routes: [{ match: '/a', redirect: '/b' }]", False),
    ],
)
def test_redirects_that_go_round_in_circles(text: str, loop: bool, load: Load) -> None:
    if loop:
        assert "go round in circles" in errors(load, f"{{ {text} }}")[0]
    else:
        assert not load(f"{{ {text} }}").warnings


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("redirect: [{ from: 'https://', to: 'https://' }]", True),
        ("name: 'a.b', redirect: [{ from: 'https:///x/', to: 'https://A.b:443/x/y' }]", True),
        ("name: 'a.b', redirect: [{ from: '', to: 'http://a.b/' }]", True),
        ("name: 'a.b', redirect: [{ from: '', to: 'http://b.b/' }]", False),
        ("name: 'a.b:4100', redirect: [{ from: '', to: 'http://a.b:4100/' }]", True),
        ("listen: 'http://:80', name: 'a.b:443', redirect: [{ from: '', to: 'http://a.b/' }]", True),
        ("redirect: [{ from: 'http:///x', to: 'http://' }]", True),
        ("name: 'a.b', trustedProxies: ['10.0.0.1'], redirect: [{ from: '', to: 'http://a.b/' }]", False),
        ("name: 'a.b', redirect: [{ from: '', to: 'https://a.b/' }]", False),
    ],
)
def test_redirects_to_where_clients_are_already(text: str, never: bool, load: Load) -> None:
    found = messages(load(f"{{ {text} }}"))
    assert [message.endswith("none is ever redirected") for message in found] == [True] * never


# Folders


def test_documents_that_hold_actions_are_refused(load: Load, here: Path) -> None:
    (message,) = errors(load, "{ documents: '.', actions: 'actions' }")
    assert message.startswith("documents: '.' is a folder that holds the actions")
    (message,) = errors(
        load, "{ documents: 'site', actions: 'actions', routes: [{ documents: './actions' }] }"
    )
    assert message.startswith("routes[0].documents: './actions' is a folder that holds the actions")


def test_documents_that_hold_actions_by_a_link_are_refused(load: Load, here: Path) -> None:
    (here / "site/code").symlink_to("../actions")
    (message,) = errors(
        load, "{ documents: 'site', actions: 'site/code', routes: [{ documents: 'actions' }] }"
    )
    assert message.startswith("routes[0].documents: 'actions' is a folder that holds the actions")


def test_documents_that_no_route_serves_are_not_looked_at(load: Load, here: Path) -> None:
    assert not load("{ documents: '.', actions: 'actions', routes: [{ handler: 'action' }] }").warnings


def test_documents_that_hold_the_file_or_the_log_are_doubtful(load: Load, here: Path) -> None:
    found = messages(load("{ documents: '.', actions: '/usr/lib', log: { path: 'web.log' } }"))
    assert found == [
        "documents: '.' is a folder that holds this configuration: it would be served as /web.json5",
        f"documents: '.' is a folder that holds the log ({here}/web.log): it would be served",
    ]


def test_a_log_that_no_start_could_open_is_refused(load: Load, here: Path) -> None:
    (here / "logs").mkdir()
    assert not load("{ log: { path: 'logs/web.log' } }").warnings
    assert errors(load, "{ log: { path: 'logs' } }") == [f"log.path: 'logs' is a folder ({here}/logs)"]
    assert errors(load, "{ log: { path: 'log/web.log' } }") == [
        f"log.path: 'log/web.log' is in a folder that does not exist ({here}/log)"
    ]


@pytest.mark.parametrize("place", ["log: { path: '%s/web.log' }", "documents: '%s'", "upload: { dir: '%s' }"])
def test_a_place_that_cannot_be_there_does_not_break_the_check(place: str, load: Load, here: Path) -> None:
    (here / "around").symlink_to("around")
    for name in ("around", "x" * 300):
        with suppress(ConfigError):
            load(f"{{ {place % name} }}")


def test_what_only_another_user_may_look_at_is_no_problem() -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "web.json5")
        Path(folder, "private").mkdir(mode=0o000)
        Path(folder).chmod(0o755)
        for place in (
            "log: { path: 'private/logs/web.log' }",
            "documents: 'private/site'",
            "upload: { dir: 'private/forms' }",
        ):
            file.write_text(f"{{ {place} }}")
            with nobody():
                assert not load_config(file).warnings


@pytest.mark.parametrize("match", ["/a/../b", "/a/./", "/..", "/a/."])
def test_a_route_that_no_path_could_reach_is_refused(match: str, load: Load) -> None:
    assert errors(load, f"{{ routes: [{{ match: '{match}' }}] }}") == [
        f"routes[0].match: '{match}' has a dot segment"
    ]
    assert not load("{ routes: [{ match: '/.well-known/' }, { match: '/a..b' }] }").warnings


def test_uploads_into_the_actions_are_refused(load: Load, here: Path) -> None:
    routes = "routes: [{ match: '/up/', methods: ['PUT'], documents: 'actions/up' }]"
    (message,) = errors(load, f"{{ actions: 'actions', {routes} }}")
    assert message.startswith("routes[0].documents: 'actions/up' is inside the actions")


def test_folders_that_are_not_there(load: Load, here: Path) -> None:
    (here / "file").write_text("")
    assert messages(load("{ documents: 'x', actions: ['actions', 'y'], upload: { dir: 'z' } }")) == [
        f"documents: 'x' is a folder that does not exist ({here}/x)",
        f"actions[1]: 'y' is a folder that does not exist ({here}/y)",
    ]
    assert errors(load, "{ documents: 'file' }") == [f"documents: 'file' is not a folder ({here}/file)"]
    assert errors(load, "{ upload: { dir: 'file' } }") == [
        f"upload.dir: 'file' is not a folder ({here}/file)"
    ]
    # Uploads make their folder, a start that of forms, and the default of actions is an offer.
    assert not load("{ routes: [{ methods: ['PUT'], documents: 'new' }] }").warnings


# Proxies


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_a_proxy_that_is_everybody(network: str, load: Load) -> None:
    (message,) = messages(load(f"{{ trustedProxies: ['{network}'] }}"))
    assert message == f"trustedProxies: has {network}, which is everybody: any client can claim any address"
