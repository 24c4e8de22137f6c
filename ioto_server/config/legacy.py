"""Directives of the original that this server does not have, and what to use instead (SPEC 2).

They are named in one warning. What protects is not among them: `auth` is an error, because serving without it
would serve more than the file says.
"""

from __future__ import annotations

from ioto_server.config.problems import Problem
from ioto_server.config.scan import Node

_SESSIONS = "an action keeps what it needs itself, under a cookie of its own"
_SIGNATURES = "requests are checked in the action, where the data is used"
_XSRF = "compare the Origin header in the action; WebSockets do it with webSockets.origins"
_TLS = "Python's TLS settings are used: TLS 1.2 and later"

INSTEAD = {
    "enable": "the server is started and stopped with systemd or `ioto-server stop`",
    "limits.buffer": "buffers need no setting; limits.maxBacklog bounds what waits for a slow client",
    "limits.sessions": _SESSIONS,
    "log.types": "use log.level",
    "log.sources": "use log.level",
    "roles": "there is no authentication yet; put a proxy that authenticates in front",
    "routes[].signatures": _SIGNATURES,
    "routes[].validate": _SIGNATURES,
    "routes[].xsrf": _XSRF,
    "sessions": _SESSIONS,
    "signatures": _SIGNATURES,
    "ssl": "use tls",
    "timeouts.session": _SESSIONS,
    "timeouts.tls": "timeouts.parse covers it",
    "tls.protocol": _TLS,
    "tls.protocols": _TLS,
    "tls.renegotiate": _TLS,
    "tls.session": _TLS,
    "tls.ticket": _TLS,
    "users": "there is no authentication yet; put a proxy that authenticates in front",
    "validate": _SIGNATURES,
    "xsrf": _XSRF,
}


def is_auth(path: str) -> bool:
    """Whether a directive asks for authentication."""
    return path in ("auth", "routes[].auth")


def auth_problem(node: Node, path: str) -> Problem:
    """The error for authentication that does not exist."""
    return node.source.problem(
        "asks for authentication, which this version does not have: everybody would get in",
        "put a proxy that authenticates in front of the server, and take auth out",
        offset=node.key,
        path=path,
    )


def warning(found: list[tuple[str, str, Node]]) -> Problem:
    """One warning for all of them: (path as messages write it, path of `INSTEAD`, node) each."""
    lines = []
    for path, pattern, node in found:
        line, _ = node.source.place(node.key)
        place = f" (line {line})" if line else ""
        lines.append(f"{path}{place}: {INSTEAD[pattern]}")
    first = found[0][2]
    message = "directives of the original without effect here: " + ", ".join(path for path, _, _ in found)
    return first.source.problem(message, "\n     ".join(lines), offset=first.key, severity="warning")
