"""Cut: a time range and the segments that touch it, to what is taken of each.  Pure.

The seek rule is ONVIF's (Streaming specification, replay): inside footage, decoding starts
at a clean point at or before the asked time: the last one after which the first frame asked
for is whole, if need be in a segment before; in a gap, going forward, at the first clean point
of the next section.  A frame belongs to a range when its presentation time lies in it, so
adjoining ranges share no frame and lose none.
"""

from __future__ import annotations

from recorder.cut.frames import fragments_of, frames_of, slices
from recorder.cut.pieces import (
    WHOLE_HIGH,
    WHOLE_LOW,
    Piece,
    adjoins,
    cut_segments,
    piece_at,
    runs_of,
    segments_of,
    wanted_before,
)

__all__ = [
    "WHOLE_HIGH",
    "WHOLE_LOW",
    "Piece",
    "adjoins",
    "cut_segments",
    "fragments_of",
    "frames_of",
    "piece_at",
    "runs_of",
    "segments_of",
    "slices",
    "wanted_before",
]
