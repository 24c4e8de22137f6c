"""What reads the values of directives that stay on this machine: texts, switches, paths, hosts and processes.

Each reader takes a JSON5 value and the place it is read in, returns the model's value or raises `WrongValue`,
and returns a value of the model unchanged.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from ioto_server.config.endpoint import Endpoint, check_host, parse_endpoint
from ioto_server.config.grammar import Place
from ioto_server.config.values import WrongValue

SITE = Path(__file__).resolve().parent.parent / "site"


def text_of(value: object, noun: str) -> str:
    """Return a one-line string that is not empty, or raise `WrongValue`."""
    if not isinstance(value, str):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        raise WrongValue(f"is not {noun}", f"write it in quotes: '{value}'" if number else None)
    if value == "":
        raise WrongValue("is empty", f"write {noun}, or take the directive out")
    if any(character < " " or character == "\x7f" for character in value):
        raise WrongValue("holds a control character (a line end, a tab or NUL)", "take it out")
    return value


def flag(value: object, place: Place) -> bool:
    """A switch."""
    if isinstance(value, bool):
        return value
    meant = {
        "yes": True,
        "on": True,
        "true": True,
        "1": True,
        "no": False,
        "off": False,
        "false": False,
        "0": False,
    }
    guess = meant.get(str(value).strip().lower())
    raise WrongValue(
        "is not true or false", None if guess is None else f"write {str(guess).lower()}, without quotes"
    )


def path(value: object, place: Place) -> Path:
    """A path of this machine."""
    if isinstance(value, Path):
        return place.base / value
    return place.absolute(text_of(value, "a path"))


def is_site(folder: Path) -> bool:
    """Whether a folder is the packaged site, or inside it, by whatever path: nobody may write there."""
    return Path(os.path.realpath(folder)).is_relative_to(SITE)


def documents(value: object, place: Place) -> Path:
    """A folder of files to serve."""
    if isinstance(value, str) and value.startswith("@"):
        if value != "@site":
            raise WrongValue("is no packaged folder", "the packaged site is '@site'")
        return SITE
    return path(value, place)


def control(value: object, place: Place) -> Path:
    """The control socket: in systemd's runtime folder, or beside the file."""
    variable = "$RUNTIME_DIRECTORY/"
    if isinstance(value, str) and value.startswith(variable):
        # systemd lists several folders with colons between them; the first is the service's own
        # (systemd.exec(5)).
        folder = place.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
        return place.absolute((folder or "run") + "/" + value.removeprefix(variable))
    return path(value, place)


def log_path(value: object, place: Place) -> Path | str:
    """Where the log goes."""
    return value if isinstance(value, str) and value in ("stdout", "stderr") else path(value, place)


def host_name(value: object, place: Place) -> str:
    """A public host name, with a port where it is not the scheme's own."""
    text = text_of(value, "a host name")
    parts = re.fullmatch(r"(\[[^\]]*\]|[^:/]+)(:[0-9]{1,5})?", text)
    if parts is None:
        name = re.sub(r"^[a-z]+:/*|/.*$", "", re.sub(r"^([a-z]+:/*)", "", text)) or "device.example.com"
        raise WrongValue("is not a host name", f"write the name alone: '{name}'")
    host = check_host(parts[1])
    return (f"[{host}]" if ":" in host else host) + (parts[2] or "")


def file_name(value: object, place: Place) -> str:
    """The name of a file inside a folder."""
    text = text_of(value, "a file name")
    if "/" in text or "\\" in text or text in (".", ".."):
        raise WrongValue("is not a file name", "write the name alone, such as 'index.html'")
    return text


def endpoint(value: object, place: Place) -> Endpoint:
    """One entry of `listen`."""
    return parse_endpoint(value, place.base)


def log_show(value: object, place: Place) -> str:
    """What of requests and answers is logged."""
    if not isinstance(value, str) or set(value) - set("HhBb"):
        raise WrongValue("is not made of the letters H, h, B and b")
    return value


def ciphers(value: object, place: Place) -> str:
    """A cipher list as OpenSSL writes it; the original takes a list of names too."""
    names = value if isinstance(value, list | tuple) and value else [value]
    return ":".join(text_of(name, "an OpenSSL cipher list") for name in names)


def workers(value: object, place: Place) -> int | str:
    """How many processes."""
    if value == "auto":
        return "auto"
    if isinstance(value, str) and value.isascii() and value.strip().isdecimal() and len(value) < 9:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1024:
        raise WrongValue("is not a number of workers")
    return value


def show_documents(path: Path) -> str:
    """Write a folder of documents the way the file does."""
    return "@site" if path == SITE else str(path)
