"""Find, import, register and start action modules (SPEC 7)."""

from .decorator import action
from .errors import BeingSaved, PluginError
from .plugin import Plugin
from .registry import Plugins, stop_all

__all__ = ["BeingSaved", "Plugin", "PluginError", "Plugins", "action", "stop_all"]
