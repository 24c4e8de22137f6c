"""Find, import, register and start action modules (SPEC 7)."""

from .decorator import action
from .errors import PluginError
from .plugin import Plugin
from .registry import Plugins

__all__ = ["Plugin", "PluginError", "Plugins", "action"]
