"""Clips as ONVIF Export File Format has them: the same bytes, and a box that seals them.

One pass: the clip's bytes go by and are digested, the sealing box follows.
Source: ONVIF Export File Format Spec. 26.06, 5.5.2: RSASSA-PSS, SHA-256, salt of 20 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import Certificate

from recorder.bmff.boxes import find, walk
from recorder.bmff.oeff import Source, Unit, seal_box
from recorder.errors import MalformedMedia
from recorder.export.clip import Clip

SALT_BYTES = 20


@dataclass(frozen=True, slots=True)
class Exporter:
    """Who seals: a certificate, with those above it, and its RSA key."""

    chain: tuple[Certificate, ...]
    key: rsa.RSAPrivateKey

    @property
    def pem(self) -> bytes:
        """The certificates."""
        return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in self.chain)

    def seal(self, clip: Clip, unit: Unit) -> Iterator[bytes]:
        """Yield a clip's bytes, and what seals them."""
        digest = hashlib.sha256()
        for block in clip.read():
            digest.update(block)
            yield block
        own = self.chain[0].public_bytes(serialization.Encoding.DER)
        sources = _sources(clip)
        digest.update(seal_box(unit, sources, bytes(self.key.key_size // 8), own))
        signature = self.key.sign(
            digest.digest(),
            padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=SALT_BYTES),
            Prehashed(SHA256()),
        )
        yield seal_box(unit, sources, signature, own)


def _sources(clip: Clip) -> list[Source]:
    """Say of each track where it is from; all begin with the first picture shown."""
    header, stream = clip.file.header, clip.file.segments[0].stream
    moov = find(header, 0, len(header) - 16, "moov")  # what follows is the head of mdat
    if moov is None:
        raise MalformedMedia("the clip has no moov")
    count = sum(kind == "trak" for kind, *_ in walk(header, *moov))
    name, start = f"{stream.site}/{stream.camera}", clip.parts[0].range.start
    return [Source(number, name, stream.stream, start) for number in range(1, count + 1)]
