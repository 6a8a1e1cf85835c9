"""What a segment's footer says of it, and the segment that is made from that alone.  Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from recorder import clean_points
from recorder.errors import IndexCorrupt, RequestError
from recorder.index import FrameTable, TrackFrames
from recorder.model.checks import check_integer, check_text
from recorder.model.keys import StreamId, check_name, segment_key
from recorder.model.media import MOST_INIT, Segment
from recorder.model.timebase import DAY, EARLIEST, LATEST, TimeRange
from recorder.segment.mend import hole_ticks

Meta = dict[str, Any]
_NUMBERS = ("counter", "init_bytes", "frames", "width", "height")
_TIMES = ("start", "end", "span_start")
_MEDIA = ("media_start", "media_end")


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


def segment_from_footer(meta: Meta, table: FrameTable, key: str, size: int, digest: str) -> Segment:
    """Make a segment from what its own object says.

    Raises: ``IndexCorrupt`` when the footer lacks what every footer has, says what no segment can
    be, or is that of another key: nobody's word makes footage of another camera.
    """
    try:
        lead = _lead_number(table, int(meta["frames"]))
        segment = _read(meta, table, lead, key, size, digest)
        _check(segment)
        if "holes" in meta:  # a thin segment: its frames tell them no more
            return replace(segment, holes=_holes(meta["holes"], segment))
        return replace(segment, holes=holes_in(segment, table.tracks[lead]))
    except RequestError as exc:
        raise IndexCorrupt(f"footer of {key}: {exc}") from exc
    except (KeyError, TypeError, ValueError, OverflowError, StopIteration) as exc:
        raise IndexCorrupt(f"footer of {key} lacks {exc}") from exc


def _read(meta: Meta, table: FrameTable, lead: int, key: str, size: int, digest: str) -> Segment:
    return Segment(
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


def _check(segment: Segment) -> None:
    """See that each value is one that a segment can have, and that the key is the segment's.

    Raises: ``RequestError``.
    """
    for name in ("site", "camera", "stream"):
        check_name(getattr(segment.stream, name), name)
    for name in ("writer", "codecs", "decoder_digest", "gap_cause"):
        check_text(getattr(segment, name), name)
    bounds = dict.fromkeys(_NUMBERS, (0, 2**31 - 1)) | dict.fromkeys(_TIMES, (EARLIEST, LATEST))
    bounds |= dict.fromkeys(_MEDIA, (-(2**62), 2**62)) | {"timescale": (1, 2**31 - 1)}
    bounds["init_bytes"] = (0, MOST_INIT)
    for name, (low, high) in bounds.items():
        check_integer(getattr(segment, name), name, low, high)
    if segment.camera_offset_ns is not None:
        check_integer(segment.camera_offset_ns, "camera_offset_ns")
    if not segment.start <= segment.end <= segment.start + DAY:
        raise RequestError("end: is not within a day after start")
    said = segment_key(str(segment.stream), segment.start, segment.writer, segment.counter)
    if said != segment.key:
        raise RequestError(f"it is that of {said[:300]}")


def _holes(said: object, segment: Segment) -> tuple[TimeRange, ...]:
    """Read where a thin segment has no frames.  Raises: ``RequestError``, ``ValueError``."""
    if not isinstance(said, list):
        raise RequestError("holes: must be a list")
    ends = (segment.start, segment.end)
    pairs = ([check_integer(at, "holes", *ends) for at in pair] for pair in said)
    return tuple(TimeRange(start, end) for start, end in pairs)


def _lead_number(table: FrameTable, frames: int) -> int:
    """Number of the lead track: the footer counts its frames."""
    return next(i for i, track in enumerate(table.tracks) if len(track.dts) == frames)
