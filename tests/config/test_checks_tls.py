"""Certificate, key and authority: that they are there, belong together and are in force."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ioto_server.config import Loaded
from ioto_server.config.checks_tls import check_tls
from ioto_server.config.problems import Problem
from ioto_server.config.validity import read_validity
from ioto_server.config.view import View
from tests.config.helpers import Load, errors

HTTPS = "listen: 'https://localhost:4143'"
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
Make = Callable[..., None]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write a certificate and its key: `make(name, begins, ends, phrase)`."""

    def make(
        name: str = "server",
        begins: datetime = datetime(2020, 1, 1, tzinfo=UTC),
        ends: datetime = datetime(2120, 1, 1, tzinfo=UTC),
        phrase: bytes | None = None,
    ) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
        builder = (
            x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        )
        builder = (
            builder.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)
        )
        encryption = serialization.BestAvailableEncryption(phrase) if phrase else serialization.NoEncryption()
        (tmp_path / f"{name}.crt").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(PEM))
        (tmp_path / f"{name}.key").write_bytes(key.private_bytes(PEM, PKCS8, encryption))
        (tmp_path / f"{name}.key").chmod(0o600)

    return make


PAIR = "tls: { certificate: 'server.crt', key: 'server.key' }"


def test_a_good_pair(load: Load, make: Make) -> None:
    make()
    assert not load(f"{{ {HTTPS}, {PAIR} }}").warnings


def test_certificate_and_key_in_one_file(load: Load, make: Make, tmp_path: Path) -> None:
    make()
    (tmp_path / "both.pem").write_bytes(
        (tmp_path / "server.key").read_bytes() + (tmp_path / "server.crt").read_bytes()
    )
    assert not load(f"{{ {HTTPS}, tls: {{ certificate: 'both.pem' }} }}").warnings
    assert errors(load, f"{{ {HTTPS}, tls: {{ certificate: 'server.crt' }} }}") == [
        f"tls.certificate: 'server.crt' holds no PEM private key ({tmp_path}/server.crt)"
    ]


def test_the_key_of_another_certificate(load: Load, make: Make) -> None:
    make()
    make("other")
    text = f"{{ {HTTPS},\n tls: {{ certificate: 'server.crt',\n key: 'other.key' }} }}"
    assert errors(load, text) == [
        "tls.key: 'other.key' is not the key of tls.certificate ('server.crt' in line 2)"
    ]


def test_a_key_with_a_pass_phrase_is_told_and_nobody_is_asked(load: Load, make: Make) -> None:
    make(phrase=b"secret")
    assert errors(load, f"{{ {HTTPS}, {PAIR} }}") == [
        "tls.key: 'server.key' has a pass phrase, which nobody can type when the server starts"
    ]


def test_a_key_that_everybody_may_read(load: Load, make: Make, tmp_path: Path) -> None:
    make()
    (tmp_path / "server.key").chmod(0o644)
    (warning,) = load(f"{{ {HTTPS}, {PAIR} }}").warnings
    assert warning.path == "tls.key"
    assert warning.hint == f"chmod 600 {tmp_path}/server.key"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("server.crt", b"nothing", "tls.certificate: 'server.crt' holds no PEM certificate"),
        ("server.crt", b"\xff\x00" * 50, "tls.certificate: 'server.crt' holds no PEM certificate"),
        ("server.key", b"nothing", "tls.key: 'server.key' holds no PEM private key"),
        (
            "server.crt",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "tls.certificate: 'server.crt' or its key is refused by OpenSSL",
        ),
    ],
)
def test_files_that_hold_something_else(
    name: str, content: bytes, message: str, load: Load, make: Make, tmp_path: Path
) -> None:
    make()
    (tmp_path / name).write_bytes(content)
    (found,) = errors(load, f"{{ {HTTPS}, {PAIR} }}")
    assert found.startswith(message)


def test_files_that_are_not_there_and_a_folder(load: Load, tmp_path: Path) -> None:
    (tmp_path / "server.key").mkdir()
    assert errors(load, f"{{ {HTTPS}, {PAIR} }}") == [
        f"tls.certificate: 'server.crt' does not exist ({tmp_path}/server.crt)",
        f"tls.key: 'server.key' is a folder ({tmp_path}/server.key)",
    ]


def test_tls_and_https_belong_together(load: Load, make: Make) -> None:
    make()
    assert errors(load, f"{{ {HTTPS} }}")[0].endswith("and there is no tls")
    assert [problem.message for problem in load(f"{{ {PAIR} }}").warnings] == [
        "is set, and no endpoint is https"
    ]


def test_a_key_among_the_documents_is_refused(load: Load, make: Make, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    make("site/server")
    text = (
        f"{{ {HTTPS}, documents: 'site', tls: {{ certificate: 'site/server.crt', key: 'site/server.key' }} }}"
    )
    assert errors(load, text) == [
        f"documents: 'site' is a folder that holds tls.key ({tmp_path}/site/server.key): "
        "the private key would be served"
    ]


def test_client_certificates(load: Load, make: Make, tmp_path: Path) -> None:
    make()
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.crt"))

    def with_(more: str) -> str:
        return f"{{ {HTTPS}, tls: {{ certificate: 'server.crt', key: 'server.key', {more} }} }}"

    assert not load(with_("authority: 'ca.crt', verify: { client: true }")).warnings
    assert not load(with_("verify: { client: false, issuer: false }")).warnings
    assert errors(load, with_("verify: { client: true }")) == [
        "tls.verify.client: true needs something to check certificates against"
    ]
    assert errors(load, with_("authority: 'ca.crt', verify: { client: true, issuer: false }")) == [
        "tls.verify.issuer: false is impossible with verify.client: anybody can make a certificate"
    ]
    assert errors(load, with_("authority: 'server.key'")) == [
        f"tls.authority: 'server.key' holds no PEM certificate ({tmp_path}/server.key)"
    ]


def test_ciphers(load: Load, make: Make) -> None:
    make()
    text = f"{{ {HTTPS}, tls: {{ certificate: 'server.crt', key: 'server.key', ciphers: '%s' }} }}"
    assert not load(text % "ECDHE+AESGCM").warnings
    assert errors(load, text % "ROT13") == ["tls.ciphers: 'ROT13' has no cipher that OpenSSL knows"]


# Dates


def at(loaded: Loaded, now: datetime) -> Iterator[Problem]:
    return check_tls(View(loaded.config, loaded.root, str(loaded.path)), now)


@pytest.mark.parametrize(
    ("now", "message"),
    [
        (datetime(2029, 12, 31, tzinfo=UTC), "'server.crt' is valid from 2030-01-01 on, and not yet"),
        (datetime(2030, 1, 1, tzinfo=UTC), None),
        (datetime(2031, 1, 1, tzinfo=UTC) - timedelta(days=14), None),
        (datetime(2030, 12, 18, 23, tzinfo=UTC), "'server.crt' ends on 2031-01-01, in 13 days"),
        (datetime(2031, 1, 2, tzinfo=UTC), "'server.crt' ended on 2031-01-01: clients refuse it"),
    ],
)
def test_dates(now: datetime, message: str | None, load: Load, make: Make) -> None:
    make(begins=datetime(2030, 1, 1, tzinfo=UTC), ends=datetime(2031, 1, 1, tzinfo=UTC))
    found = [problem.message for problem in at(load(f"{{ {HTTPS}, {PAIR} }}"), now)]
    assert found == ([message] if message else [])


def test_an_expired_certificate_does_not_stop_the_server(load: Load, make: Make) -> None:
    make(ends=datetime(2021, 1, 1, tzinfo=UTC))
    (warning,) = load(f"{{ {HTTPS}, {PAIR} }}").warnings
    assert warning.message == "'server.crt' ended on 2021-01-01: clients refuse it"


@pytest.mark.parametrize("year", [1950, 1999, 2000, 2049, 2050, 9999])
def test_the_dates_of_both_notations(year: int, make: Make, tmp_path: Path) -> None:
    """Years up to 2049 have two digits, later ones four (RFC 5280 4.1.2.5)."""
    begins, ends = datetime(1950, 1, 1, tzinfo=UTC), datetime(year, 12, 31, 23, 59, 59, tzinfo=UTC)
    make(begins=begins, ends=ends)
    assert read_validity(tmp_path / "server.crt") == (begins, ends)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----", b"\xff"]
)
def test_no_dates_where_there_is_no_certificate(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    assert read_validity(tmp_path / "x") is None
    assert read_validity(tmp_path / "none") is None
