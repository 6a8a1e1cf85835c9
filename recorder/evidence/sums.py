"""SHA256SUMS, and the signature under it: what ``sha256sum -c`` and ``openssl`` check, too."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from recorder.evidence.manifest import File

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
MOST_NAME = 1024


def write_sums(files: Iterable[File]) -> bytes:
    """Write the sums of files, by name, as ``sha256sum`` does."""
    return "".join(
        f"{one.sha256}  {one.name}\n" for one in sorted(files, key=lambda one: one.name)
    ).encode()


def read_sums(raw: bytes) -> dict[str, str]:
    """Read sums: digest by name.

    Raises: ``ValueError`` for what ``sha256sum`` would pass over or read otherwise.
    """
    found: dict[str, str] = {}
    *lines, rest = raw.decode().split("\n")  # others end lines there, and nowhere else
    if rest or not lines:
        raise ValueError("the last line has no end")
    for number, line in enumerate(lines, 1):
        matched = _LINE.fullmatch(line)
        if matched is None:
            raise ValueError(f"line {number} is no sum")
        name = matched[2]
        if not is_plain(name) or name in found:
            raise ValueError(f"line {number}: {name[:80]!r} may not stand there")
        found[name] = matched[1]
    return found


def is_plain(name: str) -> bool:
    """Tell whether a name stays within the bundle, and is written in one way only.

    >>> is_plain("native/a.mp4"), is_plain("../a"), is_plain("/a"), is_plain("a//b")
    (True, False, False, False)
    """
    parts = PurePosixPath(name).parts
    return (
        0 < len(name) <= MOST_NAME
        and name.isprintable()
        and "\\" not in name
        and "/".join(parts) == name
        and not any(set(part) <= {"."} or part == "/" for part in parts)
    )


def signer_key(pem: bytes) -> Ed25519PublicKey:
    """Read the key of a signer.

    Raises: ``ValueError`` when it is no Ed25519 key in PEM.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    try:
        key = serialization.load_pem_public_key(pem)
    except UnsupportedAlgorithm as exc:
        raise ValueError(f"the signer's key: {exc}") from exc
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise ValueError("the signer's key is no Ed25519 key")
    return key


def fingerprint(pem: bytes) -> str:
    """Return the SHA-256 of a public key in DER, in hex: what people compare.

    Raises: ``ValueError`` when it is no Ed25519 key in PEM.
    """
    from cryptography.hazmat.primitives import serialization

    der = signer_key(pem).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return sha256(der).hexdigest()


def is_signed(pem: bytes, text: bytes, signature: bytes) -> bool:
    """Tell whether an Ed25519 key has signed a text.

    Raises: ``ValueError`` when it is no Ed25519 key in PEM.
    """
    from cryptography.exceptions import InvalidSignature

    try:
        signer_key(pem).verify(signature, text)
    except InvalidSignature:
        return False
    return True
