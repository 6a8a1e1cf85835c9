"""A Matroska file of one video track, read into the pictures that an encoder made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONTAINERS = {0x18538067, 0x1654AE6B, 0xAE, 0x1F43B675, 0xA0}
"""Segment, Tracks, TrackEntry, Cluster, BlockGroup."""
PRIVATE, STAMP, SIMPLE_BLOCK, BLOCK, REFERENCE = 0x63A2, 0xE7, 0xA3, 0xA1, 0xFB


@dataclass(frozen=True, slots=True)
class Unit:
    """One picture, in the order of decoding.

    ``number`` counts in the order of showing; ``at_ms`` is when it is shown; ``key`` marks
    where the encoder lets decoding start; ``sets`` are the parameter sets it needs.
    """

    number: int
    at_ms: int
    key: bool
    nals: tuple[bytes, ...]
    sets: tuple[bytes, ...]


def read_units(path: Path) -> list[Unit]:
    """Read all pictures; times are whole milliseconds."""
    data = memoryview(path.read_bytes())
    sets: tuple[bytes, ...] = ()
    cluster = 0
    blocks: list[tuple[int, bool, tuple[bytes, ...]]] = []
    for kind, body in _elements(data):
        if kind == PRIVATE:
            sets = (
                _avc_sets(body) if body[4] & 0xFC == 0xFC and body[5] >= 0xE0 else _hevc_sets(body)
            )
        elif kind == STAMP:
            cluster = int.from_bytes(body, "big")
        elif kind in (SIMPLE_BLOCK, BLOCK):
            # one byte of track number, two of time, one of flags
            at = cluster + int.from_bytes(body[1:3], "big", signed=True)
            blocks.append((at, kind == BLOCK or body[3] >= 0x80, _nals(body[4:])))
        elif kind == REFERENCE:
            blocks[-1] = (blocks[-1][0], False, blocks[-1][2])
    order = {at: number for number, at in enumerate(sorted(at for at, _, _ in blocks))}
    return [Unit(order[at], at, key, nals, sets) for at, key, nals in blocks]


def _elements(data: memoryview) -> Iterator[tuple[int, bytes]]:
    """Walk EBML; yield leaves (RFC 8794)."""
    at = 0
    while at < len(data):
        width = 9 - data[at].bit_length()
        kind = int.from_bytes(data[at : at + width], "big")
        at += width
        width = 9 - data[at].bit_length()
        mark = 1 << 7 * width
        size = int.from_bytes(data[at : at + width], "big") - mark
        at += width
        if size == mark - 1:
            size = len(data) - at  # unknown: to the end
        body = data[at : at + size]
        if kind in CONTAINERS:
            yield from _elements(body)
        else:
            yield kind, bytes(body)
        at += size


def _nals(body: bytes) -> tuple[bytes, ...]:
    found, at = [], 0
    while at < len(body):
        size = int.from_bytes(body[at : at + 4], "big")
        found.append(body[at + 4 : at + 4 + size])
        at += 4 + size
    return tuple(found)


def _avc_sets(body: bytes) -> tuple[bytes, ...]:
    """Read SPS and PPS (ISO/IEC 14496-15, 5.3.3.1)."""
    found, at = [], 5
    for mask in (0x1F, 0xFF):
        count = body[at] & mask
        at += 1
        for _ in range(count):
            size = int.from_bytes(body[at : at + 2], "big")
            found.append(body[at + 2 : at + 2 + size])
            at += 2 + size
    return tuple(found)


def _hevc_sets(body: bytes) -> tuple[bytes, ...]:
    """Read VPS, SPS and PPS, no SEI (ISO/IEC 14496-15, 8.3.3.1)."""
    found, at = [], 23
    for _ in range(body[22]):
        kind, count = body[at] & 0x3F, int.from_bytes(body[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            size = int.from_bytes(body[at : at + 2], "big")
            if kind in (32, 33, 34):
                found.append(body[at + 2 : at + 2 + size])
            at += 2 + size
    return tuple(found)
