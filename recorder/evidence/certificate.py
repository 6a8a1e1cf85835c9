"""X.509 certificates: who signed, whether a key is the one certified, who vouches for it, and when.

Chains are built and checked by the cryptography package (RFC 5280); whether a certificate was
revoked is not looked up.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

from recorder.evidence.manifest import time
from recorder.model.timebase import SECOND, Instant

if TYPE_CHECKING:
    from cryptography.x509 import Certificate, KeyUsage
    from cryptography.x509.verification import ExtensionPolicy, Policy

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
DOCUMENTS, EMAIL = "1.3.6.1.5.5.7.3.36", "1.3.6.1.5.5.7.3.4"
SIGNS = frozenset({DOCUMENTS, EMAIL, "1.3.6.1.5.5.7.3.2", "2.5.29.37.0"})
"""Purposes that signing of documents goes with: RFC 9336, e-mail, client, any."""


def read_chain(raw: bytes) -> list[Certificate]:
    """Read certificates in PEM, the signer's first.

    All that is asked of one later is looked at now.  Raises: ``ValueError``.
    """
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        chain = x509.load_pem_x509_certificates(raw)
        for one in chain:
            _ = one.extensions, one.public_key(), one.serial_number, name_of(one), issuer_of(one)
            _ = lasts(one)
    except (
        UnsupportedAlgorithm,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
        x509.InvalidVersion,
        ArithmeticError,
        LookupError,
        TypeError,
    ) as exc:
        raise ValueError(f"a certificate that makes no sense here: {exc}") from exc
    return chain


def name_of(certificate: Certificate) -> str:
    """Name whom a certificate is of."""
    return certificate.subject.rfc4514_string()


def issuer_of(certificate: Certificate) -> str:
    """Name who issued a certificate."""
    return certificate.issuer.rfc4514_string()


def lasts(certificate: Certificate) -> tuple[Instant, Instant]:
    """Return from when until when a certificate is valid."""
    ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    first, last = ((one - EPOCH) // datetime.timedelta(seconds=1) * SECOND for one in ends)
    return first, last


def show(certificate: Certificate) -> dict[str, str]:
    """Write of a certificate what a manifest says."""
    from cryptography.hazmat.primitives.hashes import SHA256

    start, end = lasts(certificate)
    return {
        "subject": name_of(certificate),
        "issuer": issuer_of(certificate),
        "serial": f"{certificate.serial_number:x}",
        "valid_from": time(start),
        "valid_to": time(end),
        "certificate_sha256": certificate.fingerprint(SHA256()).hex(),
    }


def unfit(certificate: Certificate) -> str:
    """Say why a certificate is not one to sign documents with; nothing when it is."""
    from cryptography import x509

    extensions = certificate.extensions
    try:
        if not extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
            return "its key is not for signatures (keyUsage)"
    except x509.ExtensionNotFound:
        pass
    named = purposes(certificate)
    if named and SIGNS.isdisjoint(named):
        return "its key is not for signing documents (extendedKeyUsage)"
    return ""


def purposes(certificate: Certificate) -> frozenset[str]:
    """Return the purposes that a certificate names; none where it names none."""
    from cryptography import x509

    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return frozenset()
    return frozenset(one.dotted_string for one in found)


def out_of_time(certificate: Certificate, at: Instant) -> str:
    """Say why a certificate was not valid at a time; nothing when it was."""
    start, end = lasts(certificate)
    if at < start:
        return f"is valid from {time(start)} on only"
    return f"expired at {time(end)}" if at > end else ""


def has_signed(certificate: Certificate, text: bytes, signature: bytes) -> bool:
    """Tell whether the key of a certificate has signed a text: ECDSA P-256, SHA-256.

    Raises: ``ValueError`` when its key is of another kind.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError(f"the key of {name_of(certificate)} is no ECDSA P-256 key")
    try:
        key.verify(signature, text, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def untrusted(chain: Sequence[Certificate], anchors: Sequence[Certificate], at: Instant) -> str:
    """Say why the first of a chain is not vouched for by an anchor at a time; nothing when it is.

    An anchor may be the certificate itself.
    """
    from cryptography.x509 import verification

    leaf, *above = chain
    late = out_of_time(leaf, at)
    if late or leaf in anchors:
        return late
    policy = verification.ExtensionPolicy.permit_all()
    try:
        verifier = (
            verification.PolicyBuilder()
            .store(verification.Store(list(anchors)))
            .time(EPOCH + datetime.timedelta(microseconds=at // 1000))
            .extension_policies(ca_policy=_signing_others(), ee_policy=policy)
            .build_client_verifier()
        )
        verifier.verify(leaf, above)
    except (verification.VerificationError, ValueError) as exc:
        return f"is not vouched for by the CA that you named: {exc}"
    return ""


def _signing_others() -> ExtensionPolicy:
    """Ask of a CA's certificate that it is one, and may issue others."""
    from cryptography import x509
    from cryptography.x509 import verification

    def issues(_: Policy, __: Certificate, usage: KeyUsage | None) -> None:
        if usage is not None and not usage.key_cert_sign:
            raise ValueError("a certificate above it may not issue any")

    agnostic = verification.Criticality.AGNOSTIC
    return (
        verification.ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, agnostic, None)
        .may_be_present(x509.KeyUsage, agnostic, issues)
    )
