"""Certificates: who is trusted by whom, for how long, and under what name."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from reflection_operator.progress.certificates import (
    AUTHORITY_VALID,
    SERVER_VALID,
    NoPair,
    Pair,
    new_authority,
    new_server,
    stored_authority,
)

NOW = datetime(2030, 1, 1, tzinfo=UTC)
AUTHORITY = new_authority(NOW)
SERVER = new_server(AUTHORITY, "a.svc", NOW)
OF_ANOTHER_KIND = ed25519.Ed25519PrivateKey.generate().private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


def verify(server: Pair, authority: Pair, name: x509.GeneralName, at: datetime) -> None:
    trusted = Store([x509.load_pem_x509_certificate(authority.certificate)])
    verifier = PolicyBuilder().store(trusted).time(at).build_server_verifier(name)  # type: ignore[arg-type]
    verifier.verify(x509.load_pem_x509_certificate(server.certificate), [])


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("reflect-operator-progress.ops.svc", x509.DNSName("reflect-operator-progress.ops.svc")),
        ("127.0.0.1", x509.IPAddress(ipaddress.ip_address("127.0.0.1"))),
        ("::1", x509.IPAddress(ipaddress.ip_address("::1"))),
    ],
)
def test_a_server_is_trusted_under_its_name_and_no_other(host: str, name: x509.GeneralName) -> None:
    server = new_server(AUTHORITY, host, NOW)
    verify(server, AUTHORITY, name, NOW)
    with pytest.raises(VerificationError):
        verify(server, AUTHORITY, x509.DNSName("other.svc"), NOW)


def test_another_authority_does_not_vouch_for_it() -> None:
    server = new_server(AUTHORITY, "a.svc", NOW)
    with pytest.raises(VerificationError):
        verify(server, new_authority(NOW), x509.DNSName("a.svc"), NOW)


def test_times() -> None:
    server = new_server(AUTHORITY, "a.svc", NOW)
    assert (AUTHORITY.ends, server.ends) == (NOW + AUTHORITY_VALID, NOW + SERVER_VALID)
    # A clock that is a little behind sees it as valid already.
    verify(server, AUTHORITY, x509.DNSName("a.svc"), NOW - timedelta(minutes=5))
    with pytest.raises(VerificationError):
        verify(server, AUTHORITY, x509.DNSName("a.svc"), NOW + SERVER_VALID + timedelta(seconds=1))


def test_what_was_stored_is_read_again() -> None:
    assert stored_authority(AUTHORITY.certificate, AUTHORITY.key) == AUTHORITY


@pytest.mark.parametrize(
    ("certificate", "key"),
    [
        (b"", b""),
        (b"spoilt", AUTHORITY.key),
        (AUTHORITY.certificate, b"spoilt"),
        (AUTHORITY.certificate, new_authority(NOW).key),
        (SERVER.certificate, SERVER.key),
        (AUTHORITY.certificate, OF_ANOTHER_KIND),
    ],
    ids=["nothing", "no certificate", "no key", "another's key", "a server's", "another kind of key"],
)
def test_what_is_no_pair_is_refused(certificate: bytes, key: bytes) -> None:
    with pytest.raises(NoPair):
        stored_authority(certificate, key)


def test_a_library_takes_them_as_they_are() -> None:
    context = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())
    assert len(context.get_ca_certs()) == 1
