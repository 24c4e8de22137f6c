"""Where a redirect leads from and to: a path, alone or with a scheme and perhaps a host in front."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from ioto_server.config.endpoint import Endpoint

_URL = re.compile(r"(https?)://([^/?#]*)([^?#]*)", re.IGNORECASE)
_NAME = re.compile(r"(.*?)(:[0-9]+)?")
_PORTS = {"http": ":80", "https": ":443"}


class Location(NamedTuple):
    """The parts of a path or URL, without query and fragment: `scheme` and `host` are empty for a path.

    A `host` has its port where that is not the scheme's own. Without one, a URL is of whoever serves it.
    """

    scheme: str
    host: str
    path: str

    def is_of(self, other: Location) -> bool:
        """Whether a URL has the scheme and the host of another; what one of them leaves out is the same."""
        return self.scheme == other.scheme and (not self.host or not other.host or self.host == other.host)


def location_of(text: str) -> Location:
    """Take a path or URL apart."""
    match = _URL.match(text)
    if match is None:
        return Location("", "", re.split("[?#]", text)[0])
    scheme = match[1].lower()
    return Location(scheme, authority(scheme, match[2]), match[3])


def authority(scheme: str, host: str) -> str:
    """A host in the one way to write it: in lower case, without the port that its scheme has anyway."""
    return host.lower().removesuffix(_PORTS.get(scheme, ""))


def is_scheme(text: str) -> bool:
    """Whether a URL ends with its scheme: whoever it leads keeps host, path and query."""
    return text.endswith("://")


def port_of(listen: Sequence[Endpoint], scheme: str) -> str:
    """The port of a scheme's first endpoint, behind its colon; empty where none has one of its own."""
    return next((f":{one.port}" for one in listen if one.scheme == scheme and one.port), "")


def named(name: str, listen: Sequence[Endpoint], scheme: str) -> str:
    """Where `name` is reached by a scheme.

    Without a port that is the scheme's own, as seen from outside, whatever port is listened at: a proxy or a
    router may stand in between. A port belongs to the scheme that has an endpoint with it, or whose own it
    is; by the other scheme the name is at the port of that one's endpoint. A port of neither is one that
    somebody outside leads to us, by whatever scheme.
    """
    match = _NAME.fullmatch(name)
    assert match is not None
    host, port = match[1], match[2]
    if not port:
        return name
    owners: list[str] = [one.scheme for one in listen if f":{one.port}" == port]
    owners += [known for known, own in _PORTS.items() if own == port]
    return name if not owners or scheme in owners else host + port_of(listen, scheme)
