"""What a reload loads anew: what has changed, and what uses that; all else stays as it is (SPEC 7)."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from pathlib import Path

import pytest

from ioto_server.config import Config
from ioto_server.plugins import PluginError, Plugins, stop_all
from ioto_server.plugins.modules import _FINDER
from ioto_server.session import Clock, Core

from .test_loading import write

PLUGIN = (
    "from ._shared import BOX\nPREFIX = '/{name}'\nVALUE = {value}\n"
    "async def action(web): return BOX, VALUE\n"
)


def make_core() -> Core:
    return Core(Config(), Clock(0.0))


def editions(plugins: Plugins) -> dict[str, object]:
    return {plugin.source.name: plugin for plugin in plugins.plugins}


def changed(before: Plugins, after: Plugins) -> set[str]:
    """The names of plugins that are new, or of another edition."""
    old = editions(before)
    return {name for name, plugin in editions(after).items() if old.get(name) is not plugin}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(
        tmp_path,
        {
            "_shared.py": "BOX = []\n",
            "a.py": PLUGIN.format(name="a", value=1),
            "b.py": PLUGIN.format(name="b", value=1),
            "alone.py": "async def action(web): ...\n",
        },
    )


def module(plugins: Plugins, name: str) -> object:
    return next(plugin.module for plugin in plugins.plugins if plugin.source.name == name)


def test_without_a_change_all_stays(folder: Path) -> None:
    plugins = Plugins.load([folder])
    (folder / "a.py").touch()
    assert plugins.follow([folder]) is plugins


def test_a_changed_plugin_is_loaded_anew_and_its_unchanged_helper_is_not(folder: Path) -> None:
    first = Plugins.load([folder])
    write(folder, {"a.py": PLUGIN.format(name="a", value=2)})
    second = first.follow([folder])
    assert changed(first, second) == {"a.py"}
    assert (module(first, "a.py").VALUE, module(second, "a.py").VALUE) == (1, 2)
    # State that plugins share in a helper outlives the change of one of them.
    assert module(second, "a.py").BOX is module(second, "b.py").BOX


def test_the_same_length_within_the_same_second_is_a_change(folder: Path) -> None:
    plugins = Plugins.load([folder])
    for value in range(2, 6):
        write(folder, {"a.py": PLUGIN.format(name="a", value=value)})
        plugins = plugins.follow([folder])
        seen = module(plugins, "a.py").VALUE
        assert seen == value
    assert not list(folder.rglob("__pycache__"))


def test_a_changed_helper_takes_those_along_that_import_it(folder: Path) -> None:
    first = Plugins.load([folder])
    write(folder, {"_shared.py": "BOX = ['new']\n"})
    second = first.follow([folder])
    assert changed(first, second) == {"a.py", "b.py"}
    assert module(second, "a.py").BOX is module(second, "b.py").BOX
    assert (module(first, "a.py").BOX, module(second, "a.py").BOX) == ([], ["new"])


def test_helpers_of_helpers_and_late_imports_count(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "_deep.py": "VALUE = 1\n",
            "_helper.py": "from . import _deep\n",
            "early.py": "from ._helper import _deep\nasync def action(web): ...\n",
            "sub/late.py": "async def action(web):\n    from .._deep import VALUE\n    return VALUE\n",
        },
    )
    first = Plugins.load([tmp_path])
    write(tmp_path, {"_deep.py": "VALUE = 2\n"})
    second = first.follow([tmp_path])
    assert changed(first, second) == {"early.py", "sub/late.py"}
    # An old connection imports late, and gets what stood there when its plugin was loaded.
    values = [asyncio.run(module(one, "sub/late.py").action(None)) for one in (first, second, first)]
    assert values == [1, 2, 1]


def test_of_several_editions_of_a_helper_the_one_in_force_is_taken_over(tmp_path: Path) -> None:
    """An old one is still there, beside a helper that has never changed."""
    write(
        tmp_path,
        {
            "_never.py": "",
            "_once.py": "VALUE = 0\n",
            "a.py": "from . import _never\nfrom ._once import VALUE\nasync def action(web): ...\n",
        },
    )
    plugins = Plugins.load([tmp_path])
    write(tmp_path, {"_once.py": "VALUE = 1\n"})
    plugins = plugins.follow([tmp_path])
    never = module(plugins, "a.py")._never
    write(tmp_path, {"a.py": (tmp_path / "a.py").read_text() + "# changed\n"})
    plugins = plugins.follow([tmp_path])
    assert module(plugins, "a.py").VALUE == 1
    assert module(plugins, "a.py")._never is never


def test_a_package_is_one_thing(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "pack/__init__.py": "from .inner import VALUE\nasync def action(web): ...\n",
            "pack/inner.py": "VALUE = 1\n",
            "pack/unused.py": "",
            "other.py": "async def action(web): ...\n",
        },
    )
    first = Plugins.load([tmp_path])
    write(tmp_path, {"pack/inner.py": "VALUE = 2\n"})
    second = first.follow([tmp_path])
    assert changed(first, second) == {"pack/__init__.py"}
    assert module(second, "pack/__init__.py").VALUE == 2
    write(tmp_path, {"pack/unused.py": "# now"})
    assert changed(second, second.follow([tmp_path])) == {"pack/__init__.py"}


def test_plugins_come_and_go(folder: Path) -> None:
    first = Plugins.load([folder])
    write(folder, {"c.py": PLUGIN.format(name="c", value=1)})
    (folder / "alone.py").unlink()
    second = first.follow([folder])
    assert changed(first, second) == {"c.py"}
    assert [action.prefix for action in second.actions()] == ["/a", "/b", "/c"]
    assert second.find("/alone") is None


def test_a_helper_that_appears_is_tried_by_those_who_missed_it(tmp_path: Path) -> None:
    source = (
        "try:\n    from ._local import VALUE\nexcept ImportError:\n    VALUE = 0\n"
        "async def action(web): ...\n"
    )
    write(tmp_path, {"a.py": source})
    first = Plugins.load([tmp_path])
    write(tmp_path, {"_local.py": "VALUE = 1\n"})
    assert module(first.follow([tmp_path]), "a.py").VALUE == 1


def test_what_is_imported_by_a_name_put_together_is_noticed(tmp_path: Path) -> None:
    source = (
        "import importlib\nVALUE = importlib.import_module('._he' + 'lper', __package__).VALUE\n"
        "async def action(web): ...\n"
    )
    write(tmp_path, {"a.py": source, "_helper.py": "VALUE = 1\n"})
    first = Plugins.load([tmp_path])
    write(tmp_path, {"_helper.py": "VALUE = 2\n"})
    assert module(first.follow([tmp_path]), "a.py").VALUE == 2


def test_a_broken_change_changes_nothing(folder: Path) -> None:
    first = Plugins.load([folder])
    names = set(sys.modules)
    write(folder, {"a.py": PLUGIN.format(name="a", value=2), "b.py": "1 / 0\n"})
    with pytest.raises(PluginError, match=r"b\.py:1: ZeroDivisionError"):
        first.follow([folder])
    assert set(sys.modules) == names
    write(folder, {"b.py": PLUGIN.format(name="b", value=2)})
    assert changed(first, first.follow([folder])) == {"a.py", "b.py"}


def test_a_prefix_of_a_plugin_that_stays_cannot_be_taken(folder: Path) -> None:
    first = Plugins.load([folder])
    write(folder, {"a.py": "PREFIX = '/b'\nasync def action(web): ...\n"})
    with pytest.raises(PluginError, match=r"'/b' is bound by .*a\.py:2 already"):
        first.follow([folder])


def test_two_plugins_of_one_name_are_an_error(tmp_path: Path) -> None:
    write(
        tmp_path, {"a.py": "PREFIX = '/1'\ndef action(web): ...\n", "a/__init__.py": "def action(web): ...\n"}
    )
    with pytest.raises(PluginError, match="of the same name"):
        Plugins.load([tmp_path])


def test_only_the_new_are_started_and_a_failed_start_leaves_the_old(tmp_path: Path) -> None:
    source = (
        "async def action(web): ...\n"
        "def io_start(host):\n    host.data.told = [*getattr(host.data, 'told', []), {name!r}]\n"
        "    host.add_action('/by/hand/{name}', action)\n"
        "    {fail}\n"
        "def io_stop(host):\n    host.data.told.append('stop ' + {name!r})\n"
    )
    write(tmp_path, {name: source.format(name=name[0], fail="pass") for name in ("a.py", "b.py")})
    core = make_core()

    async def live() -> None:
        first = Plugins.load([tmp_path])
        await first.start(core)
        write(tmp_path, {"a.py": source.format(name="A", fail="pass")})
        second = first.follow([tmp_path])
        await second.start(core)
        assert core.data.told == ["a", "b", "A"]
        assert second.find("/by/hand/b") is not None, "what an unchanged plugin has bound by hand stays bound"
        write(
            tmp_path,
            {"a.py": source.format(name="1", fail="pass"), "b.py": source.format(name="2", fail="1/0")},
        )
        third = second.follow([tmp_path])
        core.data.told.clear()
        with pytest.raises(PluginError, match=r"b\.py:5: ZeroDivisionError"):
            await third.start(core)
        assert core.data.told == ["1", "2", "stop 2", "stop 1"]
        await second.stop(core)

    asyncio.run(live())
    assert core.data.told[-2:] == ["stop b", "stop A"]


def test_nothing_is_left_of_old_editions(folder: Path) -> None:
    """Whichever of two plugins changes, by itself or by its helper, and in whichever order."""
    core = make_core()

    async def live() -> tuple[int, int, list[weakref.ref[object]]]:
        plugins = Plugins.load([folder])
        await plugins.start(core)
        names = roots = 0
        gone: list[weakref.ref[object]] = []
        for number in range(60):
            which = ("a.py", "b.py", "_shared.py")[number % 3]
            text = (
                f"BOX = [{number}]\n" if which == "_shared.py" else PLUGIN.format(name=which[0], value=number)
            )
            write(folder, {which: text})
            following = plugins.follow([folder])
            await following.start(core)
            for plugin in plugins.plugins:
                if plugin not in following.plugins:
                    gone.append(weakref.ref(plugin.module))
                    await stop_all([plugin], 1)
            plugins = following
            if number == 29:
                names, roots = len(sys.modules), len(_FINDER.roots)
        assert (len(sys.modules), len(_FINDER.roots)) == (names, roots)
        await plugins.stop(core)
        return names, roots, gone

    _, _, gone = asyncio.run(live())
    gc.collect()
    assert [module() for module in gone if module() is not None] == []
    assert not [
        name for name in sys.modules if str(folder) in str(getattr(sys.modules[name], "__file__", ""))
    ]
