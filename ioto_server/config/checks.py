"""Checks across directives that need nothing but the configuration itself.

An error stops the start: what was asked for cannot be done, or would give away more than was meant. A warning
is a setting without effect, or one that is rarely meant.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterator
from pathlib import Path

from ioto_server.config.checks_files import check_folders, check_sockets
from ioto_server.config.checks_redirects import check_redirects, covering, covers
from ioto_server.config.checks_tls import check_tls
from ioto_server.config.endpoint import Endpoint
from ioto_server.config.problems import Problem
from ioto_server.config.readers import is_site
from ioto_server.config.values import show_duration, show_size
from ioto_server.config.view import View


def cross_check(view: View) -> list[Problem]:
    """Run every check whose directives are sound."""
    checks = (
        (("limits.maxFrame", "limits.maxMessage"), _frames),
        (("limits.maxBacklog", "limits.memory"), _backlog),
        (("timeouts.inactivity", "webSockets.ping"), _ping),
        (("listen", "metrics", "control"), _endpoints),
        (("routes",), _routes),
        (("redirect", "name", "listen"), check_redirects),
        (("trustedProxies",), _proxies),
        (("documents", "actions", "routes", "tls", "log", "upload"), check_folders),
        (("listen", "metrics", "control"), check_sockets),
        (("tls", "listen"), check_tls),
    )
    return [problem for reads, check in checks if view.sound(*reads) for problem in check(view)]


def _frames(view: View) -> Iterator[Problem]:
    limits = view.config.limits
    if view.node("limits.maxFrame") and limits.max_frame > limits.max_message:
        message = view.written("limits.maxMessage", limits.max_message, "limits.maxFrame")
        yield view.warn(
            "limits.maxFrame",
            f"is more than {message}, so no frame can ever be that large",
            f"write maxFrame: {show_size(limits.max_message)!r} or less, or a larger maxMessage",
        )


def _backlog(view: View) -> Iterator[Problem]:
    limits = view.config.limits
    if limits.max_backlog > limits.memory:
        path = "limits.maxBacklog" if view.node("limits.maxBacklog") else "limits.memory"
        other = "limits.memory" if path == "limits.maxBacklog" else "limits.maxBacklog"
        shown = show_size(limits.memory if path == "limits.maxBacklog" else limits.max_backlog)
        relation = "more" if path == "limits.maxBacklog" else "less"
        yield view.warn(
            path,
            f"is {relation} than {view.written(other, shown, path)}: one slow client could take it all",
            "write a maxBacklog that is a small part of memory",
        )


def _ping(view: View) -> Iterator[Problem]:
    ping, inactivity = view.config.web_sockets.ping, view.config.timeouts.inactivity
    if math.isfinite(ping) and ping >= inactivity:
        written = view.written("timeouts.inactivity", show_duration(inactivity), "webSockets.ping")
        yield view.warn(
            "webSockets.ping",
            f"is not less than {written}: quiet WebSockets are closed before a ping is sent",
            f"write a ping of at most {show_duration(math.ceil(inactivity / 2))!r}, or a longer inactivity",
        )


def _endpoints(view: View) -> Iterator[Problem]:
    config = view.config
    single = view.node("listen")
    listed = bool(single and isinstance(single.value, list))
    named = [(f"listen[{i}]" if listed else "listen", endpoint) for i, endpoint in enumerate(config.listen)]
    if config.metrics:
        named.append(("metrics.listen", config.metrics.listen))
        if config.metrics.listen.scheme == "https":
            yield view.problem(
                "metrics.listen", "is https, and metrics have no TLS", "write 'http://localhost:4101'"
            )
    bound: dict[int | Path | None, dict[str, Endpoint]] = {}
    for path, endpoint in named:
        same = bound.setdefault(endpoint.path or endpoint.port, {})
        other = next((taken for host, taken in same.items() if _overlap(host, endpoint.host)), None)
        if other and (endpoint.path or endpoint.port):
            relation = "is the same as" if str(endpoint) == str(other) else "takes the same port as"
            yield view.problem(path, f"{relation} {other}", "take one of them out, or choose another port")
        same[endpoint.host] = endpoint
        if endpoint.path and endpoint.path == config.control:
            yield view.problem(path, "is the path of the control socket too", "choose another path")


def _overlap(one: str, other: str) -> bool:
    """Whether these two hosts cannot be listened at together, on one port."""
    if one == "localhost":
        return _overlap("127.0.0.1", other) or _overlap("::1", other)
    if other == "localhost":
        return _overlap(other, one)
    if one == other or "" in (one, other):
        return True
    return bool({one, other} & {"0.0.0.0", "::"}) and _version(one) == _version(other)


def _version(host: str) -> int | None:
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        # A name: which address it has is known to the machine that listens.
        return None


def _routes(view: View) -> Iterator[Problem]:
    first: dict[str, tuple[str, str]] = {}
    for index, (path, route) in enumerate(view.routes()):
        earlier = next((first[pattern] for pattern in covering(route.match) if pattern in first), None)
        if earlier:
            before, match = earlier
            line = view.written(f"{before}.match", repr(match), path)
            yield view.warn(
                path,
                f"is never reached: {line} takes {_everything(route.match)} before it",
                "take it out" if match == route.match else f"move it in front of {before}",
            )
        first.setdefault(route.match, (path, route.match))
        yield from _route(view, path, index)


def _route(view: View, path: str, index: int) -> Iterator[Problem]:
    route = (view.config.routes or ())[index]
    prefix = (route.trim or "").rstrip("/")
    if route.trim and not (
        route.match == prefix or route.match.startswith(prefix + "/") or route.match == ""
    ):
        yield view.warn(
            f"{path}.trim",
            f"is no beginning of {route.match!r}, so nothing is ever taken off",
            f"write trim: {route.match.rstrip('/')!r}",
        )
    if route.stream and route.handler == "file":
        yield view.warn(
            f"{path}.stream", "has no effect on files", "add handler: 'action', or take stream out"
        )
    if route.redirect is not None and covers(route.match, route.redirect) and route.redirect.startswith("/"):
        yield view.problem(
            f"{path}.redirect", "leads back to this route: clients go round in circles", "write another path"
        )
    writes = [method for method in route.methods if method in ("PUT", "DELETE")]
    in_site = is_site(route.documents or view.config.documents)
    if writes and route.handler == "file" and route.redirect is None and in_site:
        yield view.warn(
            f"{path}.methods",
            f"has {' and '.join(writes)}, and the packaged site cannot be changed: they are answered 403",
            "add a folder of the route's own: documents: 'upload'",
        )


def _everything(match: str) -> str:
    if match == "":
        return "every path"
    return f"everything below {match}" if match.endswith("/") and match != "/" else match


def _proxies(view: View) -> Iterator[Problem]:
    for network in view.config.trusted_proxies:
        if network != "unix" and network.prefixlen == 0:
            yield view.warn(
                "trustedProxies",
                f"has {network}, which is everybody: any client can claim any address",
                "write the addresses of your proxies, such as '10.0.0.5'",
            )
