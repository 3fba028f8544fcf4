"""Certificates of the progress endpoint: an authority that lasts for years, and under it one for the server, for weeks."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_VALID = timedelta(days=3650)
AUTHORITY_SPARE = timedelta(days=365)
"""A training may take weeks, and trusts the authority that was there when its pods started."""
SERVER_VALID = timedelta(days=90)
SERVER_SPARE = timedelta(days=60)
_CLOCKS_DIFFER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both as PEM."""

    certificate: bytes
    key: bytes

    @property
    def ends(self) -> datetime:
        """When it is valid no more."""
        return x509.load_pem_x509_certificate(self.certificate).not_valid_after_utc


class NoPair(ValueError):
    """What was stored is not a certificate with its key."""


def stored_authority(certificate: bytes, key: bytes) -> Pair:
    """An authority that was kept somewhere.

    Raises:
        NoPair: it is not one, or not of the kind that is made here.
    """
    try:
        found = x509.load_pem_x509_certificate(certificate)
        private = serialization.load_pem_private_key(key, None)
        signs = found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.ExtensionNotFound) as error:
        raise NoPair(str(error)) from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not signs:
        raise NoPair("it is no authority with a key of an elliptic curve")
    if private.public_key() != found.public_key():
        raise NoPair("the key is not the certificate's")
    return Pair(certificate, key)


def new_authority(now: datetime) -> Pair:
    """An authority that signs servers and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("reflect-operator-progress")
    builder = _builder(name, name, key.public_key(), now, AUTHORITY_VALID)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    return _signed(builder.add_extension(_usage(signs=True), critical=True), key, key)


def new_server(authority: Pair, host: str, now: datetime) -> Pair:
    """A certificate for the server at a host, by name or address."""
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    issuer_key = serialization.load_pem_private_key(authority.key, None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise NoPair("the authority's key is not of an elliptic curve")
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_name("reflect-operator"), issuer.subject, key.public_key(), now, SERVER_VALID)
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_alternative(host)]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    return _signed(builder, issuer_key, key)


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host.strip("[]")))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, now: datetime, valid: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + valid)
    )


def _signed(
    builder: x509.CertificateBuilder, issuer: ec.EllipticCurvePrivateKey, key: ec.EllipticCurvePrivateKey
) -> Pair:
    certificate = builder.sign(issuer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Pair(certificate, private)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
