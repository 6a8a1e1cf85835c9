"""Under which header each part of a file is decoded.  Pure.

ffmpeg writes the header it read at the start of a session into every file.  A camera may send
other parameter sets than it announced, and change them while it streams; what is stored must be
decodable by its own header.  So where the sets in the samples say something else, a segment
begins with a header made of them.  H.265 is copied as ``hev1``, of which ffmpeg leaves the sets
in the samples; the header of a segment says ``hvc1`` all the same, for it is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from recorder.bmff.parameters import (
    Coding,
    Sets,
    as_complete,
    coding_of,
    header_sets,
    named,
    sample_sets,
    with_sets,
)
from recorder.errors import MalformedMedia
from recorder.index import FrameTable, TrackFrames
from recorder.model.buffers import Buffer
from recorder.model.media import InitInfo

_HEAD_BYTES = 4096
"""Parameter sets stand before a sample's first slice, within this many bytes."""
_OWN_BYTES = 512
"""Some cameras send them as an access unit of their own; it is not larger than this."""


@dataclass(frozen=True, slots=True)
class Header:
    """From fragment ``fragment`` on ``head`` holds; ``own``: it says what the file's own says.

    ``sets``: the parameter sets in force, for the file that follows.
    """

    fragment: int
    head: bytes
    own: bool
    sets: Mapping[tuple[int, int], bytes]


def headers_of(
    buf: Buffer, init: InitInfo, table: FrameTable, before: Iterable[bytes]
) -> list[Header]:
    """Return the headers of a file, by fragment; the first begins at 0.

    ``before``: the sets in force at the end of the file before, none for a session's first.
    """
    coding = coding_of(init.lead)
    if coding is None:
        return [Header(0, bytes(buf[: init.size]), True, {})]
    own = header_sets(init.lead)
    now: Sets = {**own, **named(before, coding)}
    found: list[Header] = []
    track = table.tracks[init.tracks.index(init.lead)]
    for i in range(len(table.offsets)):
        first = track.first[i]
        if first >= track.first[i + 1] or not track.sync[first]:
            if not found:
                found.append(_header(0, buf, init, own, now, coding))
            continue
        sets = _sets_at(buf, track, first, coding)
        changed = {key: unit for key, unit in sets.items() if now.get(key) != unit}
        if changed or not found:
            now = {**now, **sets}
            found.append(_header(i if found else 0, buf, init, own, now, coding))
    return found


def _sets_at(buf: Buffer, track: TrackFrames, first: int, coding: Coding) -> Sets:
    """Return the sets that come with a clean point, or in a small sample of their own before it."""
    found: Sets = {}
    if first and track.size[first - 1] <= _OWN_BYTES:
        found |= _sets_of(buf, track, first - 1, coding)
    return found | _sets_of(buf, track, first, coding)


def _sets_of(buf: Buffer, track: TrackFrames, i: int, coding: Coding) -> Sets:
    at = track.offset[i]
    return sample_sets(bytes(buf[at : at + min(_HEAD_BYTES, track.size[i])]), coding)


def _header(
    fragment: int, buf: Buffer, init: InitInfo, own: Sets, now: Sets, coding: Coding
) -> Header:
    head = as_complete(bytes(buf[: init.size]))
    if now == own:
        return Header(fragment, head, True, now)
    try:
        return Header(fragment, with_sets(head, now, coding), False, now)
    except MalformedMedia:
        return Header(fragment, head, True, now)
