"""The fixture of most tests here."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.helpers import Load, loader


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """A function that loads a text as web.json5 of a folder of its own; see `loader`."""
    return loader(tmp_path)
