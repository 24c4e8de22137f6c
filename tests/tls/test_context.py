"""The TLS context of https endpoints: what it agrees to, what it refuses, how it takes new files."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from ioto_server.config import Tls
from ioto_server.server import secure
from ioto_server.server.tls import TlsContext, TlsError, make_context
from tests.tls.certificates import AUTHORITY, client_context, replace, write_pair


class Handshake:
    """A handshake in memory between a client's context and the server's."""

    def __init__(self, server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost") -> None:
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.client = client.wrap_bio(down, up, server_hostname=name)
        self.server = server.wrap_bio(up, down, server_side=True)
        self.run()

    def run(self) -> None:
        """Let both talk until both are done; raises what one of them raises."""
        done: set[ssl.SSLObject] = set()
        while len(done) < 2:
            for side in (self.client, self.server):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
                done.add(side)

    def ask(self) -> bytes:
        """A byte there and back: only then is a TLS 1.3 server heard that refuses the client."""
        self.client.write(b"?")
        self.server.read(1)
        self.server.write(b"!")
        return self.client.read(1)

    @property
    def serial(self) -> str:
        """The serial number of the server's certificate, as the client saw it."""
        return str((self.client.getpeercert() or {})["serialNumber"])


def tls_of(folder: Path, **more: Any) -> Tls:
    return Tls.read({**write_pair(folder), **more})


@pytest.fixture
def context(tmp_path: Path) -> TlsContext:
    return make_context(tls_of(tmp_path))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(context: TlsContext, version: ssl.TLSVersion) -> None:
    client = client_context()
    client.minimum_version = client.maximum_version = version
    agreed = Handshake(context, client).client
    assert agreed.version() == version.name.replace("_", ".")
    name, _, bits = agreed.cipher() or ("", "", 0)
    assert any(aead in name for aead in ("GCM", "CHACHA20")), "authenticated encryption only"
    assert bits >= 128


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_older_versions_are_refused(context: TlsContext) -> None:
    client = client_context()
    client.minimum_version = client.maximum_version = ssl.TLSVersion.TLSv1_1
    client.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        Handshake(context, client)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["AES256-GCM-SHA384", "AES128-GCM-SHA256", "CHACHA20-POLY1305"], "AES128-GCM-SHA256"),
        (["AES256-GCM-SHA384", "CHACHA20-POLY1305"], "AES256-GCM-SHA384"),
        (["CHACHA20-POLY1305", "AES256-GCM-SHA384", "AES128-GCM-SHA256"], "CHACHA20-POLY1305"),
    ],
)
def test_the_servers_order_of_ciphers_counts_but_for_a_client_without_aes(
    offered: list[str], chosen: str, context: TlsContext
) -> None:
    client = client_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(":".join(f"ECDHE-ECDSA-{name}" for name in offered))
    assert (Handshake(context, client).client.cipher() or [""])[0] == f"ECDHE-ECDSA-{chosen}"


def test_aes_with_128_bits_comes_first_in_tls_1_3_where_python_or_we_can_say_so(context: TlsContext) -> None:
    told = secure.BY_LOOP is None or hasattr(ssl.SSLContext, "set_ciphersuites")
    names = [cipher["name"] for cipher in ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).get_ciphers()]
    first = "TLS_AES_128_GCM_SHA256" if told else names[0]
    agreed = Handshake(context, client_context())
    assert (agreed.client.cipher() or [""])[0] == first
    shared = {name for name, _, _ in agreed.server.shared_ciphers() or []}
    assert {name for name in names if name.startswith("TLS_")} <= shared, "none is taken away"


@pytest.mark.parametrize("ciphers", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-SHA384", "AES256-SHA"])
def test_ciphers_without_forward_secrecy_or_authentication_are_refused(
    context: TlsContext, ciphers: str
) -> None:
    client = client_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(ciphers)
    with pytest.raises(ssl.SSLError, match=r"(?i)no shared cipher|handshake"):
        Handshake(context, client)


def test_the_ciphers_directive_decides(tmp_path: Path) -> None:
    only = make_context(tls_of(tmp_path, ciphers="ECDHE-ECDSA-CHACHA20-POLY1305"))
    client = client_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert (Handshake(only, client).client.cipher() or [""])[0] == "ECDHE-ECDSA-CHACHA20-POLY1305"


def test_nothing_is_compressed(context: TlsContext) -> None:
    assert Handshake(context, client_context()).server.compression() is None


@pytest.mark.parametrize(("offered", "chosen"), [(["h2", "http/1.1"], "http/1.1"), (["h2"], None)])
def test_alpn_is_http_1_1(context: TlsContext, offered: list[str], chosen: str | None) -> None:
    client = client_context()
    client.set_alpn_protocols(offered)
    assert Handshake(context, client).client.selected_alpn_protocol() == chosen


def test_a_name_that_is_not_ours_is_served_all_the_same(context: TlsContext) -> None:
    """One host, one certificate (RFC 6066, 3): whether it is the right one is the client's to judge."""
    client = client_context()
    client.check_hostname = False
    known = Handshake(context, client, "localhost").serial
    assert Handshake(context, client, "elsewhere.example").serial == known


# Certificates of clients


def test_a_client_without_a_certificate_is_refused_where_one_is_asked_for(tmp_path: Path) -> None:
    context = make_context(verifying(tmp_path, trustme.CA()))
    with pytest.raises(ssl.SSLError):
        Handshake(context, client_context()).ask()


def test_a_client_with_a_certificate_of_the_authority_is_known(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = make_context(verifying(tmp_path, authority))
    client = client_context(certificate=authority.issue_cert("me@example.org"))
    handshake = Handshake(context, client)
    assert handshake.ask() == b"!"
    assert handshake.server.getpeercert()


def test_a_client_of_another_authority_is_refused(tmp_path: Path) -> None:
    context = make_context(verifying(tmp_path, trustme.CA()))
    stranger = client_context(certificate=trustme.CA().issue_cert("me@example.org"))
    with pytest.raises(ssl.SSLError):
        Handshake(context, stranger).ask()


def test_an_authority_that_is_replaced_is_trusted_no_more(tmp_path: Path) -> None:
    old, new = trustme.CA(), trustme.CA()
    context = make_context(verifying(tmp_path, old))
    client = client_context(certificate=old.issue_cert("me@example.org"))
    session = Handshake(context, client)
    assert session.ask() == b"!"
    replace(tmp_path / "clients.crt", new.cert_pem.bytes())
    context.renew()
    with pytest.raises(ssl.SSLError):
        Handshake(context, client).ask()
    assert session.ask() == b"!", "what is open stays open"


def verifying(folder: Path, authority: trustme.CA) -> Tls:
    replace(folder / "clients.crt", authority.cert_pem.bytes())
    return tls_of(folder, authority=str(folder / "clients.crt"), verify={"client": True})


# New files


def test_new_files_are_for_new_connections(tmp_path: Path) -> None:
    context = make_context(tls_of(tmp_path))
    before = Handshake(context, client_context())
    write_pair(tmp_path)
    assert Handshake(context, client_context()).serial == before.serial, "nothing is read unasked"
    context.renew()
    assert Handshake(context, client_context()).serial != before.serial
    assert before.ask() == b"!"


def test_a_handshake_that_had_begun_ends_with_the_files_it_began_with(tmp_path: Path) -> None:
    context = make_context(tls_of(tmp_path))
    before = Handshake(context, client_context()).serial
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    half = Handshake.__new__(Handshake)
    half.client = client_context().wrap_bio(down, up, server_hostname="localhost")
    half.server = context.wrap_bio(up, down, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        half.client.do_handshake()
    write_pair(tmp_path)
    context.renew()
    half.run()
    assert half.serial == before


@pytest.mark.parametrize("spoil", ["other key", "no key", "no certificate", "gone", "pass phrase"])
def test_files_that_cannot_be_used_change_nothing(tmp_path: Path, spoil: str) -> None:
    context = make_context(tls_of(tmp_path))
    before = Handshake(context, client_context()).serial
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    if spoil == "other key":
        replace(key, AUTHORITY.issue_cert("localhost").private_key_pem.bytes())
    elif spoil == "no key":
        replace(key, certificate.read_bytes())
    elif spoil == "no certificate":
        replace(certificate, b"not PEM\n")
    elif spoil == "gone":
        certificate.unlink()
    else:
        replace(key, with_pass_phrase(key.read_bytes()))
    with pytest.raises(TlsError, match=r"server\.crt"):
        context.renew()
    assert Handshake(context, client_context()).serial == before


def with_pass_phrase(key: bytes) -> bytes:
    """The same key, encrypted: OpenSSL would ask a terminal for its pass phrase."""
    loaded = serialization.load_pem_private_key(key, None)
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
