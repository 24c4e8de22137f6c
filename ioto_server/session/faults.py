"""Faults of ours that a client is told little of: one line in the log for the operator."""

from __future__ import annotations

import structlog

from ioto_server.http import HttpError

_log = structlog.get_logger("ioto_server.http")


def log_fault(error: HttpError, path: str) -> None:
    """Log what of ours has failed, if that is why a request is refused."""
    if error.fault:
        _log.error("request failed", path=path, status=error.status, problem=error.fault)
