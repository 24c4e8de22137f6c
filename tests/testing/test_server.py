"""What can be served in a test, and by which configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from ioto_server import Host, Web, action
from ioto_server.config import Config, ConfigError
from ioto_server.plugins import PluginError
from ioto_server.testing import Client, Server
from tests.support import REPOSITORY

PLUGIN = """\
from ioto_server import Host, Web

from ._words import WORD


def io_start(host: Host) -> None:
    host.data.started = WORD
    host.add_action("/by/hand", by_hand)


def io_stop(host: Host) -> None:
    host.data.started = "stopped"


async def by_hand(web: Web) -> None:
    await web.websocket.send(web.host.data.started)


async def action(web: Web) -> None:
    await web.websocket.send(web.path)
"""


@action("/room")
async def room(web: Web) -> None:
    web.websocket.subscribe("room/a")
    async for message in web.websocket:
        web.host.publish("room/a", message)


@action("/page")
async def page(web: Web) -> None:
    if web.method == "POST":
        web.write((await web.read())[::-1])
    elif web.path_rest == "/json":
        web.write_json({"query": web.query})
    else:
        web.error(404, "There is nothing")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of plugins: one module with its helper, one package."""
    actions = tmp_path / "actions"
    (actions / "deep" / "down").mkdir(parents=True)
    (actions / "_words.py").write_text("WORD = 'begun'\n")
    (actions / "place.py").write_text(PLUGIN)
    (actions / "deep" / "down" / "__init__.py").write_text(
        "from ._part import answer\nasync def action(web): await web.websocket.send(answer)\n"
    )
    (actions / "deep" / "down" / "_part.py").write_text("answer = 'from the package'\n")
    return actions


def test_topics_join_the_clients_of_one_server() -> None:
    with Server(room) as server:
        ada, bob = server.connect("/room"), server.connect("/room")
        ada.send("hello")
        assert (ada.receive(), bob.receive()) == ("hello", "hello")
        bob.close()
        ada.send("alone")
        assert ada.receive() == "alone"
        assert server.host.topics.count("room/a") == 1


def test_the_test_may_publish_itself() -> None:
    with Client(room) as client:
        assert client.server.call(client.host.publish, "room/a", "from the test") == 1
        assert client.messages == ("from the test",)


def test_servers_know_nothing_of_each_other() -> None:
    with Server(room) as one, Server(room) as other:
        here, there = one.connect(), other.connect()
        here.send("for one")
        assert here.receive() == "for one"
        assert there.messages == ()
        assert [[line["event"] for line in server.log] for server in (one, other)] == [["websocket open"]] * 2


def test_plain_http() -> None:
    with Server(page) as server:
        answer = server.get("/page/json", query={"x": "1"})
        assert (answer.status, answer.json()) == (200, {"query": "x=1"})
        assert server.request("POST", "/page", body="abc").text == "cba"
        assert server.request("POST", "/page", json=[1, 2]).body == b"]2 ,1["
        missing = server.get("/page/nothing")
        assert (missing.status, missing.text) == (404, "There is nothing")
        assert server.request("HEAD", "/page/json").body == b""


def test_a_large_answer_comes_whole() -> None:
    async def large(web: Web) -> None:
        for number in range(1000):
            await web.write(b"%04d" % number * 250)

    with Server(large) as server:
        body = server.get("/").body
    assert body == b"".join(b"%04d" % number * 250 for number in range(1000))


def test_headers_of_the_test_replace_ours() -> None:
    async def host(web: Web) -> None:
        web.write_json([web.headers.get("host"), web.headers.get("accept")])

    with Server(host) as server:
        assert server.get("/").json() == ["localhost:4100", None]
        headers = [("Host", "127.0.0.1"), ("Accept", "text/html")]
        assert server.get("/", headers=headers).json() == ["127.0.0.1", "text/html"]


def test_a_folder_is_loaded_as_the_daemon_does(folder: Path) -> None:
    with Server(folder) as server:
        assert server.connect("/by/hand").receive() == "begun"
        assert server.connect("/place").receive() == "/place"
        assert server.connect("/deep/down").receive() == "from the package"
        host = server.host
    assert host.data.started == "stopped"
    assert not [name for name in sys.modules if name.startswith("ioto_testing")]


def test_a_file_and_a_package_are_loaded_alone(folder: Path) -> None:
    with Server(folder / "place.py", str(folder / "deep" / "down")) as server:
        assert server.connect("/by/hand").receive() == "begun"
        assert server.connect("/down").receive() == "from the package"


def test_a_module_that_is_imported_already() -> None:
    module = ModuleType("mine")

    async def plain(web: Web) -> None:
        await web.websocket.send("from the module")

    def start(host: Host) -> None:
        host.data.started = True

    module.__file__ = "/somewhere/mine.py"
    module.__dict__.update({"action": plain, "io_start": start})
    with Server(module) as server:
        assert server.connect("/mine").receive() == "from the module"
        assert server.host.data.started


def test_the_actions_that_ship() -> None:
    with Server(config=REPOSITORY / "etc" / "web.json5") as server:
        client = server.connect("/ws/echo")
        client.send("hi")
        assert client.receive() == "hi"
        assert server.connect("/test/websockets").receive() == "WebSocket connected"
        assert server.get("/").status == 200


def test_several_functions_together() -> None:
    with Server(room, page) as server:
        assert server.connect("/room").messages == ()
        assert server.get("/page/json").status == 200


def test_settings_are_directives() -> None:
    with Server(room, settings={"limits.maxMessage": "1KB", "webSockets.ping": "10 secs"}) as server:
        assert server.host.config.limits.max_message == 1024
        assert server.host.config.web_sockets.ping == 10


def test_settings_lie_over_a_file(tmp_path: Path) -> None:
    file = tmp_path / "web.json5"
    file.write_text("{ limits: { maxMessage: '1KB', maxFrame: '2KB' } }")
    with Server(room, config=file, settings={"limits.maxFrame": 512}) as server:
        limits = server.host.config.limits
        assert (limits.max_message, limits.max_frame) == (1024, 512)


def test_the_environment_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOTO_SET_LIMITS__MAXMESSAGE", "1KB")
    with Server(room, settings={"limits.maxFrame": 512}) as server:
        assert server.host.config.limits.max_message == Config().limits.max_message


def test_wrong_settings_are_named() -> None:
    with pytest.raises(ConfigError, match="12 bananas"):
        Server(room, settings={"limits.maxFrame": "12 bananas"})
    with pytest.raises(ConfigError, match=r"limits\.maxFrames"):
        Server(room, settings={"limits.maxFrames": 1})


def test_what_is_doubtful_in_a_file_is_a_warning(tmp_path: Path) -> None:
    file = tmp_path / "web.json5"
    file.write_text("{ lisen: ['http://:80'] }")
    with pytest.warns(UserWarning, match="listen"):
        Server(room, config=file)


def test_what_cannot_be_served(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.py").write_text("def (:\n")
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(PluginError, match=r"broken\.py:1: SyntaxError"):
        Server(folder / "broken.py")
    with pytest.raises(FileNotFoundError, match=r"Path\(__file__\)"):
        Server("nowhere/plugin.py")
    with pytest.raises(ValueError, match="has no action"):
        Server(tmp_path / "empty.py")
    with pytest.raises(TypeError, match="cannot be driven"):
        Server(42)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="another prefix"):
        Server(room, room)


def test_an_io_start_that_fails(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("def io_start(host):\n    raise OSError('no device')\n")
    with pytest.raises(PluginError, match=r"bad\.py:2: OSError: no device"), Server(file):
        pass


def test_the_log_can_be_looked_at() -> None:
    with Client(room) as client:
        client.close(4000, "done")
        events = [line["event"] for line in client.server.log]
        assert events[0] == "websocket open"
        assert events[-1] == "websocket close"
        assert client.server.log[-1]["close"] == "4000 private use"
