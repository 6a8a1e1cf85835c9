"""A certificate authority, and what it issues: for organisations that sign, and for time stamps."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
from cryptography.x509.oid import NameOID, ObjectIdentifier

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
DOCUMENTS = ObjectIdentifier("1.3.6.1.5.5.7.3.36")


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def p256_sign(key: Key, text: bytes) -> bytes:
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.sign(text, ec.ECDSA(hashes.SHA256()))


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key, and those above it but the root."""

    certificate: x509.Certificate
    key: Key
    above: tuple[x509.Certificate, ...] = ()

    @property
    def chain(self) -> bytes:
        return b"".join(map(pem, (self.certificate, *self.above)))

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Write chain and key; return where."""
        paths = folder / f"{name}.pem", folder / f"{name}.key"
        paths[0].write_bytes(self.chain)
        paths[1].write_bytes(key_pem(self.key))
        return paths


def _name(text: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "County Police"),
            x509.NameAttribute(NameOID.COMMON_NAME, text),
        ]
    )


class Issuer:
    """A root, and one authority below it that issues."""

    def __init__(self, name: str = "County", issues: bool = True) -> None:
        """``issues``: whether the authority below the root says that it may issue."""
        self._issues = issues
        self._root_key, self._key = p256(), p256()
        self.root = self._make(f"{name} Root", self._root_key, _name(f"{name} Root"), None)
        self.below = self._make(f"{name} CA", self._key, self.root.subject, 0)

    def _make(self, name: str, key: Key, issuer: x509.Name, length: int | None) -> x509.Certificate:
        return (
            self._begin(name, key, issuer, NOW - 3650 * DAY, NOW + 3650 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=length), critical=True)
            .add_extension(_usage(signs=not self._issues and length is not None), critical=True)
            .sign(self._root_key, hashes.SHA256())
        )

    def _begin(
        self, name: str, key: Key, issuer: x509.Name,
        start: datetime.datetime, end: datetime.datetime,
    ) -> x509.CertificateBuilder:  # fmt: skip
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        above = self._key if issuer != _name(name) and hasattr(self, "below") else self._root_key
        return (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(own, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(above.public_key()),
                critical=False,
            )
        )

    def issue(
        self,
        name: str = "Evidence Desk",
        key: Key | None = None,
        start: datetime.datetime = NOW - 30 * DAY,
        end: datetime.datetime = NOW + 365 * DAY,
        usages: Sequence[ObjectIdentifier] = (DOCUMENTS, Usage.EMAIL_PROTECTION),
    ) -> Issued:
        """Issue a certificate."""
        key = key or p256()
        builder = self._begin(name, key, self.below.subject, start, end)
        builder = builder.add_extension(x509.BasicConstraints(False, None), critical=True)
        builder = builder.add_extension(_usage(signs=True), critical=True)
        if usages:
            stamps = Usage.TIME_STAMPING in usages
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=stamps)
        return Issued(builder.sign(self._key, hashes.SHA256()), key, (self.below,))

    def issue_by(self, one: Issued) -> x509.Certificate:
        """Issue a certificate with one that may not issue any."""
        assert isinstance(one.key, ec.EllipticCurvePrivateKey)
        return (
            x509.CertificateBuilder()
            .subject_name(_name("Forger"))
            .issuer_name(one.certificate.subject)
            .public_key(p256().public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - DAY)
            .not_valid_after(NOW + DAY)
            .sign(one.key, hashes.SHA256())
        )


def _usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=not signs,
        crl_sign=not signs, encipher_only=False, decipher_only=False,
    )  # fmt: skip
