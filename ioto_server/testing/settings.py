"""The configuration that a test runs with: the defaults, a file, and what the test changes."""

from __future__ import annotations

import json
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

from ioto_server.config import Config, load_config


def make_config(config: str | Path | Config | None, settings: Mapping[str, object] | None) -> Config:
    """The configuration of a file, or the defaults, with `settings` laid over it.

    `settings` are directives by their dotted names, as for `ioto-server start --set`. Raises ConfigError
    with everything that is wrong; what is only doubtful becomes a Python warning.
    """
    if isinstance(config, Config):
        if settings:
            raise TypeError("Give settings with a file or alone: a Config is complete already")
        return config
    overrides = [(path, json.dumps(value)) for path, value in (settings or {}).items()]
    if config is not None:
        return _load(Path(config), overrides)
    if not overrides:
        return Config()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "web.json5")
        file.write_text("{}")
        return _load(file, overrides)


def _load(file: Path, overrides: list[tuple[str, str]]) -> Config:
    # The environment of whoever runs the tests must not change what they find.
    loaded = load_config(file, overrides=overrides, environ={})
    for problem in loaded.warnings:
        warnings.warn(str(problem), stacklevel=4)
    return loaded.config
