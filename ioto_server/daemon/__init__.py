"""What runs for months: the process around the server."""

from .outcome import FAILED, MISUSED, OK, report_plugin
from .preflight import PluginProblem, plugin_problems, route_warnings
from .run import run

__all__ = [
    "FAILED",
    "MISUSED",
    "OK",
    "PluginProblem",
    "plugin_problems",
    "report_plugin",
    "route_warnings",
    "run",
]
