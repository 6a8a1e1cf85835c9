"""What seals an exported file: side information, start times, a signature over all boxes.

The boxes are a ``meta`` at the end of a file.  What is signed is the file with the bytes of the
signature zero.  Source: ONVIF Export File Format Spec. 26.06 (IEC 62676-2-32), chapter 5, annex B;
ISO/IEC 14496-12, 8.11 and 8.12.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from recorder.bmff.boxes import box, find, full_box, walk
from recorder.bmff.movie import EPOCH_1904_S
from recorder.errors import MalformedMedia
from recorder.model.timebase import SECOND, Instant

SCHEME = b"oeff"
VERSION = 0x00010000
EPOCH_1601_S = 11_644_473_600
MOST_META = 1 << 20
"""Bytes of a ``meta``; one with a certificate of RSA 4096 has 3 kB."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Who exports, when (Unix time, whole seconds are written)."""

    name: str
    url: str
    at: Instant
    operator: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a track is from, and the time of its origin."""

    track: int
    name: str
    line: str
    start: Instant


@dataclass(frozen=True, slots=True)
class Seal:
    """What seals a file.

    Units: ``meta`` is where the sealing box begins, ``at`` where the signature's bytes are, both
    counted from the start of the file.
    """

    meta: int
    at: int
    signature: bytes
    certificate: bytes


def _string(text: str) -> bytes:
    return text.replace("\0", "").encode() + b"\0"


def seal_box(unit: Unit, sources: Sequence[Source], signature: bytes, certificate: bytes) -> bytes:
    """Build the ``meta`` that seals a file; to be signed with a signature of zeros."""
    side = [
        _string(unit.name),
        _string(unit.url),
        _string(""),
        struct.pack(">Q", unit.at // SECOND + EPOCH_1904_S),
        _string(unit.operator),
        struct.pack(">I", len(sources)),
    ]
    starts = [struct.pack(">I", len(sources))]
    for one in sources:
        side += [
            struct.pack(">H", one.track),
            _string(one.name),
            _string(""),
            _string(""),
            _string(one.line),
        ]
        starts.append(struct.pack(">IQ", one.track, EPOCH_1601_S * 10**7 + one.start // 100))
    scheme = full_box("schm", 0, 0, SCHEME, struct.pack(">I", VERSION))
    information = box("schi", box("sibo", signature), box("cert", certificate))
    protection = box("sinf", box("cstb", *starts), scheme, information)
    return full_box(
        "meta",
        0,
        0,
        full_box("hdlr", 0, 0, bytes(4), b"null", bytes(12), b"\0"),
        full_box("suep", 1, 0, *side),
        full_box("ipro", 0, 0, struct.pack(">H", 1), protection),
    )


def read_seal(file: BinaryIO, size: int) -> Seal:
    """Find what seals a file: the last of its boxes, signed once.

    Raises: ``MalformedMedia``; ``OSError``.
    """
    start, raw = _last_meta(file, size)
    there = [kind for kind, *_ in walk(raw, 12, len(raw))]
    if there != ["hdlr", "suep", "ipro"]:
        raise MalformedMedia(f"the sealing box has {', '.join(there) or 'nothing'}")
    begin, end = _only(raw, 12, len(raw), "ipro")
    begin, end = _only(raw, begin + 6, end, "sinf")
    scheme, after = _only(raw, begin, end, "schm")
    if raw[scheme + 4 : after] != SCHEME + struct.pack(">I", VERSION):
        raise MalformedMedia("it is sealed by another scheme")
    begin, end = _only(raw, begin, end, "schi")
    at, until = _only(raw, begin, end, "sibo")
    own, own_end = _only(raw, begin, end, "cert")
    return Seal(start, start + at, raw[at:until], raw[own:own_end])


def _only(raw: bytes, start: int, end: int, kind: str) -> tuple[int, int]:
    """Return where the payload of the only box of a kind is."""
    count = sum(one == kind for one, *_ in walk(raw, start, end))
    found = find(raw, start, end, kind)
    if count != 1 or found is None:
        raise MalformedMedia(f"the sealing box has {count} {kind!r}, not one")
    return found


def _last_meta(file: BinaryIO, size: int) -> tuple[int, bytes]:
    """Walk over a file's boxes without reading them; return the last, which is to be ``meta``."""
    at, start, kind = 0, 0, b""
    while at < size:
        file.seek(at)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        start, kind = at, head[4:8]
        at += length
        if length < 8 or at > size:
            raise MalformedMedia(f"box {kind!r} at byte {start} claims {length} bytes")
    if kind != b"meta" or at - start > MOST_META:
        raise MalformedMedia("its last box does not seal it")
    file.seek(start)
    return start, file.read(at - start)
