"""From when to when a certificate is valid.

The standard library checks dates during a handshake and tells them nowhere else, so the few bytes that say so
are read here: a certificate is DER inside PEM (RFC 5280 4.1).
"""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime
from pathlib import Path

_FIRST = r"(?s)-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----"
_SEQUENCE, _VERSION, _UTC_TIME = 0x30, 0xA0, 0x17


def read_validity(certificate: Path) -> tuple[datetime, datetime] | None:
    """Return the beginning and end of a PEM file's first certificate, None where there is none to read."""
    try:
        match = re.search(_FIRST, certificate.read_text("ascii", "replace"))
        return None if match is None else _validity(ssl.PEM_cert_to_DER_cert(match[0]))
    except (OSError, ValueError, IndexError):
        return None


def _validity(der: bytes) -> tuple[datetime, datetime]:
    """Walk to Certificate.tbsCertificate.validity."""
    at = _enter(der, _enter(der, 0))
    if der[at] == _VERSION:
        at = _next(der, at)
    # serialNumber, signature and issuer come before validity.
    for _ in range(3):
        at = _next(der, at)
    begins = _enter(der, at)
    return _time(der, begins), _time(der, _next(der, begins))


def _length(der: bytes, at: int) -> tuple[int, int]:
    """Return where the contents of a value begin and how long they are (X.690 8.1.3)."""
    first = der[at + 1]
    if first < 0x80:
        return at + 2, first
    start = at + 2 + (first & 0x7F)
    return start, int.from_bytes(der[at + 2 : start])


def _enter(der: bytes, at: int) -> int:
    if der[at] != _SEQUENCE:
        raise ValueError("not a certificate")
    return _length(der, at)[0]


def _next(der: bytes, at: int) -> int:
    start, length = _length(der, at)
    return start + length


def _time(der: bytes, at: int) -> datetime:
    """Read a UTCTime or GeneralizedTime; years 50 to 99 are of the last century (RFC 5280 4.1.2.5)."""
    start, length = _length(der, at)
    text = der[start : start + length].decode("ascii")
    if der[at] == _UTC_TIME:
        text = ("19" if text >= "5" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
