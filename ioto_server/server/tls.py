"""TLS of `https` endpoints, from the `tls` section: one context that new files can be put into."""

from __future__ import annotations

import os
import ssl
from typing import Final

from ioto_server.config import Tls

from .secure import keep_names, order_suites

# What TLS 1.2 clients may choose from: forward secrecy and authenticated encryption only (RFC 9325, 4.2).
# TLS 1.3 has no others. AES with 128 bits comes first in both: nobody breaks it, and it costs less.
_CIPHERS: Final = "ECDHE+AESGCM+AES128:ECDHE+AESGCM:ECDHE+CHACHA20"

# OpenSSL's SSL_OP_PRIORITIZE_CHACHA, which the ssl module has no name for: a client that puts ChaCha20
# first, as devices without instructions for AES do, gets it.
_OP_PRIORITIZE_CHACHA: Final = 1 << 21

# A file's device, inode, size and times; None where it is not there.
_FileFacts = tuple[int, ...] | None
Facts = tuple[_FileFacts, ...]


class TlsError(Exception):
    """The certificate or key cannot be used: which file, why, and what to change."""


class TlsContext(ssl.SSLContext):
    """What `https` endpoints are opened with for good; each connection begins with what is newest in it.

    A context whose certificate or authority is changed in place is neither old nor new while that lasts, and
    never forgets an authority. So a new one is made and checked beside the one in force, and exchanged whole:
    open connections keep the one they began with. `facts` are those of the files it was made from.
    """

    tls: Tls
    facts: Facts
    _newest: ssl.SSLContext

    @classmethod
    def of(cls, tls: Tls) -> TlsContext:
        """A context for servers, TLS 1.2 or newer. Raises TlsError."""
        context = cls(ssl.PROTOCOL_TLS_SERVER)
        context.tls = tls
        context.renew()
        return context

    def renew(self) -> None:
        """Read the files again; new connections go by them. Raises TlsError, with nothing changed."""
        facts = facts_of(self.tls)
        self._newest = _make(self.tls)
        self.facts = facts

    def follow(self, other: TlsContext) -> None:
        """Go by what another context was made from."""
        self.tls, self.facts, self._newest = other.tls, other.facts, other._newest

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin a connection: what event loops call for each."""
        return self._newest.wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def make_context(tls: Tls) -> TlsContext:
    """A context for servers: TLS 1.2 or newer. Raises TlsError."""
    return TlsContext.of(tls)


def facts_of(tls: Tls) -> Facts:
    """What changes when one of the files does. One system call each, through links to what they lead to."""
    found: list[_FileFacts] = []
    for file in filter(None, (tls.certificate, tls.key, tls.authority)):
        try:
            status = os.stat(file)
        except OSError:
            found.append(None)
        else:
            found.append(
                (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            )
    return tuple(found)


def _make(tls: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Our order of ciphers counts. No compression (CRIME), no renegotiation (its cost is all the server's).
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.options |= _OP_PRIORITIZE_CHACHA
    order_suites(context, _suites(context))
    keep_names(context)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(tls.certificate, tls.key, _no_pass_phrase)
        context.set_ciphers(_CIPHERS if tls.ciphers is None else tls.ciphers)
        if tls.verify.client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cafile=tls.authority)
    except (OSError, ssl.SSLError) as error:
        key = f" with key {tls.key}" if tls.key else ""
        raise TlsError(
            f"tls: certificate {tls.certificate}{key} cannot be used: {error}; "
            "give a PEM certificate chain and the matching key without a pass phrase"
        ) from error
    return context


def _suites(context: ssl.SSLContext) -> list[str]:
    """The TLS 1.3 ciphers that the system allows, in our order."""
    names = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.3"]
    return sorted(names, key=lambda name: "_AES_128_GCM_" not in name)


def _no_pass_phrase() -> str:
    """What OpenSSL would ask a terminal for, with the loop standing still until somebody types it."""
    raise ssl.SSLError("the key has a pass phrase")
