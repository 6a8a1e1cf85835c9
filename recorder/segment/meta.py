"""What a segment's footer says of it, and the segment that is made from that alone.  Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from recorder import clean_points
from recorder.errors import IndexCorrupt
from recorder.index import FrameTable, TrackFrames
from recorder.model.keys import StreamId
from recorder.model.media import Segment
from recorder.model.timebase import TimeRange
from recorder.segment.mend import hole_ticks


def holes_in(segment: Segment, track: TrackFrames) -> tuple[TimeRange, ...]:
    """Find where no frame came for more than a second, and five times longer than usual."""
    found = (
        TimeRange(segment.instant_at(begin), segment.instant_at(end))
        for begin, end in hole_ticks(track, segment.timescale, segment.media_end)
    )
    return tuple(hole for hole in found if hole.end > hole.start)


def footer_meta(
    segment: Segment, node: str, term: int, source: str, body_digest: str
) -> dict[str, object]:
    """What the footer says of a segment, so that a row can be made from it alone.

    ``source``: what was recorded; ``body_digest``: of all bytes before the footer.
    """
    return {
        "site": segment.stream.site,
        "camera": segment.stream.camera,
        "stream": segment.stream.stream,
        "node": node,
        "term": term,
        "span_ns": segment.span_start,
        "counter": segment.counter,
        "start_ns": segment.start,
        "end_ns": segment.end,
        "media_start": segment.media_start,
        "media_end": segment.media_end,
        "timescale": segment.timescale,
        "init_bytes": segment.init_bytes,
        "decoder_digest": segment.decoder_digest,
        "codecs": segment.codecs,
        "width": segment.width,
        "height": segment.height,
        "frames": segment.frames,
        "camera_offset_ns": segment.camera_offset_ns,
        "gap_cause": segment.gap_cause,
        "source": source,
        "body_sha256": body_digest,
        "activity": segment.activity.hex(),
    }


def segment_from_footer(
    meta: dict[str, Any], table: FrameTable, key: str, size: int, digest: str
) -> Segment:
    """Make a segment from what its own object says.

    Raises: ``IndexCorrupt`` when the footer lacks what every footer has.
    """
    try:
        lead = _lead_number(table, int(meta["frames"]))
        segment = Segment(
            stream=StreamId(meta["site"], meta["camera"], meta["stream"]),
            writer=meta.get("writer", f"{meta['node']}.{meta['term']}"),
            span_start=meta["span_ns"],
            counter=meta["counter"],
            start=meta["start_ns"],
            end=meta["end_ns"],
            media_start=meta["media_start"],
            media_end=meta["media_end"],
            timescale=meta["timescale"],
            size_bytes=size,
            digest=digest,
            init_bytes=meta["init_bytes"],
            decoder_digest=meta["decoder_digest"],
            codecs=meta["codecs"],
            key=key,
            frames=meta["frames"],
            width=meta["width"],
            height=meta["height"],
            camera_offset_ns=meta["camera_offset_ns"],
            gap_cause=meta["gap_cause"],
            points=clean_points.pack_points(clean_points.fragment_points(table, lead)),
            activity=bytes.fromhex(meta.get("activity", "")),
        )
        if "holes" in meta:  # a thin segment: its frames tell them no more
            return replace(segment, holes=tuple(TimeRange(*one) for one in meta["holes"]))
        return replace(segment, holes=holes_in(segment, table.tracks[lead]))
    except (KeyError, TypeError, StopIteration) as exc:
        raise IndexCorrupt(f"footer of {key} lacks {exc}") from exc


def _lead_number(table: FrameTable, frames: int) -> int:
    """Number of the lead track: the footer counts its frames."""
    return next(i for i, track in enumerate(table.tracks) if len(track.dts) == frames)
