"""What signs a bundle besides the site's key: read from where the settings say, and checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import Certificate

from recorder.errors import ConfigError
from recorder.evidence import manifest
from recorder.evidence.certificate import (
    issuer_of,
    lasts,
    name_of,
    out_of_time,
    read_chain,
    show,
    unfit,
)
from recorder.evidence.exported import LEAST_BITS
from recorder.evidence.stamp import stamped_text
from recorder.export.onvif import Exporter
from recorder.export.provenance import Provenance, provenance
from recorder.export.stamping import StampAuthority
from recorder.model.secrets import mask
from recorder.model.timebase import Instant
from recorder.pointers import secret
from recorder.ports import Clock
from recorder.signing import EvidencePart


class SiteKey(Protocol):
    """The key of the site."""

    @property
    def public_pem(self) -> bytes:
        """The public key."""

    def sign(self, text: bytes) -> bytes:
        """Sign."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation that signs: its certificate, with those above it, and its key."""

    chain: tuple[Certificate, ...]
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificates."""
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in self.chain)

    def sign(self, text: bytes) -> bytes:
        """Sign: ECDSA P-256, SHA-256, as DER."""
        return self.key.sign(text, ec.ECDSA(SHA256()))


@dataclass(frozen=True, slots=True)
class Signing:
    """What signs a bundle besides the site's key."""

    organisation: Organisation | None = None
    authority: StampAuthority | None = None
    exporter: Exporter | None = None
    provenance: Provenance | None = None

    def show(self) -> dict[str, object]:
        """Write what the manifest says of it."""
        own, stamps, seals = self.organisation, self.authority, self.exporter
        return {
            "certificate": own and show(own.chain[0]),
            "onvif": seals and show(seals.chain[0]),
            "timestamp": stamps and {"authority": mask(stamps.url)},  # it may hold a token
        }

    def ends(self) -> list[tuple[str, Instant]]:
        """Return whose certificates sign, and until when each is valid."""
        leaves = [one.chain[0] for one in (self.organisation, self.exporter) if one is not None]
        return [(name_of(one), lasts(one)[1]) for one in leaves]

    def files(self) -> dict[str, bytes]:
        """Return what it is checked with: files like any other, with sums."""
        found = {}
        if self.organisation is not None:
            found[manifest.CHAIN] = self.organisation.pem
        if self.exporter is not None:
            found[manifest.ONVIF_CHAIN] = self.exporter.pem
        if self.authority is not None:
            found[manifest.STAMP_CA] = self.authority.pem
        return found

    def signatures(self, sums: bytes, site: SiteKey) -> Iterator[tuple[str, bytes]]:
        """Sign the sums, and have the signatures stamped.

        The site's comes last, for it makes a bundle whole.  Raises: ``NotStamped``.
        """
        own = site.sign(sums)
        made = {manifest.SUMS: sums, manifest.SIGNER: site.public_pem}
        if self.organisation is not None:
            made[manifest.P256_SIGNATURE] = self.organisation.sign(sums)
        if self.authority is not None:
            text = stamped_text({**made, manifest.SIGNATURE: own})
            made |= {manifest.STAMPED: text, manifest.STAMP: self.authority.stamp(text)}
        yield from made.items()
        yield manifest.SIGNATURE, own


def signing(
    part: EvidencePart, clock: Clock, stamped: bool = True, onvif: bool = False, c2pa: bool = False
) -> Signing:
    """Read what the settings name.

    ``stamped``: with the authority for time stamps, if any; ``onvif``, ``c2pa``: with what signs
    clips in these forms, which must be there then.

    Raises: ``ConfigError`` for a certificate that is not of its key, expired, or none to sign with.
    """
    desk = organisation(part, clock.now())
    return Signing(
        desk,
        authority(part, clock) if stamped else None,
        exporter(part, clock.now()) if onvif else None,
        provenance(desk) if c2pa else None,
    )


def exporter(part: EvidencePart, now: Instant) -> Exporter:
    """Read what seals clips in ONVIF's form."""
    if part.onvif_certificate is None:
        raise ConfigError(
            "evidence.onvif_certificate: is not set",
            hint="ONVIF Export File Format is sealed with a certificate, of an RSA key",
        )
    chain = chain_in(part.onvif_certificate, "evidence.onvif_certificate", now)
    key = private_key(part.onvif_key, "evidence.onvif_key")
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < LEAST_BITS:
        raise ConfigError(f"evidence.onvif_key: is no RSA key of {LEAST_BITS} bits or more")
    own(chain[0], key, "evidence.onvif_certificate", "evidence.onvif_key")
    return Exporter(tuple(chain), key)


def authority(part: EvidencePart, clock: Clock) -> StampAuthority | None:
    """Read which authority stamps; ``None`` where the settings name none."""
    if part.timestamp_ca is None:
        return None
    pem, anchors = _certificates(part.timestamp_ca, "evidence.timestamp_ca")
    return StampAuthority(part.timestamp_url, pem, anchors, clock)


def organisation(part: EvidencePart, now: Instant) -> Organisation | None:
    """Read the organisation's certificate and key; ``None`` where the settings name none."""
    if part.certificate is None:
        return None
    chain = chain_in(part.certificate, "evidence.certificate", now)
    key = private_key(part.key, "evidence.key")
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigError("evidence.key: is no ECDSA P-256 key", hint="make one: openssl ecparam")
    own(chain[0], key, "evidence.certificate", "evidence.key")
    return Organisation(tuple(chain), key)


def own(leaf: Certificate, key: PrivateKeyTypes, what: str, key_what: str) -> None:
    """Refuse a certificate that is of another key."""
    if leaf.public_key() != key.public_key():
        raise ConfigError(
            f"{what}: the certificate of {name_of(leaf)} is not of the key in {key_what}",
            hint="give the key that the certificate was asked for with",
        )


def chain_in(path: Path, what: str, now: Instant) -> list[Certificate]:
    """Read a chain; refuse what nobody could rely on."""
    _, chain = _certificates(path, what)
    leaf = chain[0]
    said = f"{what}: the certificate of {name_of(leaf)}"
    why = out_of_time(leaf, now)
    if why:
        raise ConfigError(f"{said} {why}", hint="a bundle signed with it would not count: renew it")
    why = unfit(leaf)
    if why:
        raise ConfigError(f"{said} cannot sign bundles: {why}", hint="ask its issuer for another")
    for one, above in pairwise(chain):
        try:
            one.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature) as exc:
            raise ConfigError(
                f"{what}: {path}: {name_of(above)} has not issued {name_of(one)}",
                hint=f"after each certificate comes its issuer's: {issuer_of(one)}",
            ) from exc
    return chain


def _certificates(path: Path, what: str) -> tuple[bytes, list[Certificate]]:
    try:
        pem = path.read_bytes()
        return pem, read_chain(pem)
    except OSError as exc:
        raise ConfigError(f"{what}: {path}: {exc.strerror}") from exc
    except ValueError as exc:
        raise ConfigError(f"{what}: {path}: is no certificate in PEM: {exc}") from exc


def private_key(pointer: str, what: str) -> PrivateKeyTypes:
    """Read a private key that a setting points to."""
    pem = secret(pointer, what).encode()
    try:
        return serialization.load_pem_private_key(pem, None)
    except TypeError as exc:
        raise ConfigError(
            f"{what}: the key is encrypted", hint="nobody is there to type its password: decrypt it"
        ) from exc
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise ConfigError(f"{what}: {pointer} holds no private key in PEM") from exc
