"""What runs for months: the process around the server."""

from .run import FAILED, MISUSED, OK, report_plugin, run

__all__ = ["FAILED", "MISUSED", "OK", "report_plugin", "run"]
