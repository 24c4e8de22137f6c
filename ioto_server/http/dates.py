"""HTTP dates, written and read (RFC 9110 5.6.7)."""

from __future__ import annotations

import re
from calendar import timegm
from datetime import datetime
from functools import lru_cache
from time import gmtime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = r"(?P<day>[0-9]{2})"
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMATS = (
    # IMF-fixdate, the form that is sent; then two obsolete ones that are to be read: RFC 850's, asctime's.
    re.compile(rf"(?:{'|'.join(_DAYS)}), {_DAY} {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(rf"[A-Z][a-z]{{5,8}}, {_DAY}-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(rf"[A-Z][a-z]{{2}} {_MONTH} (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)


@lru_cache(maxsize=64)
def _date_of(second: int) -> str:
    at = gmtime(second)
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04} "
        f"{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
    )


def http_date(seconds: float) -> str:
    """A moment, in seconds since the epoch, as an HTTP date; fractions are cut off."""
    return _date_of(int(seconds))


def parse_http_date(text: str, now: float) -> int | None:
    """The second that an HTTP date names, None if it is not one (then its field is to be ignored).

    `now`, in seconds since the epoch, decides the century of a two-digit year: never over 50 years ahead.
    """
    match = next(filter(None, (form.fullmatch(text) for form in _FORMATS)), None)
    if match is None:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        this_year = gmtime(now).tm_year
        year += this_year - this_year % 100
        if year > this_year + 50:
            year -= 100
    try:
        # RFC 9110 5.6.7 allows second 60; the next second is the same moment.
        leap = match["second"] == "60"
        moment = datetime(
            year,
            _MONTHS.index(match["month"]) + 1,
            int(match["day"]),
            int(match["hour"]),
            int(match["minute"]),
            59 if leap else int(match["second"]),
        )
    except ValueError:
        return None
    return timegm(moment.timetuple()) + leap
