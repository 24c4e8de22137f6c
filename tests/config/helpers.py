"""What several tests of the configuration share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ioto_server.config import ConfigError, Loaded, load_config

Load = Callable[..., Loaded]


def messages(loaded: Loaded) -> list[str]:
    """The warnings, as "directive: message"."""
    return [f"{problem.path}: {problem.message}" for problem in loaded.warnings]


def errors(load: Load, *arguments: object, **options: object) -> list[str]:
    """The errors of what must not load, as "directive: message"."""
    with pytest.raises(ConfigError) as caught:
        load(*arguments, **options)
    return [f"{problem.path}: {problem.message}" for problem in caught.value.problems]


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user whom permissions hold for: root reads everything."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def loader(folder: Path) -> Load:
    """A function that loads a text as web.json5 of a folder, with drop-ins, `--set`s and variables."""

    def load(
        text: str = "{}", *sets: tuple[str, str], drop_ins: dict[str, str] | None = None, **environ: str
    ) -> Loaded:
        file = folder / "web.json5"
        file.write_text(text, newline="")
        for name, content in (drop_ins or {}).items():
            (folder / "web.d").mkdir(exist_ok=True)
            (folder / "web.d" / name).write_text(content)
        return load_config(file, overrides=sets, environ=environ)

    return load
