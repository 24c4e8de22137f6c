"""How sizes, durations and counts are written in web.json5 (SPEC 2, "Values").

Plain functions from a JSON5 value to a number, and back to the shortest text that means the same. They know
nothing of files, models or directives: a wrong value raises `WrongValue`, and the caller adds where it
stands.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from ioto_server.config.nearest import nearest

# What "unlimited" is in numbers: above anything that can be counted here, and an int, so that `n > limit`
# needs no None.
UNLIMITED = 2**63 - 1
MAXINT = 2**31 - 1

_ENDLESS_SIZE = frozenset({"unlimited", "infinite"})
_ENDLESS_TIME = frozenset({"never", "infinite", "unlimited", "forever"})

_SIZE_UNITS = {
    **dict.fromkeys(("b", "byte", "bytes"), 1),
    **dict.fromkeys(("k", "kb"), 1024),
    **dict.fromkeys(("m", "mb"), 1024**2),
    **dict.fromkeys(("g", "gb"), 1024**3),
}
_TIME_UNITS = {
    **dict.fromkeys(("msec", "ms"), 0.001),
    **dict.fromkeys(("s", "sec", "second", "seconds", "secs"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes", "mins"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86400),
    **dict.fromkeys(("week", "weeks"), 7 * 86400),
    **dict.fromkeys(("month", "months"), 30 * 86400),
    **dict.fromkeys(("year", "years"), 365 * 86400),
}
# The event loop counts milliseconds in a machine word and a calendar lifetime is as good as never.
_LONGEST = 100 * 365 * 86400
_LONGEST_TEXT = 64

# Units that others have: tera and the binary ones.
_TERA = frozenset({"t", "tb", "tib"})
_BINARY = {"kib": "KB", "mib": "MB", "gib": "GB"}
_ABBREVIATED = {"kb": "KB", "mb": "MB", "gb": "GB"}
# What people write for "no limit" and "no timeout" that the page does not know.
_OTHER_ENDLESS = frozenset({"none", "no", "off", "false", "disabled", "nolimit", "inf", "-1"})

_AMOUNT = re.compile(r"\s*([-+]?)(\d+\.?\d*|\.\d+)\s*([a-z]*)\s*", re.ASCII | re.IGNORECASE)
_PART = r"(?a)(\d+\.?\d*)\s*([a-z]+)\s*"
_COMPOUND = r"(?a)(\d+\.?\d*\s*[a-z]+\s*){2,8}"

SIZE_ALLOWED = "a number of bytes, a string with a unit such as '128K' or '1.5 MB', or 'unlimited'"
TIME_ALLOWED = "a number of seconds, a string with a unit such as '90 secs' or '5 mins', or 'never'"
COUNT_ALLOWED = "a whole number, or 'unlimited'"


class WrongValue(ValueError):
    """A value that a directive does not take.

    `why` completes a sentence that begins with the value as found ("is not a size"); `hint` says what to
    write instead, where that is more exact than the directive's general text of allowed values.
    """

    def __init__(self, why: str, hint: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.hint = hint


def parse_size(value: object, *, least: int = 1) -> int:
    """Return a size in bytes; `UNLIMITED` for 'unlimited'. Raises `WrongValue`. SPEC 2."""
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _ENDLESS_SIZE:
            return UNLIMITED
        if word == "maxint":
            return MAXINT
    return _whole(_amount(value, _SIZE_UNITS, "a size", "'unlimited'"), "byte", least)


def parse_count(value: object, *, least: int = 1) -> int:
    """Return a count; `UNLIMITED` for 'unlimited'. Raises `WrongValue`. SPEC 2."""
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _ENDLESS_SIZE:
            return UNLIMITED
        if word == "maxint":
            return MAXINT
    number = _amount(value, {}, "a count", "'unlimited'")
    if number != int(number):
        raise WrongValue("is not a whole number", f"write {int(number) or 1} or {int(number) + 1}")
    return _whole(number, "", least)


def parse_duration(value: object) -> float:
    """Return a duration in seconds; `math.inf` for 'never'. Raises `WrongValue`. SPEC 2."""
    if isinstance(value, float) and value == math.inf:
        return value
    if isinstance(value, str) and value.strip().lower() in _ENDLESS_TIME:
        return math.inf
    seconds = _amount(value, _TIME_UNITS, "a duration", "'never'")
    if seconds <= 0:
        raise WrongValue("is not more than 0", "write how long to wait, such as '5 secs', or 'never'")
    if seconds > _LONGEST:
        raise WrongValue("is longer than 100 years", "write 'never'")
    return float(seconds)


def show_size(number: int) -> int | str:
    """Write a size the short way; `parse_size` reads the same number back."""
    if number == UNLIMITED:
        return "unlimited"
    for name, unit in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if number and number % unit == 0:
            return f"{number // unit}{name}"
    return number


def show_count(number: int) -> int | str:
    """Write a count; `parse_count` reads the same number back."""
    return "unlimited" if number == UNLIMITED else number


def show_duration(seconds: float) -> int | float | str:
    """Write a duration the short way; `parse_duration` reads the same number back."""
    if seconds == math.inf:
        return "never"
    if seconds != int(seconds):
        return seconds
    for name, unit in (("days", 86400), ("hours", 3600), ("mins", 60)):
        if seconds >= unit and seconds % unit == 0:
            count = int(seconds // unit)
            return f"{count} {name if count > 1 else name[:-1]}"
    return f"{int(seconds)} sec{'s' if seconds > 1 else ''}"


def _amount(value: object, units: Mapping[str, float], noun: str, endless: str) -> int | float:
    """Multiply a number by its unit, keeping whole numbers exact."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        off = value is None or value is False
        hint = f"write {endless}, or take the directive out for its default" if off else None
        raise WrongValue(f"is not {noun}", hint)
    if not isinstance(value, str):
        if isinstance(value, float) and not math.isfinite(value):
            raise WrongValue(f"is not {noun}", f"for no limit write {endless}")
        return value
    match = _AMOUNT.fullmatch(value) if len(value) <= _LONGEST_TEXT else None
    if match is None:
        raise WrongValue(f"is not {noun}", _meant(value, units, endless))
    sign, digits, unit = match.groups()
    number = float(digits) if "." in digits else int(digits)
    if unit and unit.lower() not in units:
        if not units:
            full = number * {"k": 1000, "m": 1000_000}.get(unit[0].lower(), 1)
            raise WrongValue(f"is not {noun}: a count takes no unit", f"write {full}")
        raise WrongValue(f"is not {noun}: '{unit}' is no unit", _other_unit(digits, unit, units))
    return (-number if sign == "-" else number) * (units[unit.lower()] if unit else 1)


def _meant(text: str, units: Mapping[str, float], endless: str) -> str | None:
    """What somebody who wrote something else than a number and a unit most likely meant."""
    word = text.strip().lower()
    if word in _OTHER_ENDLESS or word in _ENDLESS_TIME:
        return f"write {endless}"
    if units is _TIME_UNITS and len(text) <= _LONGEST_TEXT and re.fullmatch(_COMPOUND, word):
        total = sum(float(number) * units.get(unit, math.nan) for number, unit in re.findall(_PART, word))
        if math.isfinite(total):
            return f"write it in one unit: {show_duration(total)!r}"
    if word.isalpha():
        near = nearest(word, sorted(_ENDLESS_TIME if units is _TIME_UNITS else _ENDLESS_SIZE))
        return f"did you mean '{near}'?" if near else None
    tidied = _tidied(text) if len(text) <= _LONGEST_TEXT else text
    match = _AMOUNT.fullmatch(tidied)
    if tidied != text and match and (match[3].lower() in units or not match[3]):
        return f"write '{tidied}'"
    return None


def _tidied(text: str) -> str:
    """Write a number the way it is read here: 1 000 000 and 1,000,000 without gaps, 1,5 with a point."""
    word = text.strip().rstrip(".")
    if re.fullmatch(r"(?ai)\d{1,3}([ ,_']\d{3})+\s*[a-z]*", word):
        return re.sub(r"(?<=\d)[ ,_'](?=\d)", "", word)
    return re.sub(r"(?<=\d),(?=\d)", ".", word, count=1)


def _other_unit(digits: str, unit: str, units: Mapping[str, float]) -> str:
    if units is _SIZE_UNITS and unit.lower() in _TERA:
        return f"write '{show_size(int(float(digits) * 1024**4))}'"
    guess = _BINARY.get(unit.lower()) or nearest(unit, reversed(list(units)))
    if guess:
        return f"write '{digits} {_ABBREVIATED.get(guess, guess)}'"
    # One spelling of each unit: the list in full would bury the message.
    names = [
        _ABBREVIATED.get(name, name) for name in {factor: name for name, factor in units.items()}.values()
    ]
    return f"write '{digits} {names[1]}', or another of the units {', '.join(names[:-1])} and {names[-1]}"


def _whole(number: int | float, noun: str, least: int) -> int:
    if number > UNLIMITED:
        raise WrongValue("is too large", "for no limit write 'unlimited'")
    whole = int(number)
    if number < 0 or whole < least:
        unit = f" {noun}{'s' if least != 1 else ''}" if noun else ""
        raise WrongValue(
            f"is less than {least}{unit}", f"write {least} or more; for no limit write 'unlimited'"
        )
    return whole
