"""Where a redirect leads from and to: a path, alone or with a scheme and perhaps a host in front."""

from __future__ import annotations

import re
from typing import NamedTuple

_URL = re.compile(r"(https?)://([^/?#]*)([^?#]*)", re.IGNORECASE)
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
