"""Cookies, read and set (RFC 6265, and the prefixes and SameSite of its successor draft)."""

from __future__ import annotations

import re
from typing import Literal

from ioto_server.http.headers import TOKEN

# RFC 6265 4.1.1: cookie-octet, then the values of attributes.
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*+")
_ATTRIBUTE = re.compile(r"[ -:<-~]*+")


def parse_cookies(field: str | None) -> dict[str, str]:
    """The cookies of a Cookie field; of two with one name the first, the more specific (RFC 6265 5.4).

    Lenient, as the clause's senders are: what has no `=` is left out, quotes around a value are taken off.
    """
    cookies: dict[str, str] = {}
    for pair in (field or "").split(";"):
        name, equals, value = pair.partition("=")
        name, value = name.strip(" \t"), value.strip(" \t")
        if equals and name:
            if len(value) >= 2 and value[0] == value[-1] == '"':
                value = value[1:-1]
            cookies.setdefault(name, value)
    return cookies


def set_cookie(
    name: str,
    value: str,
    *,
    max_age: int | None = None,
    path: str = "/",
    domain: str | None = None,
    secure: bool = False,
    http_only: bool = True,
    same_site: Literal["Strict", "Lax", "None"] = "Lax",
) -> str:
    """The value of a Set-Cookie field.

    `max_age` is in seconds: 0 removes the cookie, None keeps it until the browser ends. Scripts cannot
    read it unless `http_only` is false. Raises ValueError for what no cookie can hold or no browser would
    take.
    """
    if not TOKEN.fullmatch(name):
        raise ValueError(f"cookie name {name!r} is not a token: use letters, digits and hyphens")
    if not _VALUE.fullmatch(value):
        raise ValueError(
            f"the value of cookie {name} has a blank, quote, comma, semicolon or other: encode it"
        )
    if not _ATTRIBUTE.fullmatch(path) or not path.startswith("/"):
        raise ValueError(f"the path {path!r} of cookie {name} is not a path: begin it with /")
    if domain is not None and (not domain or not _ATTRIBUTE.fullmatch(domain)):
        raise ValueError(f"the domain {domain!r} of cookie {name} is not a domain: write it like example.com")
    if same_site == "None" and not secure:
        raise ValueError(
            f"browsers refuse cookie {name} with SameSite=None unless it is secure: set secure=True"
        )
    if name.startswith(("__Secure-", "__Host-")) and not secure:
        raise ValueError(f"browsers refuse cookie {name} unless it is secure: set secure=True")
    if name.startswith("__Host-") and (domain is not None or path != "/"):
        raise ValueError(
            f"browsers refuse cookie {name} with a domain or a path other than /: leave them out"
        )
    parts = [f"{name}={value}", f"Path={path}"]
    if domain is not None:
        parts.append(f"Domain={domain}")
    if max_age is not None:
        parts.append(f"Max-Age={max_age}")
    if secure:
        parts.append("Secure")
    if http_only:
        parts.append("HttpOnly")
    return "; ".join([*parts, f"SameSite={same_site}"])
