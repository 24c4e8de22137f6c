"""Import a plugin and find out what it binds."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType

from ioto_server.session import Action, ActionFunction

from .decorator import ATTRIBUTE, Binding, action, check_prefix
from .errors import PluginError, from_exception
from .finder import PluginFile


def import_plugin(plugin: PluginFile, root: str) -> ModuleType:
    """Import a plugin below the package `root`; raises PluginError when that fails.

    Its modules are named by their place, so that helpers beside it work: `from ._helper import x`.
    """
    name = _package(plugin, root)
    spec = importlib.util.spec_from_file_location(
        name,
        plugin.file,
        submodule_search_locations=[str(plugin.file.parent)] if plugin.file.name == "__init__.py" else None,
    )
    if spec is None or spec.loader is None:
        raise PluginError(
            plugin.file, None, "Python has no loader for this file: plugins are *.py files and packages"
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        del sys.modules[name]
        raise from_exception(plugin.file, error) from error
    return module


def forget(root: str) -> None:
    """Let go of every module below the package `root`; what still runs keeps what it uses."""
    for name in [name for name in sys.modules if name == root or name.startswith(f"{root}.")]:
        del sys.modules[name]


def _package(plugin: PluginFile, root: str) -> str:
    """The plugin's full module name, its parent packages made where they are missing."""
    name = root
    path = plugin.folder
    _ensure_package(name, path)
    for part in plugin.parts[:-1]:
        name = f"{name}.{part}"
        path = path / part
        _ensure_package(name, path)
    return f"{name}.{plugin.parts[-1]}"


def _ensure_package(name: str, path: Path) -> None:
    package = sys.modules.get(name)
    if package is None:
        package = ModuleType(name)
        sys.modules[name] = package
    package.__path__ = [str(path)]


def actions_of(module: ModuleType, plugin: PluginFile) -> list[Action]:
    """The actions that a module binds: by its decorators, else by its function `action(web)`.

    Raises PluginError for a PREFIX that is no path.
    """
    found: list[Action] = []
    seen: set[int] = set()
    for value in vars(module).values():
        bindings: list[Binding] | None = getattr(value, ATTRIBUTE, None) if callable(value) else None
        # A function may have two names in a module, and an imported one belongs to the module it is from.
        if bindings is None or id(value) in seen or getattr(value, "__module__", None) != module.__name__:
            continue
        seen.add(id(value))
        found += [
            make_action(binding.prefix, value, plugin.file, binding.protocols, binding.stream, binding.text)
            for binding in bindings
        ]
    plain = getattr(module, "action", None)
    if not found and callable(plain) and plain is not action:
        prefix = getattr(module, "PREFIX", plugin.prefix)
        try:
            found.append(make_action(check_prefix(prefix), plain, plugin.file))
        except (ValueError, AttributeError) as error:
            raise PluginError(plugin.file, None, f"PREFIX: {error}") from error
    return found


def make_action(
    prefix: str,
    function: ActionFunction,
    file: Path,
    protocols: tuple[str, ...] | None = None,
    stream: bool = False,
    text: type[str] | type[bytes] = str,
) -> Action:
    """An Action that knows where its function stands."""
    try:
        line = inspect.getsourcelines(inspect.unwrap(function))[1]
    except (OSError, TypeError):
        line = 1
    return Action(prefix, function, file, line, protocols, stream, text)
