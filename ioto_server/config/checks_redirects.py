"""Checks of redirects: those that lead clients round in circles, or that nobody ever meets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ioto_server.config.locations import Location, authority, is_scheme, location_of, named
from ioto_server.config.problems import Problem
from ioto_server.config.view import View


class _Rule(NamedTuple):
    source: Location
    to: Location
    written: str
    # Only the scheme changes.
    keeps_path: bool

    def leads_to(self, path: str) -> str:
        """Where a path is led to, of a `match` that takes it."""
        return path if self.keeps_path else self.to.path or "/"


def check_redirects(view: View) -> Iterator[Problem]:
    """Follow each redirect through the list, as a client would."""
    rules = [
        _Rule(location_of(one.source), location_of(one.to), one.source, is_scheme(one.to))
        for one in view.config.redirect
    ]
    for index, rule in enumerate(rules):
        path = f"redirect[{index}].to"
        covered = _covers_itself(view, rule)
        if covered and not rule.to.scheme:
            yield view.problem(
                path,
                f"is itself redirected by from: {rule.written!r}: clients go round in circles",
                "write a path that the redirect does not cover",
            )
        elif covered and _schemes(view, rule) == {rule.to.scheme}:
            yield view.warn(
                path,
                f"is where all clients of from: {rule.written!r} are already: none is ever redirected",
                "write another place, or take the redirect out",
            )
        elif (back := _follow(view, rules, index)) is not None:
            yield view.problem(
                path,
                f"leads to redirect[{back}], which leads back: clients go round in circles",
                "write a path that no redirect covers",
            )


def _follow(view: View, rules: Sequence[_Rule], index: int) -> int | None:
    """The redirect from which a client who has followed this one is brought back to it, or None."""
    scheme, path, at = rules[index].source.scheme, rules[index].source.path, index
    for _ in rules:
        if not _stays(view, rules[at]):
            return None
        scheme = rules[at].to.scheme or scheme
        path = rules[at].leads_to(path)
        taken = next((number for number, one in enumerate(rules) if _takes(view, one, scheme, path)), None)
        if taken is None:
            return None
        if taken == index:
            return at
        at = taken
    return None


def _takes(view: View, rule: _Rule, scheme: str, path: str) -> bool:
    """Whether a redirect takes this path for sure, and leads elsewhere."""
    if rule.source.scheme not in ("", scheme) or not covers(rule.source.path, path):
        return False
    return not (rule.to.scheme and rule.to.scheme == scheme and _covers_itself(view, rule))


def _covers_itself(view: View, rule: _Rule) -> bool:
    """Whether a redirect leads to what it takes, but for the scheme."""
    return _stays(view, rule) and covers(rule.source.path, rule.leads_to(rule.source.path))


def _stays(view: View, rule: _Rule) -> bool:
    """Whether a redirect leads to this server."""
    name, scheme = view.config.name, rule.to.scheme
    own = "" if name is None else authority(scheme, named(name, view.config.listen, scheme))
    return rule.to.host in ("", own)


def _schemes(view: View, rule: _Rule) -> set[str]:
    """By what schemes clients may come to a redirect; a proxy may have spoken another with them."""
    if rule.source.scheme:
        return {rule.source.scheme}
    if view.config.trusted_proxies:
        return {"http", "https"}
    return {"https" if endpoint.scheme == "https" else "http" for endpoint in view.config.listen}


def covering(match: str) -> Iterator[str]:
    """Give every `match` that takes all paths which this one takes (SPEC 8)."""
    yield ""
    for end, character in enumerate(match):
        if character == "/" and end > 0:
            yield match[: end + 1]
    yield match


def covers(pattern: str, path: str) -> bool:
    """Whether a `match` takes a path, or every path of another `match`."""
    return pattern in covering(path)
