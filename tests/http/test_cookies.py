"""Cookies (RFC 6265)."""

from __future__ import annotations

from typing import Any

import pytest

from ioto_server.http import parse_cookies, set_cookie


@pytest.mark.parametrize(
    ("field", "cookies"),
    [
        (None, {}),
        ("", {}),
        ("a=1", {"a": "1"}),
        ("a=1; b=2;c = 3 ", {"a": "1", "b": "2", "c": "3"}),
        ("a=1; a=2", {"a": "1"}),
        ('a="quoted; b="', {"a": '"quoted', "b": '"'}),
        ('a="x y"', {"a": "x y"}),
        ("a=b=c", {"a": "b=c"}),
        ("no equals; =empty; a=", {"a": ""}),
    ],
)
def test_reading(field: str | None, cookies: dict[str, str]) -> None:
    assert parse_cookies(field) == cookies


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "a=b; Path=/; HttpOnly; SameSite=Lax"),
        ({"http_only": False, "secure": True}, "a=b; Path=/; Secure; SameSite=Lax"),
        (
            {"path": "/x", "domain": "example.com", "max_age": 60, "same_site": "Strict"},
            "a=b; Path=/x; Domain=example.com; Max-Age=60; HttpOnly; SameSite=Strict",
        ),
        ({"max_age": 0}, "a=b; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"),
        ({"same_site": "None", "secure": True}, "a=b; Path=/; Secure; HttpOnly; SameSite=None"),
    ],
)
def test_setting(options: dict[str, Any], expected: str) -> None:
    assert set_cookie("a", "b", **options) == expected


@pytest.mark.parametrize(
    ("name", "value", "options"),
    [
        ("a b", "x", {}),
        ("", "x", {}),
        ("a=", "x", {}),
        ("a", "x y", {}),
        ("a", 'x"', {}),
        ("a", "x;", {}),
        ("a", "x,", {}),
        ("a", "x\\", {}),
        ("a", "é", {}),
        ("a", "x\r\nSet-Cookie: b=c", {}),
        ("a", "x", {"path": "x"}),
        ("a", "x", {"path": "/; Secure"}),
        ("a", "x", {"domain": ""}),
        ("a", "x", {"domain": "a\r\nb"}),
        ("a", "x", {"same_site": "None"}),
        ("__Secure-a", "x", {}),
        ("__Host-a", "x", {}),
        ("__Host-a", "x", {"secure": True, "path": "/x"}),
        ("__Host-a", "x", {"secure": True, "domain": "a"}),
    ],
)
def test_what_no_cookie_can_hold_or_no_browser_takes(name: str, value: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+: .+"):
        set_cookie(name, value, **options)


def test_prefixes() -> None:
    assert set_cookie("__Host-a", "x", secure=True).startswith("__Host-a=x; Path=/; Secure")
