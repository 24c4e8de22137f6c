"""Import a plugin and find out what it binds."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from types import ModuleType

from ioto_server.session import Action, ActionFunction

from .decorator import ATTRIBUTE, Binding, action, check_prefix
from .errors import PluginError, from_exception
from .finder import PluginFile
from .modules import Root


def import_plugin(plugin: PluginFile, root: Root) -> ModuleType:
    """Import a plugin below `root`; raises PluginError when that fails.

    Its modules are named by their place, so that helpers beside it work: `from ._helper import x`.
    """
    name = root.full_name(plugin.parts)
    try:
        module = importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise from_exception(plugin.file, error) from error
    if module.__file__ != str(plugin.file):
        raise PluginError(
            plugin.file, None, f"{module.__file__} is a plugin of the same name: give one of them another"
        )
    return module


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
        found += [make_action(binding, value, plugin.file) for binding in bindings]
    plain = getattr(module, "action", None)
    if not found and callable(plain) and plain is not action:
        prefix = getattr(module, "PREFIX", plugin.prefix)
        try:
            found.append(make_action(Binding(check_prefix(prefix)), plain, plugin.file))
        except (ValueError, AttributeError) as error:
            raise PluginError(plugin.file, None, f"PREFIX: {error}") from error
    return found


def make_action(binding: Binding, function: ActionFunction, file: Path) -> Action:
    """An Action that knows where its function stands."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    line = code.co_firstlineno if code is not None else 1
    return Action(
        prefix=binding.prefix,
        function=function,
        file=file,
        line=line,
        protocols=binding.protocols,
        stream=binding.stream,
        text=binding.text,
        drop_when_slow=binding.drop_when_slow,
        own=binding.own,
    )
