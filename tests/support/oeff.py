"""A reader of ONVIF Export File Format, written from the specification alone (26.06)."""

from __future__ import annotations

import datetime
import struct
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

SINCE_1904 = datetime.datetime(1904, 1, 1, tzinfo=datetime.UTC)
SINCE_1601 = datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)
Box = tuple[str, int, int]
"""Kind, start and end of what is in it."""


def boxes(raw: bytes, start: int, end: int) -> list[Box]:
    found = []
    while start < end:
        size, kind = struct.unpack_from(">I4s", raw, start)
        head = 8
        if size == 1:
            (size,), head = struct.unpack_from(">Q", raw, start + 8), 16
        assert size >= head
        assert start + size <= end
        found.append((kind.decode(), start + head, start + size))
        start += size
    return found


def one(found: list[Box], kind: str) -> Box:
    (only,) = [box for box in found if box[0] == kind]
    return only


class Words:
    """Reads one field after another."""

    def __init__(self, raw: bytes, at: int) -> None:
        self.raw, self.at = raw, at

    def number(self, size: int) -> int:
        self.at += size
        return int.from_bytes(self.raw[self.at - size : self.at], "big")

    def text(self) -> str:
        end = self.raw.index(0, self.at)
        found = self.raw[self.at : end].decode()
        self.at = end + 1
        return found


@dataclass
class Exported:
    """What a file says, and what it is signed with."""

    unit: tuple[str, str, str] = ("", "", "")
    at: datetime.datetime = SINCE_1904
    operator: str = ""
    tracks: dict[int, tuple[str, str, str, str]] = field(default_factory=dict)
    starts: dict[int, datetime.datetime] = field(default_factory=dict)
    signature: bytes = b""
    certificate: bytes = b""
    signed: bytes = b""


def read(raw: bytes) -> Exported:
    """Read a file; all of it, for a test's are small."""
    top, out = boxes(raw, 0, len(raw)), Exported()
    assert [kind for kind, *_ in top] == ["ftyp", "moov", "mdat", "meta"]
    assert raw[8:12] == b"isom"
    _, start, end = one(top, "meta")
    inner = boxes(raw, start + 4, end)
    assert [kind for kind, *_ in inner] == ["hdlr", "suep", "ipro"]
    _suep(raw, one(inner, "suep"), out)
    _, start, end = one(inner, "ipro")
    assert raw[start : start + 6] == bytes(5) + b"\x01", "FullBox, and a count of one"
    _sinf(raw, one(boxes(raw, start + 6, end), "sinf"), out)
    return out


def _suep(raw: bytes, box: Box, out: Exported) -> None:
    words = Words(raw, box[1])
    assert words.number(4) == 1 << 24, "version 1"
    out.unit = words.text(), words.text(), words.text()
    out.at = SINCE_1904 + datetime.timedelta(seconds=words.number(8))
    out.operator = words.text()
    for _ in range(words.number(4)):
        track = words.number(2)
        out.tracks[track] = words.text(), words.text(), words.text(), words.text()
    assert words.at == box[2]


def _sinf(raw: bytes, box: Box, out: Exported) -> None:
    inner = boxes(raw, *box[1:])
    assert [kind for kind, *_ in inner] == ["cstb", "schm", "schi"]
    words = Words(raw, one(inner, "cstb")[1])
    for _ in range(words.number(4)):
        track = words.number(4)
        out.starts[track] = SINCE_1601 + datetime.timedelta(microseconds=words.number(8) / 10)
    _, start, end = one(inner, "schm")
    assert raw[start:end] == bytes(4) + struct.pack(">II", 0x6F656666, 0x00010000)
    inner = boxes(raw, *one(inner, "schi")[1:])
    _, start, end = one(inner, "sibo")
    out.signature = raw[start:end]
    out.signed = raw[:start] + bytes(end - start) + raw[end:]
    _, start, end = one(inner, "cert")
    out.certificate = raw[start:end]


def openssl_says(found: Exported, folder: Path) -> str:
    """Have openssl check the signature: RSASSA-PSS, SHA-256, MGF1 of it, a salt of 20."""
    key, signature, signed = folder / "key", folder / "signature", folder / "signed"
    public = x509.load_der_x509_certificate(found.certificate).public_key()
    key.write_bytes(
        public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    signature.write_bytes(found.signature)
    signed.write_bytes(found.signed)
    options = ["rsa_padding_mode:pss", "rsa_pss_saltlen:20", "rsa_mgf1_md:sha256"]
    return subprocess.run(
        ["openssl", "dgst", "-sha256", *(word for one in options for word in ("-sigopt", one)),
         "-verify", str(key), "-signature", str(signature), str(signed)],
        capture_output=True, text=True, check=False,
    ).stdout  # fmt: skip
