"""Under which header each part of a file is decoded.  Pure.

ffmpeg writes the header it read at the start of a session into every file.  A camera may send
other parameter sets than it announced, and change them while it streams; what is stored must be
decodable by its own header.  So where the sets in the samples say something else, a segment
begins with a header made of them.  H.265 is copied as ``hvc1``, of which ffmpeg drops the sets
in the samples: there is nothing to compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from recorder.bmff.parameters import Sets, coding_of, header_sets, sample_sets, with_sets
from recorder.errors import MalformedMedia
from recorder.index import FrameTable, TrackFrames
from recorder.model.media import InitInfo

_HEAD_BYTES = 4096
"""Parameter sets stand before a sample's first slice, within this many bytes."""
_OWN_BYTES = 512
"""Some cameras send them as an access unit of their own; it is not larger than this."""


@dataclass(frozen=True, slots=True)
class Header:
    """From fragment ``fragment`` on this header holds: ``head``, ``None`` the file's own.

    ``sets``: the parameter sets in force, for the file that follows.
    """

    fragment: int
    head: bytes | None
    sets: Mapping[tuple[int, int], bytes]


def headers_of(
    buf: Any, init: InitInfo, table: FrameTable, before: Mapping[tuple[int, int], bytes]
) -> list[Header]:
    """Return the headers of a file, by fragment; the first begins at 0.

    ``before``: the sets in force at the end of the file before, none for a session's first.
    """
    coding = coding_of(init.lead)
    if coding is None or coding.hevc:
        return [Header(0, None, {})]
    length_size = coding.length_size
    own = header_sets(init.lead)
    now: Sets = {**own, **before}
    found: list[Header] = []
    track = table.tracks[init.tracks.index(init.lead)]
    for i in range(len(table.offsets)):
        first = track.first[i]
        if first >= track.first[i + 1] or not track.sync[first]:
            if not found:
                found.append(_header(0, buf, init, own, now, length_size))
            continue
        sets = _sets_at(buf, track, first, length_size)
        changed = {key: unit for key, unit in sets.items() if now.get(key) != unit}
        if changed or not found:
            now = {**now, **sets}
            found.append(_header(i if found else 0, buf, init, own, now, length_size))
    return found


def _sets_at(buf: Any, track: TrackFrames, first: int, length_size: int) -> Sets:
    """Return the sets that come with a clean point, or in a small sample of their own before it."""
    found: Sets = {}
    if first and track.size[first - 1] <= _OWN_BYTES:
        found |= _sets_of(buf, track, first - 1, length_size)
    return found | _sets_of(buf, track, first, length_size)


def _sets_of(buf: Any, track: TrackFrames, i: int, length_size: int) -> Sets:
    at = track.offset[i]
    return sample_sets(bytes(buf[at : at + min(_HEAD_BYTES, track.size[i])]), length_size)


def _header(
    fragment: int, buf: Any, init: InitInfo, own: Sets, now: Sets, length_size: int
) -> Header:
    if now == own:
        return Header(fragment, None, now)
    try:
        return Header(fragment, with_sets(bytes(buf[: init.size]), now, length_size), now)
    except MalformedMedia:
        return Header(fragment, None, now)
