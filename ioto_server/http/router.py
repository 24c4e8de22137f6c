"""Which route a request takes, and which registered prefix a path belongs to (SPEC 8, 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypeVar
from urllib.parse import quote, unquote

from ioto_server.config import Location, authority, is_scheme, location_of
from ioto_server.http.errors import HttpError
from ioto_server.http.target import PATH_SAFE

DEFAULT_METHODS = ("GET", "POST")
"""The methods of a route that names none, and of everything when there are no routes. HEAD comes with GET."""

FILE_METHODS = frozenset(("GET", "HEAD", "PUT", "DELETE"))
"""What can be done with a file: a route's other methods are not allowed for it, whatever the route says."""

Value = TypeVar("Value")


class DuplicatePrefix(Exception):
    """A prefix is added a second time; `existing` is the value that has it."""

    def __init__(self, prefix: str, existing: object) -> None:
        super().__init__(
            f"the prefix {prefix} is registered already, by {existing}: give one of them another"
        )
        self.prefix = prefix
        self.existing = existing


class PrefixTable(Generic[Value]):
    """Path prefixes and what is bound to them. A prefix matches whole path segments; the longest wins."""

    def __init__(self) -> None:
        self._values: dict[str, Value] = {}
        self._depth = 0

    def add(self, prefix: str, value: Value) -> None:
        """Bind `value` to `prefix`, whose trailing `/` means nothing; `/` binds every path.

        Raises ValueError for a prefix that does not begin with `/`, DuplicatePrefix for one in use.
        """
        if not prefix.startswith("/"):
            raise ValueError(f"the prefix {prefix!r} does not begin with /: write it as a path")
        key = prefix.rstrip("/")
        if key in self._values:
            raise DuplicatePrefix(key or "/", self._values[key])
        self._values[key] = value
        self._depth = max(self._depth, key.count("/"))

    def find(self, path: str) -> tuple[Value, str, str] | None:
        """The value of the longest prefix of `path`, that prefix, and the rest (empty or from a `/` on).

        Costs one dictionary look-up for each segment of the deepest prefix, however long the path is.
        """
        key = "/".join(path.split("/", self._depth + 1)[: self._depth + 1])
        while True:
            if key in self._values:
                return self._values[key], key or "/", path[len(key) :]
            if not key:
                return None
            key = key.rpartition("/")[0]

    def get(self, prefix: str) -> Value:
        """What is bound to exactly this prefix. Raises KeyError where nothing is."""
        return self._values[prefix.rstrip("/")]

    def items(self) -> Iterator[tuple[str, Value]]:
        """Each prefix with its value, sorted by prefix."""
        for key in sorted(self._values):
            yield key or "/", self._values[key]

    def __len__(self) -> int:
        return len(self._values)


class RouteRule(Protocol):
    """What the router reads of a route of the configuration."""

    @property
    def match(self) -> str: ...
    @property
    def methods(self) -> Sequence[str]: ...
    @property
    def handler(self) -> str: ...
    @property
    def redirect(self) -> str | None: ...
    @property
    def trim(self) -> str | None: ...


class RedirectRule(Protocol):
    """What the router reads of an entry of the `redirect` list (`from`, `to`, `status`)."""

    @property
    def source(self) -> str: ...
    @property
    def to(self) -> str: ...
    @property
    def status(self) -> int: ...


class Match(NamedTuple):
    """Where a request goes.

    kind      `file`, `action`, `redirect` or `options` (answer 204 with `allow`)
    route     the route of the configuration, None without routes
    path      the path for the handler, after `trim`
    location  of a redirect: a path or URL, as the configuration has it
    status    of a redirect
    allow     the methods the route takes, with those that come along (RFC 9110 10.2.1)
    """

    kind: Literal["file", "action", "redirect", "options"]
    route: Any
    path: str
    allow: tuple[str, ...]
    location: str = ""
    status: int = 0


# Ways that are remembered, of paths up to this long: a site has few, and they are asked for again and again.
_MOST_KNOWN = 1024
_KNOWN_PATH = 256


class Router:
    """Decides by method and path. Built once per configuration; prefixes may be added under it."""

    def __init__(
        self,
        routes: Sequence[RouteRule] | None,
        redirects: Sequence[RedirectRule] = (),
        prefixes: PrefixTable[Any] | None = None,
        own_host: Callable[[str, Location, str], str] = lambda _scheme, at, _local: at.host,
    ) -> None:
        """`own_host(scheme, at, local)` says what we are called by a scheme; see `match` for the others."""
        self._routes = (
            None
            if routes is None
            else [(route, _allow(route.methods, _is_of_files(route))) for route in routes]
        )
        self._redirects = [(location_of(rule.source), rule) for rule in redirects]
        self._own_host = own_host
        self.redirects = bool(redirects) or any(route.redirect for route in routes or ())
        self._prefixes = PrefixTable[Any]() if prefixes is None else prefixes
        self._action_allow = _allow(DEFAULT_METHODS, False)
        self._file_allow = _allow(DEFAULT_METHODS, True)
        offered = [self._action_allow] if self._routes is None else [allow for _, allow in self._routes]
        self._all = _allow([method for allow in offered for method in allow], False)
        self._known: dict[tuple[str, str, Location | None, str], Match] = {}
        self._known_with = len(self._prefixes)

    def match(self, method: str, path: str, at: Location | None = None, local: str = "") -> Match:
        """The way of a request. Raises HttpError 404, or 405 with Allow (RFC 9110 15.5.6).

        Where there are `redirects`, `at` is the URL that was asked for, as far as it is known; `local` is
        the address that was connected to where that has no host.
        """
        asked = (method, path, at, local)
        known = self._known.get(asked)
        if known is not None and self._known_with == len(self._prefixes):
            return known
        found = self._match(method, path, at or Location("http", "", path), local)
        if len(self._known) >= _MOST_KNOWN or self._known_with != len(self._prefixes):
            self._known.clear()
            self._known_with = len(self._prefixes)
        if len(path) <= _KNOWN_PATH and (at is None or len(at.host) <= _KNOWN_PATH):
            self._known[asked] = found
        return found

    def _match(self, method: str, path: str, at: Location, local: str) -> Match:
        if path == "*":
            return Match("options", None, path, self._all)
        for source, rule in self._redirects:
            if matches(source.path, path) and (not source.scheme or source.is_of(at)):
                location = self._leads(_moved(rule.source, rule.to, path), source.path, at, local)
                if location:
                    return Match("redirect", None, path, (), location, rule.status)
        if self._routes is None:
            if self._prefixes.find(path) is None:
                return self._allowed(method, "file", None, path, self._file_allow)
            return self._allowed(method, "action", None, path, self._action_allow)
        for route, allow in self._routes:
            if not matches(route.match, path):
                continue
            if route.redirect:
                location = self._leads(_moved("", route.redirect, path), route.match, at, local)
                if not location:
                    continue
                if method not in allow:
                    raise _not_allowed(allow)
                if method == "OPTIONS":
                    return Match("options", route, path, allow)
                return Match("redirect", route, path, allow, location, 302)
            kind: Literal["action", "file"] = "action" if route.handler == "action" else "file"
            return self._allowed(method, kind, route, trimmed(path, route.trim), allow)
        raise HttpError(404, "No route matches this path: see `routes` in the configuration")

    def _allowed(
        self, method: str, kind: Literal["action", "file"], route: Any, path: str, allow: tuple[str, ...]
    ) -> Match:
        if method in allow:
            # An action whose route names OPTIONS answers it; otherwise the answer follows from the route.
            if method == "OPTIONS" and (kind == "file" or route is None or "OPTIONS" not in route.methods):
                return Match("options", route, path, allow)
            return Match(kind, route, path, allow)
        raise _not_allowed(allow)

    def _leads(self, location: str, pattern: str, at: Location, local: str) -> str:
        """Where a redirect of `pattern` sends who asks `at`; empty if that would only bring him back here."""
        target = location_of(location)
        if not target.scheme:
            return location
        host = target.host
        if not host:
            host = authority(target.scheme, self._own_host(target.scheme, at, local))
            location = location.replace("://", f"://{host}", 1)
        if target._replace(host=host).is_of(at) and matches(pattern, unquote(target.path) or "/"):
            return ""
        return location


def _not_allowed(allow: Sequence[str]) -> HttpError:
    return HttpError(
        405,
        f"This path takes {', '.join(allow)} (RFC 9110 15.5.6): use one of these",
        [("Allow", ", ".join(allow))],
    )


def matches(pattern: str, path: str) -> bool:
    """Whether a `match` covers a path: empty all, ending in `/` all below, else (and `/`) the path itself."""
    if pattern.endswith("/") and pattern != "/":
        return path.startswith(pattern)
    return not pattern or path == pattern


def _is_of_files(route: RouteRule) -> bool:
    return route.handler != "action" and not route.redirect


def _allow(methods: Sequence[str], of_file: bool) -> tuple[str, ...]:
    allow = dict.fromkeys(methods)
    if "GET" in allow:
        allow["HEAD"] = None
    kept = [method for method in allow if not of_file or method in FILE_METHODS]
    return tuple(dict.fromkeys([*kept, "OPTIONS"]))


def _moved(source: str, to: str, path: str) -> str:
    """Where a path is now: of a folder, or of all there is, that has moved, the same place in the new one."""
    if is_scheme(to):
        return to + quote(path, safe=PATH_SAFE)
    if source.endswith("/") and to.endswith("/"):
        # What follows may begin with a slash: then another host is not what is meant (RFC 3986, 4.2).
        followed = quote(path[len(location_of(source).path) or 1 :], safe=PATH_SAFE)
        return to + (followed.lstrip("/") if to == "/" else followed)
    return to


def trimmed(path: str, trim: str | None) -> str:
    """A path without its beginning `trim`, if it has it."""
    prefix = (trim or "").rstrip("/")
    if prefix and (path == prefix or path.startswith(prefix + "/")):
        return path[len(prefix) :] or "/"
    return path
