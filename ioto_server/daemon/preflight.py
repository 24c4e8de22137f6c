"""What can be said before a start: do plugins load and meet routes, are the endpoints free (SPEC 2)?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ioto_server.config import Config, Route
from ioto_server.http.router import matches, trimmed
from ioto_server.plugins import PluginError, Plugins
from ioto_server.server import ListenError, listens_at, probe

from .ask import AskError, ask


class PluginProblem(NamedTuple):
    """Something wrong with a plugin; `fatal` keeps a server from starting."""

    text: str
    fatal: bool


def plugin_problems(config: Config) -> list[PluginProblem]:
    """Import the plugins and say what is wrong with them or with their routes."""
    try:
        plugins = Plugins.load(config.actions)
    except PluginError as error:
        return [PluginProblem(f"{error.trace}{error}", fatal=True)]
    try:
        return [PluginProblem(text, fatal=False) for text in route_warnings(config, plugins)]
    finally:
        plugins.forget()


def route_warnings(config: Config, plugins: Plugins) -> Iterator[str]:
    """Actions that no route reaches, and routes to actions behind which there is none."""
    if config.routes is None:
        return
    for action in plugins.actions():
        if not _reached(config.routes, action.prefix):
            yield (
                f"{action.where}: no route leads to the action {action.prefix}\n"
                f"  -> add to routes, before the routes that take its path: "
                f"{{ match: '{action.prefix}', methods: ['GET'], handler: 'action' }}"
            )
    if not plugins.started and plugins.bind_by_hand:
        # What their io_start binds is known once the server runs.
        return
    for route in config.routes:
        if route.handler == "action" and not any(_meets(route, one.prefix) for one in plugins.actions()):
            yield (
                f"routes: no action is bound below {route.match or '/'}\n"
                f"  -> drop a plugin into the actions folder, or take the route out"
            )


def _reached(routes: tuple[Route, ...], prefix: str) -> bool:
    """Whether the first route that takes the prefix itself, or something below it, is one to actions."""
    below = prefix.rstrip("/") + "/"
    trims = {"", *((route.trim or "").rstrip("/") for route in routes)}
    return any(_leads(routes, trim + path, path) for trim in trims for path in (prefix, below)) or any(
        route.handler == "action" and _inner(route).startswith(below) for route in routes
    )


def _leads(routes: tuple[Route, ...], path: str, seen: str) -> bool:
    """Whether a client's `path` comes to the actions, as the path `seen`."""
    first = next((route for route in routes if matches(route.match, path)), None)
    if first is None or first.handler != "action" or first.redirect is not None:
        return False
    return trimmed(path, first.trim) == seen


def _meets(route: Route, prefix: str) -> bool:
    """Whether some path that the route takes belongs to the prefix."""
    inner = _inner(route)
    return matches(inner, prefix) or inner.startswith(prefix.rstrip("/") + "/") or inner == prefix


def _inner(route: Route) -> str:
    """What a route takes, after its `trim`; '' is everything."""
    inner = trimmed(route.match, route.trim) if route.match else ""
    return "" if inner == "/" != route.match else inner


def taken(config: Config, file: Path) -> Iterator[str]:
    """What a start with this configuration `file` would find taken, or not permitted, at this moment.

    Where its own daemon runs already, or somebody answers whom we may not ask, nothing.
    """
    pid = listens_at(config.control)
    if pid is not None:
        try:
            running = ask(config.control, "status", timeout=5).get("config")
        except AskError:
            running = None
        if pid == 0 or running == os.path.realpath(file):
            return
        who = f"process {pid}" + (f", which serves {running}" if running else "")
        yield (
            f"control: {config.control} is answered by {who}: a start would be refused\n"
            f"  -> write another path in `control`; more processes of one server are `workers`"
        )
    endpoints = [("listen", endpoint) for endpoint in config.listen]
    if config.metrics is not None:
        endpoints.append(("metrics.listen", config.metrics.listen))
    for directive, endpoint in endpoints:
        try:
            probe(endpoint, directive)
        except ListenError as error:
            yield str(error)
