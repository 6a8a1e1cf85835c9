"""What a clip says of itself, inside: which camera, which time, made of what.  Pure.

Decided by what the clip is made of alone, so the same question has the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from recorder.bmff.notes import make_notes
from recorder.model.media import Segment
from recorder.model.shown import ShownPart, ShownSource
from recorder.model.timebase import TimeRange, format_instant, seconds

PRODUCT = "Spanstore"
FORM = 1
"""Goes up when what stands here changes its meaning."""
MOST_PARTS = 32
"""Parts that are listed: a clip of a day with a bad camera has thousands."""
UNSEALED = "not sealed yet".ljust(64)
"""In place of a digest, and as long: what follows stays where it is when the footage is sealed."""


@dataclass(frozen=True, slots=True)
class ClipPart:
    """A stretch of a clip without a seam, and the wall-clock time it shows.

    Time passes evenly in it: where the camera's rate was fitted anew, another part begins.
    Units: ``clip_start_ns`` counts from the clip's first shown frame.
    """

    clip_start_ns: int
    clip_end_ns: int
    range: TimeRange
    camera_offset_ns: int | None
    codecs: str
    frames: int


def show_part(part: ClipPart) -> ShownPart:
    """Write a stretch of a clip: where it is in the file, and when it was."""
    offset = part.camera_offset_ns
    return {
        "clip_start_s": seconds(part.clip_start_ns),
        "clip_end_s": seconds(part.clip_end_ns),
        "start": format_instant(part.range.start),
        "end": format_instant(part.range.end),
        "frames": part.frames,
        "codecs": part.codecs,
        "camera_clock_offset_s": None if offset is None else seconds(offset),
    }


def show_sources(segments: Sequence[Segment]) -> list[ShownSource]:
    """Write the objects that a clip's bytes lie in, by time; the digest is empty until sealed."""
    by_key = {one.key: one for one in segments}
    return [{"key": one.key, "sha256": one.digest or None} for one in by_key.values()]


def sources_digest(segments: Sequence[Segment]) -> str:
    """Return the SHA-256 of a line ``SHA256  KEY`` for each source, as ``sha256sum`` writes them.

    :data:`UNSEALED` while one of them is still being written.
    """
    sources = show_sources(segments)
    if not all(one["sha256"] for one in sources):
        return UNSEALED
    lines = (f"{one['sha256']}  {one['key']}\n" for one in sources)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def notes_of(parts: Sequence[ClipPart], segments: Sequence[Segment]) -> bytes:
    """Make what stands in a clip: a title for people, and a comment in JSON for programs."""
    stream, first, last = segments[0].stream, parts[0].range.start, parts[-1].range.end
    body = {
        "form": FORM,
        "product": PRODUCT,
        "site": stream.site,
        "camera": stream.camera,
        "stream": stream.stream,
        "start": format_instant(first),
        "end": format_instant(last),
        "frames": sum(part.frames for part in parts),
        "parts": len(parts),
        "first_parts": [show_part(part) for part in parts[:MOST_PARTS]],
        "sources": len(show_sources(segments)),
        "sources_sha256": sources_digest(segments),
    }
    title = f"{stream.site}/{stream.camera} {format_instant(first, 3)} to {format_instant(last, 3)}"
    return make_notes(title, json.dumps(body, separators=(",", ":")), PRODUCT)
