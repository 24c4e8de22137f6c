"""Which files are plugins, what they bind, and what is said of those that cannot be used (SPEC 7)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ioto_server.config import Config
from ioto_server.plugins import PluginError, Plugins
from ioto_server.session import Clock, Core, Host

DECORATED = """\
from ioto_server import Web, action

@action({prefix!r})
async def serve(web: Web) -> None:
    pass
"""


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def prefixes(folder: Path) -> list[str]:
    return [action.prefix for action in Plugins.load([folder]).actions()]


def make_core() -> Core:
    return Core(Config(), Clock(0.0))


def test_decorators_bind(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": DECORATED.format(prefix="/ws/a"), "deep/b.py": DECORATED.format(prefix="/b")})
    assert prefixes(tmp_path) == ["/b", "/ws/a"]


def test_one_function_may_carry_several_decorators_and_one_file_several_functions(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "many.py": "from ioto_server import action\n"
            "@action('/one')\n@action('/two')\nasync def first(web): ...\n"
            "@action('/three', protocols=['x'], stream=True, text=bytes)\nasync def second(web): ...\n"
        },
    )
    actions = Plugins.load([tmp_path]).actions()
    assert [one.prefix for one in actions] == ["/one", "/three", "/two"]
    third = actions[1]
    assert (third.protocols, third.stream, third.text) == (("x",), True, bytes)
    assert (actions[0].protocols, actions[0].stream, actions[0].text) == (None, False, str)


def test_a_plain_module_is_bound_by_its_place(tmp_path: Path) -> None:
    write(tmp_path, {"test/websockets.py": "async def action(web): ...\n"})
    assert prefixes(tmp_path) == ["/test/websockets"]


def test_a_plain_module_is_bound_by_its_prefix_constant(tmp_path: Path) -> None:
    write(tmp_path, {"thing.py": "PREFIX = '/other'\nasync def action(web): ...\n"})
    assert prefixes(tmp_path) == ["/other"]


def test_importing_the_decorator_alone_binds_nothing(tmp_path: Path) -> None:
    """`from ioto_server import action` puts a function `action` into the module, not the plugin's own."""
    write(tmp_path, {"none.py": "from ioto_server import action\n"})
    assert prefixes(tmp_path) == []


def test_names_with_underscore_or_dot_are_no_plugins(tmp_path: Path) -> None:
    write(
        tmp_path, {"_helper.py": "raise SystemError", ".hidden.py": "raise SystemError", "_x/y.py": "raise 1"}
    )
    assert prefixes(tmp_path) == []


def test_a_package_is_one_plugin_with_its_own_modules(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pack/__init__.py": "from .inner import NAME\nfrom ioto_server import action\n"
            "@action(NAME)\nasync def serve(web): ...\n",
            "pack/inner.py": "NAME = '/packed'\n",
        },
    )
    assert prefixes(tmp_path) == ["/packed"]


def test_a_plugin_imports_the_helper_beside_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "deep/_names.py": "NAME = '/helped'\n",
            "deep/plugin.py": "from ._names import NAME\nPREFIX = NAME\nasync def action(web): ...\n",
        },
    )
    assert prefixes(tmp_path) == ["/helped"]


def test_an_imported_action_is_bound_once_by_the_module_it_is_from(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"a.py": DECORATED.format(prefix="/a"), "b.py": "from .a import serve\n"},
    )
    assert prefixes(tmp_path) == ["/a"]


def test_two_folders_do_not_mix(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"same.py": "PREFIX = '/1'\nasync def action(web): ...\n"})
    two = write(tmp_path / "two", {"same.py": "PREFIX = '/2'\nasync def action(web): ...\n"})
    assert [action.prefix for action in Plugins.load([one, two]).actions()] == ["/1", "/2"]


def test_a_folder_that_does_not_exist_has_no_plugins(tmp_path: Path) -> None:
    assert prefixes(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("path", "prefix", "rest"),
    [
        ("/ws", "/ws", ""),
        ("/ws/", "/ws", "/"),
        ("/ws/echo", "/ws/echo", ""),
        ("/ws/echo/x/y", "/ws/echo", "/x/y"),
        ("/ws/echoes", "/ws", "/echoes"),
        ("/wsx", None, ""),
        ("/", None, ""),
    ],
)
def test_whole_segments_match_and_the_longest_wins(
    tmp_path: Path, path: str, prefix: str | None, rest: str
) -> None:
    write(tmp_path, {"a.py": DECORATED.format(prefix="/ws"), "b.py": DECORATED.format(prefix="/ws/echo")})
    found = Plugins.load([tmp_path]).find(path)
    assert (found and (found[1].prefix, found[2])) == (None if prefix is None else (prefix, rest))


def test_two_plugins_with_one_prefix_are_an_error_naming_both(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": DECORATED.format(prefix="/same"), "b.py": DECORATED.format(prefix="/same")})
    with pytest.raises(PluginError) as caught:
        Plugins.load([tmp_path])
    assert str(caught.value) == (
        f"{tmp_path}/b.py:3: The prefix '/same' is bound by {tmp_path}/a.py:3 already: "
        "give one of them another prefix"
    )


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("x = 1\ndef broken(:\n", 2, "SyntaxError: invalid syntax"),
        ("x = 1\n\ny = 1 / 0\n", 3, "ZeroDivisionError: division by zero"),
        (
            "import no_such_module_anywhere\n",
            1,
            "ModuleNotFoundError: No module named 'no_such_module_anywhere'",
        ),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
        (
            "from ioto_server import action\n@action('ws')\nasync def a(web): ...\n",
            2,
            "ValueError: The prefix 'ws' is not a URL path: write it as '/ws/name'",
        ),
        (
            "from ioto_server import action\n@action('/a', protocols='chat')\nasync def a(web): ...\n",
            2,
            "TypeError: @action('/a', protocols='chat'): give a list of names, such as ['chat']",
        ),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_named_with_its_line(
    tmp_path: Path, source: str, line: int, reason: str
) -> None:
    write(tmp_path, {"bad.py": source})
    with pytest.raises(PluginError) as caught:
        Plugins.load([tmp_path])
    assert (caught.value.file, caught.value.line, caught.value.reason) == (tmp_path / "bad.py", line, reason)
    assert reason.partition(":")[0] in caught.value.trace


def test_the_traceback_shows_the_author_s_own_lines_only(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"_deep.py": "def fail():\n    raise KeyError('x')\n", "bad.py": "from ._deep import fail\nfail()\n"},
    )
    with pytest.raises(PluginError) as caught:
        Plugins.load([tmp_path])
    assert caught.value.line == 2
    assert f'{tmp_path}/_deep.py", line 2' in caught.value.trace
    assert "importlib" not in caught.value.trace
    assert "loader.py" not in caught.value.trace


def test_io_start_binds_by_hand_and_io_stop_runs_last_first(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.py": "async def serve(web): ...\n"
            "def io_start(host):\n    host.data.told = ['a']\n    host.add_action('/by/hand', serve)\n"
            "def io_stop(host):\n    host.data.told.append('stop a')\n",
            "b.py": "async def io_start(host):\n    host.data.told.append('b')\n"
            "async def io_stop(host):\n    host.data.told.append('stop b')\n",
        },
    )
    plugins = Plugins.load([tmp_path])
    core = make_core()
    asyncio.run(plugins.start(core))
    assert core.data.told == ["a", "b"]
    assert plugins.find("/by/hand/x") is not None
    asyncio.run(plugins.stop(core))
    assert core.data.told == ["a", "b", "stop b", "stop a"]


def test_io_start_that_raises_stops_the_start_with_its_line(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "def io_start(host):\n    raise OSError('no sensor')\n"})
    with pytest.raises(PluginError, match=r"a\.py:2: OSError: no sensor"):
        asyncio.run(Plugins.load([tmp_path]).start(make_core()))


def test_an_io_start_that_does_not_end_is_given_up(tmp_path: Path) -> None:
    """What was started before is stopped; what ignores its cancellation is not waited for."""
    write(
        tmp_path,
        {
            "a.py": "def io_start(host): host.data.stopped = []\n"
            "def io_stop(host): host.data.stopped.append('a')\n",
            "b.py": "import asyncio\n"
            "async def io_start(host):\n"
            "    while True:\n"
            "        try:\n"
            "            await asyncio.Event().wait()\n"
            "        except asyncio.CancelledError:\n"
            "            if host.data.stopped:\n"
            "                raise\n",
        },
    )
    core = make_core()
    begun: list[str] = []

    async def run() -> None:
        with pytest.raises(PluginError, match=r"b\.py: io_start has not ended.*b\.py:5 in io_start\(\)"):
            await Plugins.load([tmp_path]).start(core, 0.1, lambda file: begun.append(file.name))
        assert core.data.stopped == ["a"]
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    asyncio.run(run())
    assert begun == ["a.py", "b.py"]


def test_a_role_other_than_public_is_refused(tmp_path: Path) -> None:
    write(
        tmp_path,
        {"a.py": "async def s(web): ...\ndef io_start(host):\n    host.add_action('/a', s, role='admin')\n"},
    )
    with pytest.raises(PluginError, match="roles need authentication"):
        asyncio.run(Plugins.load([tmp_path]).start(make_core()))


def test_add_action_outside_io_start_is_refused() -> None:
    with pytest.raises(RuntimeError, match="outside io_start"):
        Host(make_core(), "here").add_action("/a", lambda web: None)


def test_a_failing_io_stop_does_not_keep_the_others_from_stopping(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.py": "def io_start(host): host.data.stopped = []\n"
            "def io_stop(host): host.data.stopped.append('a')\n",
            "b.py": "def io_start(host): ...\ndef io_stop(host): raise OSError\n",
        },
    )
    plugins = Plugins.load([tmp_path])
    core = make_core()

    async def run() -> None:
        await plugins.start(core)
        await plugins.stop(core)

    asyncio.run(run())
    assert core.data.stopped == ["a"]
