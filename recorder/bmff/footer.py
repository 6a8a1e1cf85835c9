"""The footer: a ``uuid`` box before ``mfra`` that makes a segment object describe itself.

Bytes (docs/design/format.md has a worked example)::

    size u32 | "uuid" | 16-byte id | version u16 | flags u16
    meta length u32 | meta (JSON, UTF-8) | table length u32 | frame table
    SHA-256 of everything from ``version`` to here (32 bytes)
    box size u32 | "SPAN"                                   <- found from the end

``meta`` names the segment; the frame table is :func:`recorder.index.encode`'s.
"""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import dataclass
from typing import Any

from recorder import index
from recorder.bmff.boxes import box
from recorder.bmff.fragments import mfra_size
from recorder.errors import IndexCorrupt
from recorder.index import FrameTable
from recorder.model.buffers import Buffer

FOOTER_ID = bytes.fromhex("7d6f5a3e0b1c4d8e9a2f53706e73746f")
PLAIN, WITH_OPEN_POINTS = 1, 2
"""Versions: 2 is written only where a clean point is open, so that all else reads everywhere."""
MAGIC = b"SPAN"


@dataclass(frozen=True, slots=True)
class Footer:
    """A footer, read: ``meta`` as written, the packed frame table, where the box begins."""

    meta: dict[str, Any]
    table: bytes
    offset: int

    def frames(self) -> FrameTable:
        """Unpack the frame table.

        Raises: ``IndexCorrupt``.
        """
        length = self.meta.get("init_bytes")
        if type(length) is not int or not 0 <= length < 1 << 31:
            raise IndexCorrupt("footer: init_bytes is no length")
        return index.decode(self.table, length)


def build_footer(meta: dict[str, Any], frames: FrameTable) -> bytes:
    """Build the footer box; ``meta`` holds ``init_bytes``."""
    version = WITH_OPEN_POINTS if index.is_open(frames) else PLAIN
    table = index.encode(frames, int(meta["init_bytes"]))
    text = json.dumps(meta, sort_keys=True, separators=(",", ":")).encode()
    payload = struct.pack(">HHI", version, 0, len(text)) + text
    payload += struct.pack(">I", len(table)) + table
    payload += hashlib.sha256(payload).digest()
    size = 8 + 16 + len(payload) + 8
    return box("uuid", FOOTER_ID, payload, struct.pack(">I4s", size, MAGIC))


def tail_needed(tail: Buffer) -> int | None:
    """Tell how many bytes from the end hold footer and ``mfra``.

    ``None`` when the file has no footer of ours; needs at least the ``mfra`` in ``tail``,
    else answers a length with which to ask again.
    """
    mfra = mfra_size(tail)
    if mfra is None:
        return None
    if len(tail) < mfra + 8:
        return mfra + 8
    end = len(tail) - mfra
    if bytes(tail[end - 4 : end]) != MAGIC:
        return None
    return mfra + int.from_bytes(tail[end - 8 : end - 4], "big")


def read_footer(tail: Buffer, file_size: int) -> Footer | None:
    """Read the footer from the last bytes of a file; ``None`` when there is none of ours.

    Raises: ``IndexCorrupt`` when it is there but damaged, or ``tail`` is too short.
    """
    mfra = mfra_size(tail)
    needed = tail_needed(tail)
    if needed is None or mfra is None:
        return None
    if needed > len(tail):
        raise IndexCorrupt(f"footer needs {needed} bytes, {len(tail)} were read")
    raw = memoryview(tail)[len(tail) - needed : len(tail) - mfra]
    if len(raw) < 76 or bytes(raw[4:8]) != b"uuid" or bytes(raw[8:24]) != FOOTER_ID:
        raise IndexCorrupt("footer has no head")
    body, digest = raw[24:-40], bytes(raw[-40:-8])
    if hashlib.sha256(body).digest() != digest:
        raise IndexCorrupt("footer does not match its digest")
    version, _, length = struct.unpack_from(">HHI", body)
    if version not in (PLAIN, WITH_OPEN_POINTS):
        raise IndexCorrupt(f"footer version {version} is not known", hint="use a newer release")
    try:
        meta = json.loads(bytes(body[8 : 8 + length]))
        (size,) = struct.unpack_from(">I", body, 8 + length)
    except (ValueError, RecursionError, struct.error) as exc:
        raise IndexCorrupt(f"footer: {exc}") from exc
    table = bytes(body[12 + length : 12 + length + size])
    if len(table) != size or not isinstance(meta, dict):
        raise IndexCorrupt("footer is cut short")
    return Footer(meta, table, file_size - needed)
