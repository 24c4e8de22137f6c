"""`topics.broker`: the URL of a messaging server, which holds a password that nobody is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, urlsplit

from ioto_server.config.values import WrongValue

# What stands before the '@' of a URL, or of what was to become one.
_PASSWORD = re.compile(r":[^:@\s'\"/][^\s'\"]*@")
# The same in a URL that is one. The password may have an '@' itself: the host begins behind the last.
_USER = re.compile(r"(?<=://)([^:/?@]*):[^/?]*@")
# Valkey speaks Redis' protocol, and so does who has one of the others.
_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss", "unix": "unix"}
_NAMES = "'redis://', 'rediss://' (with TLS) and 'unix://'"
_PREFIX = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def without_password(text: str) -> str:
    """The same text with *** in place of the password of each URL in it."""
    return _PASSWORD.sub(":***@", text)


@dataclass(frozen=True, slots=True)
class Broker:
    """A Redis or Valkey server. `url` is for its client alone: what is shown of it has no password.

    All whose `world` is the same hear each other's topics.
    """

    url: str = field(repr=False)
    world: str
    shown: str

    def __str__(self) -> str:
        return self.shown


def parse_broker(text: str) -> Broker:
    """Take the URL apart. Raises `WrongValue`."""
    scheme, separator, rest = text.partition("://")
    if not separator:
        raise WrongValue("is not a URL")
    if scheme not in _SCHEMES:
        raise WrongValue(f"is the URL of no broker that is supported: these are {_NAMES}")
    try:
        parts = urlsplit(f"{_SCHEMES[scheme]}://{rest}")
        _ = parts.port
    except ValueError:
        raise WrongValue("has no port between 0 and 65535 after its host") from None
    if parts.fragment:
        raise WrongValue("has a '#' in it", "write %23 for a '#' in a password")
    prefix, database = _asked(parts)
    url = parts._replace(query="").geturl()
    if parts.scheme == "unix":
        if not parts.path.strip("/") or parts.hostname:
            raise WrongValue("names no socket", "write 'unix:///run/redis/redis.sock'")
        url += f"?db={database}"
    elif not parts.hostname:
        raise WrongValue("names no host", "write 'redis://localhost:6379'")
    return Broker(url, f"{prefix}:{database}", _USER.sub(r"\1:***@", text))


def _asked(parts: SplitResult) -> tuple[str, int]:
    """What names the world: the prefix, and the number of the database."""
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    number = query.pop("db", "0") if parts.scheme == "unix" else parts.path.strip("/") or "0"
    prefix = query.pop("prefix", "ioto")
    if query:
        raise WrongValue(f"has an unknown parameter '{next(iter(query))}'", "'prefix' is the one there is")
    if not re.fullmatch(r"(?a)\d{1,5}", number):
        raise WrongValue("has no number of a database as its path", "write 'redis://localhost:6379/0'")
    if not _PREFIX.fullmatch(prefix):
        raise WrongValue("has a prefix that is not 1 to 64 letters, digits, '.', '_' and '-'")
    return prefix, int(number)
