"""What can be said of the plugins before a start: do they load, does each meet a route (SPEC 2)?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ioto_server.config import Config, Route
from ioto_server.http.router import matches
from ioto_server.plugins import PluginError, Plugins


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
    for path in (prefix, prefix.rstrip("/") + "/"):
        first = next((route for route in routes if matches(route.match, path)), None)
        if first is not None and first.handler == "action" and first.redirect is None:
            return True
    return any(
        route.handler == "action" and route.match.startswith(prefix.rstrip("/") + "/") for route in routes
    )


def _meets(route: Route, prefix: str) -> bool:
    """Whether some path that the route takes belongs to the prefix."""
    below = prefix.rstrip("/") + "/"
    return matches(route.match, prefix) or route.match.startswith(below) or route.match == prefix
