"""The TLS context of `https` endpoints, from the `tls` section."""

from __future__ import annotations

import ssl

from ioto_server.config import Tls


class TlsError(Exception):
    """The certificate or key cannot be used: which file, why, and what to change."""


def make_context(tls: Tls) -> ssl.SSLContext:
    """A context for servers: TLS 1.2 or newer. Raises TlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    configure(context, tls)
    return context


def configure(context: ssl.SSLContext, tls: Tls) -> None:
    """Have new connections of a context go by `tls`; open ones live on.

    Raises TlsError, with the context spoilt: try `make_context` first, for a context that is in use.
    """
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(tls.certificate, tls.key)
        if tls.ciphers is not None:
            context.set_ciphers(tls.ciphers)
        context.verify_mode = ssl.CERT_REQUIRED if tls.verify.client else ssl.CERT_NONE
        if tls.verify.client:
            context.load_verify_locations(cafile=str(tls.authority))
    except (OSError, ssl.SSLError) as error:
        raise TlsError(
            f"tls: {tls.certificate} with its key cannot be used: {error}; "
            "give a PEM certificate chain and the matching unencrypted key"
        ) from error
