"""A C2PA manifest beside each clip: what it was made of, bound to its bytes, signed.

It lies beside the clip, whose bytes stay as they are.  Source: C2PA Specification 2.x, "external
manifests"; the package c2pa-python makes it, which is not installed by default.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, BinaryIO, Protocol

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509 import Certificate

from recorder.bmff.boxes import box
from recorder.errors import ConfigError, MalformedMedia, MissingProgram, RecorderError
from recorder.evidence.certificate import EMAIL, name_of, purposes
from recorder.export.clip import Clip
from recorder.export.identity import PRODUCT, show_part, sources_digest
from recorder.model.timebase import format_instant

CAPTURE = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
MIME = "video/mp4"
BLOCK = 1 << 20
TRIAL = box("ftyp", b"isom", bytes(4), b"isom") + box("moov") + box("mdat", b"trial")
HINT = "c2pa takes a certificate of an authority, with those of its issuers after it, not the root"


class Organisation(Protocol):
    """Whose certificate signs, of an ECDSA P-256 key."""

    @property
    def chain(self) -> tuple[Certificate, ...]:
        """Its certificate, and those above it."""

    @property
    def pem(self) -> bytes:
        """The same in PEM."""

    def sign(self, text: bytes) -> bytes:
        """Sign; DER."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who signs manifests of clips."""

    organisation: Organisation

    def manifest(self, clip: Clip, made: dict[str, Any], title: str) -> bytes:
        """Return a clip's manifest; ``made``: as the bundle's manifest has it.

        Raises: ``MalformedMedia`` when the package makes none of it.
        """
        return self.sign(_claim(clip, made, title), io.BufferedReader(_Stream(clip), BLOCK))

    def sign(self, claim: dict[str, Any], source: BinaryIO) -> bytes:
        """Sign what is claimed of a file."""
        import c2pa

        try:
            builder = c2pa.Builder(claim)
            builder.set_no_embed()
            signer = c2pa.Signer.from_callback(
                self._sign, c2pa.C2paSigningAlg.ES256, self.organisation.pem.decode()
            )
            return bytes(builder.sign(signer, MIME, source, _Nowhere()))
        except c2pa.C2paError as exc:
            said = " ".join(str(exc).split())
            raise MalformedMedia(f"C2PA: no manifest is made: {said[:200]}") from exc

    def _sign(self, text: bytes) -> bytes:
        """Sign as COSE does: both numbers, one after the other."""
        numbers = decode_dss_signature(self.organisation.sign(text))
        return b"".join(one.to_bytes(32, "big") for one in numbers)


def provenance(organisation: Organisation | None) -> Provenance:
    """Have manifests made, with an organisation's certificate.

    Raises: ``MissingProgram``, ``ConfigError``.
    """
    if find_spec("c2pa") is None:
        raise MissingProgram(
            "C2PA: the package c2pa-python is not installed", hint="pip install 'spanstore[c2pa]'"
        )
    if organisation is None:
        raise ConfigError(
            "evidence.certificate: is not set",
            hint="C2PA manifests are signed with an organisation's certificate",
        )
    leaf = organisation.chain[0]
    if EMAIL not in purposes(leaf):
        raise ConfigError(
            f"evidence.certificate: that of {name_of(leaf)} cannot sign C2PA manifests",
            hint="its extendedKeyUsage must name emailProtection",
        )
    made = Provenance(organisation)
    try:
        made.sign(_base("", "trial", {}), io.BytesIO(TRIAL))
    except RecorderError as exc:
        raise ConfigError(f"evidence.certificate: {exc}", hint=HINT) from exc
    return made


def _claim(clip: Clip, made: dict[str, Any], title: str) -> dict[str, Any]:
    stream, range_ = clip.file.segments[0].stream, clip.parts[0].range
    about = {
        "site": stream.site,
        "camera": stream.camera,
        "stream": stream.stream,
        "start": format_instant(range_.start),
        "end": format_instant(clip.parts[-1].range.end),
        "parts": [show_part(one) for one in clip.parts],
        "sources_sha256": sources_digest(clip.file.segments).strip(),
        "case": made["case"],
    }
    version = str(made["software"]).removeprefix(f"{PRODUCT} ")
    body = _base(version, title, {"when": made["at"]})
    body["assertions"].append({"label": "spanstore.clip", "data": about})
    return body


def _base(version: str, title: str, more: dict[str, str]) -> dict[str, Any]:
    """Claim what every manifest does: a camera made the pictures, this software the file."""
    created = {"action": "c2pa.created", "digitalSourceType": CAPTURE, **more}
    return {
        "claim_generator_info": [{"name": PRODUCT, "version": version}],
        "title": title,
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [created]}}],
    }


class _Stream(io.RawIOBase):
    """A clip as a file that is read."""

    def __init__(self, clip: Clip) -> None:
        self._clip, self._at = clip, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._clip.file.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        end = min(self._clip.file.size, self._at + len(buffer))
        got = b"".join(self._clip.read(self._at, end)) if self._at < end else b""
        buffer[: len(got)] = got
        self._at += len(got)
        return len(got)


class _Nowhere(io.RawIOBase):
    """Takes the clip that is written again, though nothing is put into it."""

    def __init__(self) -> None:
        self._at = self._size = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def write(self, block: Any) -> int:
        self._at += len(block)
        self._size = max(self._size, self._at)
        return len(block)
