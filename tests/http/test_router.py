"""Routes and prefixes (SPEC 8, 7)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ioto_server.config import Location
from ioto_server.http import DuplicatePrefix, HttpError, PrefixTable, Router


@dataclass(frozen=True)
class Route:
    match: str = ""
    methods: tuple[str, ...] = ("GET", "POST")
    handler: str = "file"
    redirect: str | None = None
    trim: str | None = None


@dataclass(frozen=True)
class Redirect:
    source: str
    to: str
    status: int = 302


# The seed page's own table.
PAGE = [Route("/upload/", ("DELETE", "GET", "PUT")), Route("/ws/", ("GET",), "action"), Route()]


def prefixes(*names: str) -> PrefixTable[str]:
    table = PrefixTable[str]()
    for name in names:
        table.add(name, f"plugin of {name}")
    return table


def refusal(router: Router, method: str, path: str) -> HttpError:
    with pytest.raises(HttpError) as caught:
        router.match(method, path)
    assert not caught.value.close
    return caught.value


@pytest.mark.parametrize(
    ("path", "kind", "index"),
    [
        ("/upload/x", "file", 0),
        ("/ws/echo", "action", 1),
        ("/ws/", "action", 1),
        ("/ws", "file", 2),
        ("/", "file", 2),
    ],
)
def test_first_matching_route_wins(path: str, kind: str, index: int) -> None:
    match = Router(PAGE).match("GET", path)
    assert (match.kind, match.route, match.path) == (kind, PAGE[index], path)


def test_patterns() -> None:
    """Ending in / a prefix, without it exact, / itself, empty all."""
    routes = [Route("/", trim="/"), Route("/a"), Route("/b/")]
    router = Router(routes)
    assert router.match("GET", "/").route is routes[0]
    assert router.match("GET", "/a").route is routes[1]
    assert router.match("GET", "/b/c").route is routes[2]
    for path in ("/a/", "/ab", "/b", "/c", "//"):
        assert refusal(router, "GET", path).status == 404


def test_a_method_outside_is_405_with_allow_and_no_later_route_is_tried() -> None:
    """RFC 9110 15.5.6, 10.2.1."""
    error = refusal(Router(PAGE), "POST", "/upload/x")
    assert error.status == 405
    assert error.headers == [("Allow", "DELETE, GET, PUT, HEAD, OPTIONS")]
    error = refusal(Router([Route("/a", ("PUT",), "action"), Route()]), "GET", "/a")
    assert error.headers == [("Allow", "PUT, OPTIONS")]


def test_a_file_takes_no_post_whatever_its_route_says() -> None:
    """RFC 9110 10.2.1: Allow names what the resource supports."""
    assert refusal(Router(PAGE), "POST", "/index.html").headers == [("Allow", "GET, HEAD, OPTIONS")]
    assert Router(PAGE).match("OPTIONS", "/index.html").allow == ("GET", "HEAD", "OPTIONS")
    assert Router([Route(methods=("GET", "OPTIONS"))]).match("OPTIONS", "/x").kind == "options"


def test_head_comes_with_get() -> None:
    """RFC 9110 9.3.2."""
    assert Router(PAGE).match("HEAD", "/ws/echo").kind == "action"
    assert refusal(Router([Route("", ("PUT",))]), "HEAD", "/").status == 405


def test_methods_are_case_sensitive() -> None:
    """RFC 9110 9.1."""
    assert refusal(Router(PAGE), "get", "/").status == 405


def test_options_is_answered_from_the_route_unless_the_route_takes_it() -> None:
    """RFC 9110 9.3.7."""
    match = Router(PAGE).match("OPTIONS", "/upload/x")
    assert (match.kind, match.allow) == ("options", ("DELETE", "GET", "PUT", "HEAD", "OPTIONS"))
    own = Router([Route("", ("GET", "OPTIONS"), "action")])
    assert own.match("OPTIONS", "/x").kind == "action"


def test_options_of_the_server_as_a_whole() -> None:
    match = Router(PAGE).match("OPTIONS", "*")
    assert match.kind == "options"
    assert set(match.allow) == {"DELETE", "GET", "PUT", "HEAD", "OPTIONS"}


@pytest.mark.parametrize(
    ("trim", "path", "seen"),
    [
        ("/app", "/app/x", "/x"),
        ("/app/", "/app/x", "/x"),
        ("/app", "/app", "/"),
        ("/app", "/apple", "/apple"),
        (None, "/app/x", "/app/x"),
    ],
)
def test_trim_takes_whole_segments_off(trim: str | None, path: str, seen: str) -> None:
    assert Router([Route(trim=trim)]).match("GET", path).path == seen


def test_redirects_of_the_list_come_before_routes() -> None:
    router = Router(PAGE, [Redirect("/old", "/new", 301), Redirect("/docs/", "https://docs.example/")])
    match = router.match("GET", "/old")
    assert (match.kind, match.location, match.status) == ("redirect", "/new", 301)
    match = router.match("POST", "/docs/a/b")
    assert (match.location, match.status) == ("https://docs.example/a/b", 302)
    assert router.match("GET", "/old/x").kind == "file"


@pytest.mark.parametrize(
    ("source", "to", "path", "location"),
    [
        ("/a/", "/b/", "/a/", "/b/"),
        ("/a/", "/b/", "/a/c/d.html", "/b/c/d.html"),
        # The path is decoded, a Location is not (RFC 9110 10.2.2).
        ("/a/", "/b/", "/a/ä b?c", "/b/%C3%A4%20b%3Fc"),
        ("/a/", "/b", "/a/c", "/b"),
        ("/a/", "/b/?from=a", "/a/c", "/b/?from=a"),
        ("/", "/b/", "/", "/b/"),
        ("", "/b/", "/c", "/b/"),
        # Never to another host (RFC 3986 4.2), whatever follows.
        ("/a/", "/", "/a//evil.example/c", "/evil.example/c"),
        ("/a/", "/", "/a/\\evil.example/c", "/%5Cevil.example/c"),
        ("/a/", "/b/", "/a//c", "/b//c"),
    ],
)
def test_a_folder_that_has_moved_keeps_what_follows(source: str, to: str, path: str, location: str) -> None:
    assert Router(PAGE, [Redirect(source, to)]).match("GET", path).location == location


HTTP, HTTPS = Location("http", "a.example", ""), Location("https", "a.example", "")


@pytest.mark.parametrize(
    ("source", "to", "at", "location"),
    [
        # By scheme, with and without a host in either place.
        ("http://", "https://", HTTP, "https://a.example/x%20y"),
        ("http://", "https://", HTTPS, None),
        ("http://", "https://b.example:4443/", HTTP, "https://b.example:4443/x%20y"),
        ("http://", "https://b.example/new", HTTP, "https://b.example/new"),
        ("http://a.example/", "https://", HTTP, None),
        ("http://a.example/x y", "https://", HTTP, "https://a.example/x%20y"),
        ("http://a.example/x y", "https:///", HTTP, "https://a.example/"),
        ("http://b.example/x y", "https://", HTTP, None),
        ("https:///x y", "/z", HTTPS, "/z"),
        ("https:///x y", "/z", HTTP, None),
        # Whoever is there already is let alone.
        ("/x y", "https://a.example/x%20y", HTTP, "https://a.example/x%20y"),
        ("/x y", "https://a.example/x%20y", HTTPS, None),
        ("/x y", "https://A.example:443/x%20y?a=b#c", HTTPS, None),
        ("/x y", "https://a.example:4443/x%20y", HTTPS, "https://a.example:4443/x%20y"),
        ("", "https://a.example/", HTTP, "https://a.example/"),
        ("", "https://a.example/", HTTPS, None),
        # HTTP/1.0 may name no host: it is ours then.
        ("", "https://a.example/", Location("https", "", ""), None),
    ],
)
def test_redirects_between_schemes(source: str, to: str, at: Location, location: str | None) -> None:
    router = Router([Route()], [Redirect(source, to)])
    match = router.match("GET", "/x y", at)
    assert (match.location if match.kind == "redirect" else None) == location


def test_a_redirect_of_a_route_takes_its_methods_and_leaves_who_is_there_already() -> None:
    router = Router([Route("/app", ("GET", "POST"), redirect="https://a.example/app"), Route()])
    assert router.match("POST", "/app", HTTP).location == "https://a.example/app"
    assert router.match("OPTIONS", "/app", HTTP).allow == ("GET", "POST", "HEAD", "OPTIONS")
    with pytest.raises(HttpError) as caught:
        router.match("PUT", "/app", HTTP)
    assert (caught.value.status, caught.value.headers) == (405, [("Allow", "GET, POST, HEAD, OPTIONS")])
    assert router.match("GET", "/app", HTTPS).kind == "file"


def test_redirect_of_a_route() -> None:
    match = Router([Route("/", redirect="/app/"), Route()]).match("GET", "/")
    assert (match.kind, match.location, match.status) == ("redirect", "/app/", 302)


def test_without_routes_registered_prefixes_go_to_actions_and_the_rest_to_files() -> None:
    table = prefixes("/ws/echo")
    router = Router(None, (), table)
    assert router.match("GET", "/ws/echo/x").kind == "action"
    assert router.match("GET", "/ws/other").kind == "file"
    table.add("/ws/other", "later")
    assert router.match("GET", "/ws/other").kind == "action"
    assert refusal(router, "DELETE", "/index.html").headers == [("Allow", "GET, HEAD, OPTIONS")]
    assert refusal(router, "DELETE", "/ws/echo").headers == [("Allow", "GET, POST, HEAD, OPTIONS")]


def test_with_routes_they_alone_decide() -> None:
    router = Router([Route("/files/")], (), prefixes("/ws"))
    assert refusal(router, "GET", "/ws").status == 404
    assert Router([Route()], (), prefixes("/ws")).match("GET", "/ws").kind == "file"


@pytest.mark.parametrize(
    ("path", "prefix", "rest"),
    [
        ("/ws/echo", "/ws/echo", ""),
        ("/ws/echo/", "/ws/echo", "/"),
        ("/ws/echo/a/b", "/ws/echo", "/a/b"),
        ("/ws/echoes", "/ws", "/echoes"),
        ("/ws", "/ws", ""),
        ("/ws" + "/a" * 5000, "/ws", "/a" * 5000),
    ],
)
def test_the_longest_prefix_of_whole_segments_wins(path: str, prefix: str, rest: str) -> None:
    assert prefixes("/ws", "/ws/echo").find(path) == (f"plugin of {prefix}", prefix, rest)


@pytest.mark.parametrize("path", ["/", "/w", "/wss", "", "//ws", "*"])
def test_no_prefix(path: str) -> None:
    assert prefixes("/ws").find(path) is None


def test_the_root_prefix_takes_every_path() -> None:
    table = prefixes("/", "/a")
    assert table.find("/b/c") == ("plugin of /", "/", "/b/c")
    assert table.find("/a/c") == ("plugin of /a", "/a", "/c")
    assert [prefix for prefix, _ in table.items()] == ["/", "/a"]


def test_a_prefix_is_bound_once() -> None:
    table = prefixes("/ws")
    with pytest.raises(DuplicatePrefix, match="/ws") as caught:
        table.add("/ws/", "another")
    assert caught.value.existing == "plugin of /ws"
    with pytest.raises(ValueError, match="begin"):
        table.add("ws", "another")
    assert len(table) == 1
