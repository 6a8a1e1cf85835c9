"""Seal: turn a finished file into a segment that describes itself.

:func:`describe` thinks (scan, clocks, span rule) for finished and growing files alike;
:func:`seal` adds digest and trailer.  Both are pure; the spool writes what they say.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import sub
from typing import Any

from recorder import index
from recorder.bmff.footer import build_footer
from recorder.bmff.fragments import build_mfra
from recorder.bmff.init import read_init
from recorder.bmff.nal import mark_clean_points
from recorder.errors import IndexCorrupt, MalformedMedia
from recorder.index import FrameTable, Scan, TrackFrames
from recorder.model import clocks
from recorder.model.keys import StreamId, segment_key
from recorder.model.media import InitInfo, Segment
from recorder.model.runs import Run, SpanState
from recorder.model.timebase import Instant, TimeRange, ticks_to_ns

Arrival = tuple[int, Instant]
"""How long a file was in bytes, and when it came to be so."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A segment, and what makes a file into it: ``trailer`` replaces all after ``keep_bytes``.

    ``lost_bytes`` were cut off a torn end; ``new_span`` says that the previous span ended;
    ``missing`` frames the camera seems not to have sent (:func:`missing_frames`).
    """

    segment: Segment
    keep_bytes: int
    trailer: bytes
    state: SpanState
    reason: int
    lost_bytes: int
    new_span: bool
    missing: int


def survey(buf: Any) -> tuple[InitInfo, Scan]:
    """Read a file as far as it is whole.

    Raises: ``MalformedMedia`` when not even one fragment can be read.
    """
    init = read_init(buf)
    scan = index.scan(buf, init)
    lead = init.tracks.index(init.lead)
    if not scan.table.offsets or not scan.table.tracks[lead].dts:
        raise MalformedMedia("no whole fragment")
    return init, replace(scan, table=mark_clean_points(buf, init, scan.table))


@dataclass(frozen=True, slots=True)
class Described:
    """A file as a segment without digest and trailer; ``table`` lists its frames."""

    segment: Segment
    table: FrameTable
    init: InitInfo
    scan: Scan
    state: SpanState
    new_span: bool
    missing: int


def describe(
    buf: Any, run: Run, previous: SpanState | None, arrivals: Sequence[Arrival]
) -> Described:
    """Place a file in time and in its span.  Pure.

    ``arrivals`` say when the file had which length; at least the last one is needed.
    Raises: ``MalformedMedia`` when nothing of it can be kept.
    """
    init, scan = survey(buf)
    lead = init.tracks.index(init.lead)
    timescale = init.lead.timescale
    media_start, media_end = scan.table.tracks[lead].presentation()
    track = scan.table.tracks[lead]
    observed_end = _arrival_of_end(scan.table, lead, timescale, arrivals)
    follows = previous is not None and _follows(previous, init, media_start, track)
    placed = clocks.place(
        previous.clock if previous is not None and follows else None,
        media_start, media_end, timescale, observed_end,
    )  # fmt: skip
    same = previous is not None and follows and not placed.stepped
    span_start = previous.span_start if previous is not None and same else placed.start
    counter = previous.counter + 1 if previous is not None and same else 0
    table = _with_walls(scan.table, lead, placed.start, placed.end)
    camera, offset = _watch_camera(table, lead, timescale, previous.camera if previous else None)
    scores, quiet = index.activity(track, previous.quiet if previous else (0, 0))
    gap_cause = ""
    if counter == 0:
        gap_cause = run.gap_cause if previous is None else "source"
    segment = Segment(
        stream=run.stream, writer=run.writer, span_start=span_start, counter=counter,
        start=placed.start, end=placed.end, media_start=media_start, media_end=media_end,
        timescale=timescale, size_bytes=scan.stop, digest="", init_bytes=init.size,
        decoder_digest=init.decoder_digest, codecs=init.codecs,
        key=segment_key(str(run.stream), placed.start, run.writer, counter),
        frames=len(table.tracks[lead].dts), width=init.lead.width, height=init.lead.height,
        camera_offset_ns=offset, gap_cause=gap_cause,
        points=index.pack_points(index.fragment_points(table, lead)),
    )  # fmt: skip
    segment = replace(segment, holes=holes_in(segment, track), activity=scores)
    state = SpanState(
        span_start, counter, init.decoder_digest, placed.clock, track.dts_end, camera, quiet
    )
    return Described(segment, table, init, scan, state, not same, missing_frames(track))


def _follows(previous: SpanState, init: InitInfo, media_start: int, track: TrackFrames) -> bool:
    """Tell whether a file goes on where the last ended, by decode or presentation time.

    By either: decode times jump after a session's first file with B-frames, presentation
    ends are a guess where frame durations vary.  Half a frame is no break: timestamps are
    corrected by that much when a session's first sender report arrives; a lost frame is more.
    """
    apart = min(abs(media_start - previous.clock.media_end), abs(track.dts[0] - previous.dts_end))
    half_frame = max(2, track.duration[len(track.duration) // 2] // 2)
    return previous.decoder_digest == init.decoder_digest and apart <= half_frame


def seal(buf: Any, run: Run, previous: SpanState | None, arrivals: Sequence[Arrival]) -> Sealed:
    """Decide everything about a finished file; see :func:`describe`."""
    found = describe(buf, run, previous, arrivals)
    scan = found.scan
    trailer, digest = _trailer(buf, scan, found.table, found.init, found.segment, run)
    return Sealed(
        segment=replace(found.segment, size_bytes=scan.stop + len(trailer), digest=digest),
        keep_bytes=scan.stop,
        trailer=trailer,
        state=found.state,
        reason=scan.reason,
        lost_bytes=0 if scan.whole else len(buf) - scan.stop,
        new_span=found.new_span,
        missing=found.missing,
    )


def _arrival_of_end(
    table: FrameTable, lead: int, timescale: int, arrivals: Sequence[Arrival]
) -> Instant:
    """Say when a file's last frame ended by our clock: the earliest that any arrival tells.

    Each arrival says when the fragments up to a length were there; what followed is added
    by media time.  Lateness only ever adds, so the earliest is nearest the truth: a file
    closed long after its camera fell silent still ends where the silence began.
    """
    track = table.tracks[lead]
    media_end = track.presentation()[1]
    known: list[Instant] = []
    for size, at in arrivals[:-1]:
        whole = bisect_right(table.ends, size)
        if 0 < whole < len(table.ends) and track.first[whole] < len(track.dts):
            follower = track.first[whole]  # a fragment is written when its follower arrives
            rest = media_end - track.dts[follower] - track.cts[follower]
            known.append(at + ticks_to_ns(rest, timescale))
    return min([*known, arrivals[-1][1]])


def _steps(track: TrackFrames) -> list[int]:
    """Return the ticks from each frame to the next, in decode order."""
    return list(map(sub, track.dts[1:], track.dts))


def holes_in(segment: Segment, track: TrackFrames) -> tuple[TimeRange, ...]:
    """Find where no frame came for more than a second, and five times longer than usual."""
    steps = _steps(track)
    if not steps or max(steps) <= segment.timescale:
        return ()
    usual = sorted(steps)[len(steps) // 2]
    found = []
    for i, step in enumerate(steps):
        if step > segment.timescale and step > 5 * usual:
            begin = segment.instant_at(track.dts[i] + track.cts[i] + usual)
            found.append(TimeRange(begin, segment.instant_at(track.dts[i + 1] + track.cts[i + 1])))
    return tuple(hole for hole in found if hole.end > hole.start)


def missing_frames(track: TrackFrames) -> int:
    """Estimate how many frames of a steady stream are not there; 0 for an unsteady one."""
    steps = _steps(track)
    usual = max(1, sorted(steps)[len(steps) // 2]) if steps else 1
    odd = [step for step in steps if abs(step - usual) > usual // 2]
    if len(odd) > max(2, len(steps) // 20):
        return 0
    return sum(round(step / usual) - 1 for step in odd if step > usual)


def _with_walls(table: FrameTable, lead: int, start: Instant, end: Instant) -> FrameTable:
    """Give each fragment our time of its first lead frame."""
    track = table.tracks[lead]
    begin, stop = track.presentation()
    length = max(stop - begin, 1)
    walls = array("q")
    last = start
    for i in range(len(table.offsets)):
        lo = track.first[i]
        if lo < track.first[i + 1]:
            into = track.dts[lo] + track.cts[lo] - begin
            last = start + into * (end - start) // length
        walls.append(last)
    return replace(table, walls=walls)


def _watch_camera(
    table: FrameTable, lead: int, timescale: int, before: clocks.CameraClock | None
) -> tuple[clocks.CameraClock | None, int | None]:
    track = table.tracks[lead]
    media, walls, prfts = [], [], []
    for i in range(len(table.offsets)):
        lo = track.first[i]
        if lo < track.first[i + 1]:
            media.append(ticks_to_ns(track.dts[lo] + track.cts[lo], timescale))
            walls.append(table.walls[i])
            prfts.append(table.prfts[i])
    return clocks.watch_camera(before, walls, prfts, media)


def footer_meta(
    segment: Segment, node: str, term: int, source: str, body_digest: str
) -> dict[str, Any]:
    """What the footer says of a segment, so that a row can be made from it alone.

    ``source``: what was recorded; ``body_digest``: of all bytes before the footer.
    """
    return {
        "site": segment.stream.site, "camera": segment.stream.camera,
        "stream": segment.stream.stream, "node": node, "term": term,
        "span_ns": segment.span_start, "counter": segment.counter,
        "start_ns": segment.start, "end_ns": segment.end,
        "media_start": segment.media_start, "media_end": segment.media_end,
        "timescale": segment.timescale, "init_bytes": segment.init_bytes,
        "decoder_digest": segment.decoder_digest, "codecs": segment.codecs,
        "width": segment.width, "height": segment.height, "frames": segment.frames,
        "camera_offset_ns": segment.camera_offset_ns, "gap_cause": segment.gap_cause,
        "source": source, "body_sha256": body_digest, "activity": segment.activity.hex(),
    }  # fmt: skip


def _trailer(
    buf: Any, scan: Scan, table: FrameTable, init: InitInfo, segment: Segment, run: Run
) -> tuple[bytes, str]:
    """Build footer and ``mfra``; return them with the digest of the whole object."""
    body = hashlib.sha256()
    with memoryview(buf) as view, view[: scan.stop] as kept:
        body.update(kept)
    whole = body.copy()
    meta = footer_meta(segment, run.node, run.term, run.source, body.hexdigest())
    trailer = build_footer(meta, table) + build_mfra(table, init)
    whole.update(trailer)
    return trailer, whole.hexdigest()


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
            writer=meta.get("writer", f"{meta['node']}.{meta['term']}"), span_start=meta["span_ns"],
            counter=meta["counter"], start=meta["start_ns"], end=meta["end_ns"],
            media_start=meta["media_start"], media_end=meta["media_end"],
            timescale=meta["timescale"], size_bytes=size, digest=digest,
            init_bytes=meta["init_bytes"], decoder_digest=meta["decoder_digest"],
            codecs=meta["codecs"], key=key, frames=meta["frames"], width=meta["width"],
            height=meta["height"], camera_offset_ns=meta["camera_offset_ns"],
            gap_cause=meta["gap_cause"],
            points=index.pack_points(index.fragment_points(table, lead)),
            activity=bytes.fromhex(meta.get("activity", "")),
        )  # fmt: skip
        if "holes" in meta:  # a thin segment: its frames tell them no more
            return replace(segment, holes=tuple(TimeRange(*one) for one in meta["holes"]))
        return replace(segment, holes=holes_in(segment, table.tracks[lead]))
    except (KeyError, TypeError, StopIteration) as exc:
        raise IndexCorrupt(f"footer of {key} lacks {exc}") from exc


def _lead_number(table: FrameTable, frames: int) -> int:
    """Number of the lead track: the footer counts its frames."""
    return next(i for i, track in enumerate(table.tracks) if len(track.dts) == frames)
