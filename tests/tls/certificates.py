"""Authorities and certificates of a test's own, written where the daemon reads them."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

import trustme

AUTHORITY = trustme.CA()
"""Issued the daemon's certificate unless a test says otherwise."""


def write_pair(folder: Path, authority: trustme.CA = AUTHORITY, *names: str) -> dict[str, str]:
    """A new certificate for 127.0.0.1 and `names`; returns `tls.certificate` and `tls.key`.

    Each file is put in place whole, as those who renew certificates do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pair = authority.issue_cert("127.0.0.1", "localhost", *names)
    chain = b"".join(blob.bytes() for blob in pair.cert_chain_pems)
    written = {"certificate": folder / "server.crt", "key": folder / "server.key"}
    replace(written["certificate"], chain)
    replace(written["key"], pair.private_key_pem.bytes())
    return {name: str(path) for name, path in written.items()}


def replace(path: Path, data: bytes) -> None:
    """Put a new file in the place of an old one."""
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_bytes(data)
    os.replace(new, path)


def client_context(authority: trustme.CA = AUTHORITY, certificate: Any = None) -> ssl.SSLContext:
    """A client that trusts `authority` alone, and shows `certificate` if given one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    if certificate is not None:
        certificate.configure_cert(context)
    return context


def secure(folder: Path, **tls: Any) -> dict[str, Any]:
    """The configuration of a daemon with one https endpoint and a certificate of its own."""
    return {"listen": ["https://127.0.0.1:0"], "tls": {**write_pair(folder), **tls}}
