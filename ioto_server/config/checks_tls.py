"""Checks of TLS: that the files belong together and are in force, before anything is started with them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ioto_server.config.problems import Problem
from ioto_server.config.sections import Tls
from ioto_server.config.validity import read_validity
from ioto_server.config.view import View

_SOON = timedelta(days=14)


class _HasPassPhrase(Exception):
    """OpenSSL asked for a pass phrase, which nobody is there to type."""


def check_tls(view: View, now: datetime | None = None) -> Iterator[Problem]:
    """Check certificate, key, authority and ciphers. `now` is for tests; the default is the present."""
    tls = view.config.tls
    https = [index for index, endpoint in enumerate(view.config.listen) if endpoint.scheme == "https"]
    if tls is None:
        if https:
            hint = "add tls: { certificate: 'server.crt', key: 'server.key' }, or write http://"
            written = view.node("listen")
            path = f"listen[{https[0]}]" if written and isinstance(written.value, list) else "listen"
            yield view.problem(path, "is https, and there is no tls", hint)
        return
    if not https:
        hint = "write https:// in listen, or take tls out"
        yield view.warn("tls", "is set, and no endpoint is https", hint)
    yield from _files(view, tls)
    yield from _verify(view, tls)
    yield from _dates(view, tls.certificate, now or datetime.now(UTC))


def _context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def _files(view: View, tls: Tls) -> Iterator[Problem]:
    missing = False
    for path, file in (
        ("tls.certificate", tls.certificate),
        ("tls.key", tls.key),
        ("tls.authority", tls.authority),
    ):
        reason = _unreadable(file) if file else None
        if reason:
            missing = True
            yield view.problem(
                path, f"{reason} ({file})", "write the path of a PEM file that the server's user may read"
            )
    if not missing:
        yield from _pair(view, tls)
    if tls.key and _open_to_all(tls.key):
        yield view.warn(
            "tls.key", f"may be read by every user of this machine ({tls.key})", f"chmod 600 {tls.key}"
        )
    if tls.ciphers:
        try:
            _context().set_ciphers(tls.ciphers)
        except ssl.SSLError:
            hint = "`openssl ciphers -v` shows the names; take the directive out for the default"
            yield view.problem("tls.ciphers", "has no cipher that OpenSSL knows", hint)


def _unreadable(file: Path) -> str | None:
    try:
        with file.open("rb"):
            return None
    except FileNotFoundError:
        return "does not exist"
    except IsADirectoryError:
        return "is a folder"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def _open_to_all(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & 0o004)
    except OSError:
        return False


def _pair(view: View, tls: Tls) -> Iterator[Problem]:
    def ask() -> str:
        raise _HasPassPhrase

    own = tls.key is None
    keyed = "tls.certificate" if own else "tls.key"
    try:
        _context().load_cert_chain(tls.certificate, tls.key, ask)
    except _HasPassPhrase:
        hint = f"take it off: openssl pkey -in {tls.key or tls.certificate} -out plain.key"
        yield view.problem(keyed, "has a pass phrase, which nobody can type when the server starts", hint)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            hint = "write the key that the certificate was made for"
            yield view.problem(keyed, f"is not the key of {view.written('tls.certificate', '', keyed)}", hint)
        elif not _has(tls.certificate, b"-----BEGIN CERTIFICATE-----"):
            hint = "a PEM file has a line -----BEGIN CERTIFICATE-----; openssl x509 converts others"
            yield view.problem("tls.certificate", f"holds no PEM certificate ({tls.certificate})", hint)
        elif not _has(tls.key or tls.certificate, b"PRIVATE KEY-----"):
            hint = (
                "set tls.key to the file of the private key"
                if own
                else "a PEM key has a line -----BEGIN PRIVATE KEY-----"
            )
            yield view.problem(keyed, f"holds no PEM private key ({tls.key or tls.certificate})", hint)
        else:
            reason = (error.reason or str(error)).lower().replace("_", " ")
            yield view.problem(
                "tls.certificate", f"or its key is refused by OpenSSL: {reason}", "make them anew"
            )


def _has(file: Path, mark: bytes) -> bool:
    return mark in file.read_bytes()


def _verify(view: View, tls: Tls) -> Iterator[Problem]:
    if tls.verify.client and tls.authority is None:
        hint = "add tls.authority: the certificate of who issued those of the clients"
        yield view.problem("tls.verify.client", "needs something to check certificates against", hint)
    if tls.verify.client and not tls.verify.issuer:
        hint = "take issuer out"
        yield view.problem(
            "tls.verify.issuer", "is impossible with verify.client: anybody can make a certificate", hint
        )
    if tls.authority and _unreadable(tls.authority) is None:
        try:
            _context().load_verify_locations(tls.authority)
        except ssl.SSLError:
            hint = "a PEM file has a line -----BEGIN CERTIFICATE-----"
            yield view.problem("tls.authority", f"holds no PEM certificate ({tls.authority})", hint)


def _dates(view: View, certificate: Path, now: datetime) -> Iterator[Problem]:
    validity = read_validity(certificate)
    if validity is None:
        return
    begins, ends = validity
    if now < begins:
        yield view.warn(
            "tls.certificate",
            f"is valid from {begins:%Y-%m-%d} on, and not yet",
            "check the clock, or use another",
        )
    elif now > ends:
        yield view.warn("tls.certificate", f"ended on {ends:%Y-%m-%d}: clients refuse it", "renew it")
    elif ends - now < _SOON:
        yield view.warn(
            "tls.certificate", f"ends on {ends:%Y-%m-%d}, in {(ends - now).days} days", "renew it"
        )
