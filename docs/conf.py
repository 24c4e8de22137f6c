"""How the documentation is built: `python -m sphinx -W -b html docs build/docs`, without a network."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from made import api_page, commands_page, configuration_page

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "ioto-server"
author = "The ioto-server developers"
copyright = "The ioto-server developers"
release = version = installed("ioto-server")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
nitpicky = False

# Docstrings say `name` for code, as the pages do.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"ioto-server {version}"
html_theme_options = {"navigation_with_keys": True}

# Pages that are made from the program, so that they cannot say anything else than it does.
_MADE = {"configuration": configuration_page, "commands": commands_page, "api": api_page}


def _make(_app: Sphinx, page: str, source: list[str]) -> None:
    if page in _MADE:
        source[0] = _MADE[page](source[0])


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _make)
