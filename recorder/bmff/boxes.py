"""Boxes: walk them without trusting a length, and build them."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from recorder.errors import MalformedMedia
from recorder.model.buffers import Buffer


def walk(buf: Buffer, start: int, end: int) -> Iterator[tuple[str, int, int, int]]:
    """Yield ``(type, box start, payload start, box end)`` of the boxes in ``[start, end)``.

    Raises: ``MalformedMedia`` at a box that does not fit.
    """
    at = start
    while at < end:
        if end - at < 8:
            raise MalformedMedia(f"box header at byte {at} is torn")
        size, head = int.from_bytes(buf[at : at + 4], "big"), 8
        if size == 1:
            if end - at < 16:
                raise MalformedMedia(f"box header at byte {at} is torn")
            size, head = int.from_bytes(buf[at + 8 : at + 16], "big"), 16
        kind = bytes(buf[at + 4 : at + 8]).decode("latin-1")
        if size < head or size > end - at:
            raise MalformedMedia(f"box {kind!r} at byte {at} claims {size} bytes")
        yield kind, at, at + head, at + size
        at += size


def find(buf: Buffer, start: int, end: int, *path: str) -> tuple[int, int] | None:
    """Return payload start and end of the first box along ``path``, or ``None``."""
    for kind, _, payload, after in walk(buf, start, end):
        if kind == path[0]:
            return (payload, after) if len(path) == 1 else find(buf, payload, after, *path[1:])
    return None


def box(kind: str, *payload: bytes | bytearray) -> bytes:
    """Build a box.

    >>> box("free", b"ab").hex()
    '0000000a667265656162'
    """
    body = b"".join(payload)
    return struct.pack(">I4s", 8 + len(body), kind.encode("latin-1")) + body


def full_box(kind: str, version: int, flags: int, *payload: bytes | bytearray) -> bytes:
    """Build a box with version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *payload)


def unsigned(buf: Buffer, at: int, size: int, end: int) -> int:
    """Read a big-endian unsigned number that must lie before ``end``.

    Raises: ``MalformedMedia``.
    """
    if at < 0 or at + size > end:
        raise MalformedMedia(f"number at byte {at} runs past its box")
    return int.from_bytes(buf[at : at + size], "big")
