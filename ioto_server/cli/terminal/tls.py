"""The TLS of a client: whom it trusts, and what it shows."""

from __future__ import annotations

import ssl
from pathlib import Path


class TlsError(ValueError):
    """A certificate, key or list of issuers cannot be used: which file, and why."""


def make_context(insecure: bool, ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext:
    """A context for one connection: `ca` in place of the system's issuers. Raises TlsError."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise TlsError(f"--ca {ca} cannot be used: {error}; give a PEM file of certificates") from None
    context.set_alpn_protocols(["http/1.1"])
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert is not None:
        try:
            context.load_cert_chain(cert, key)
        except (OSError, ssl.SSLError) as error:
            raise TlsError(
                f"--cert {cert} cannot be used: {error}; give a PEM certificate and its unencrypted key"
            ) from None
    return context
