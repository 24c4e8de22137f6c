"""WSS is WS: whole suites of the daemon's tests, run again over TLS with the fixtures of the folder above."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

# Fixtures whose daemon has an https endpoint here.
DAEMONS = {"daemon", "start_daemon", "roomy_daemon"}


def over_tls(namespace: dict[str, Any], suite: str, *, long: bool = False, **without: str) -> None:
    """Put the tests of a module that meet a daemon, and its fixtures, into another.

    `without` names those that TLS makes no sense for, each with the reason. A suite that is `long` runs with
    --long only.
    """
    module = importlib.import_module(suite)
    fixtures = {name: value for name, value in vars(module).items() if is_fixture(value)}
    namespace.update(fixtures)
    for name, value in vars(module).items():
        if name.startswith("test_") and name not in without:
            asked = set(inspect.signature(value).parameters)
            if asked & (DAEMONS | set(fixtures)):
                namespace[name] = value
    missing = [name for name in without if not hasattr(module, name)]
    assert not missing, f"{suite} has no test of this name: {missing}"
    marks = getattr(module, "pytestmark", [])
    marks = [*marks] if isinstance(marks, list) else [marks]
    namespace["pytestmark"] = [*marks, *([pytest.mark.long] if long else [])]


def is_fixture(value: object) -> bool:
    return type(value).__name__ == "FixtureFunctionDefinition"
