"""The shape in which segments go over the wire between sites."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Iterable, Sequence
from typing import Any

from recorder.model.timebase import DAY, Instant

Message = dict[str, Any]
Key = tuple[int, Instant, str]
"""Stream number, start and writer of a segment."""

CLOCKS_DIFFER = DAY
"""Footage that was committed so much later, or earlier, than it says it ends was recorded by a
clock that was wrong: its age counts from when it was committed."""
COLUMNS = (
    "start_ns",
    "writer",
    "span_ns",
    "counter",
    "end_ns",
    "media_start",
    "media_end",
    "timescale",
    "size_bytes",
    "digest",
    "init_bytes",
    "frames",
    "camera_offset_ns",
    "gap_cause",
    "key",
    "points",
    "holes",
    "activity",
)


def read_row(values: Sequence[Any]) -> Message:
    """Read a segment's row as it came over the wire."""
    row = dict(zip(COLUMNS, values, strict=True))
    for name in ("digest", "points", "activity"):
        row[name] = a2b_base64(row[name]) if row[name] is not None else None
    return row


def grouped(keys: Iterable[Key]) -> dict[tuple[int, str], list[int]]:
    """Gather starts by stream and writer: one query each, instead of one long list of keys."""
    found: dict[tuple[int, str], list[int]] = {}
    for number, start, writer in sorted(keys):
        found.setdefault((number, writer), []).append(start)
    return found
