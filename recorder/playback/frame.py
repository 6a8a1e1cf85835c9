"""One frame as JPEG: ffmpeg decodes a single GOP from a byte range."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from recorder.cut import cut_segments, fragments_of, slices
from recorder.errors import MalformedMedia
from recorder.index import TrackFrames
from recorder.model.keys import StreamId
from recorder.model.timebase import Instant, TimeRange
from recorder.reading.view import View


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture and the true time of its frame."""

    jpeg: bytes
    at: Instant
    camera_offset_ns: int | None


def grab(view: View, stream: StreamId, at: Instant, ffmpeg: str) -> Frame:
    """Return the frame that was on screen at an instant.

    That is the last whose time is at or before ``at``.
    Raises: ``NoFootage`` when the instant lies in a gap.
    """
    with view.find_some(stream, TimeRange(at, at + 1)) as found:
        segment = found.segments[0]
        (table,) = view.tables(found, [segment])
        init, head = view.init(found, segment)
        lead = init.tracks.index(init.lead)
        track = table.tracks[lead]
        shown = _shown_at(track, segment.ticks_at(at))
        pts = track.dts[shown] + track.cts[shown]
        moment = TimeRange(segment.instant_at(pts), max(segment.instant_at(pts) + 1, at + 1))
        pieces = cut_segments([segment], moment)
        fragments = fragments_of(pieces[0])
        media = b"".join(
            b"".join(view.read(segment, offset, length, found))
            for offset, length in slices(fragments)
        )
        first_dts = next(
            track.dts[track.first[i]]
            for i in range(len(table.offsets))
            if table.offsets[i] == fragments[0].offset
        )
        order = sum(
            1
            for i in range(len(track.dts))
            if track.dts[i] >= first_dts and track.dts[i] + track.cts[i] < pts
        )
        jpeg = _decode(ffmpeg, head + media, order)
        return Frame(jpeg, segment.instant_at(pts), segment.camera_offset_ns)


def _shown_at(track: TrackFrames, ticks: int) -> int:
    """Index of the frame with the last presentation time at or before ``ticks``."""
    best = 0
    for i in range(len(track.dts)):
        pts = track.dts[i] + track.cts[i]
        if pts <= ticks and pts >= track.dts[best] + track.cts[best]:
            best = i
    return best


def _decode(ffmpeg: str, media: bytes, order: int) -> bytes:
    """Decode fragments and return the picture that is ``order``-th on screen."""
    argv = [
        ffmpeg, "-hide_banner", "-loglevel", "error", "-threads", "1", "-f", "mp4", "-i", "pipe:0",
        "-map", "0:v:0", "-vf", f"select=eq(n\\,{order})", "-frames:v", "1",
        "-fps_mode", "passthrough",
        "-q:v", "2", "-f", "mjpeg", "pipe:1",
    ]  # fmt: skip
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        out, errors = process.communicate(media, timeout=30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise MalformedMedia("decoding one frame took longer than 30 s") from None
    if not out:
        said = errors.decode(errors="replace").strip().splitlines()
        raise MalformedMedia(f"ffmpeg made no picture: {said[-1] if said else 'it said nothing'}")
    return out
