"""Small values for unit and contract tests."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from recorder import clean_points, index
from recorder.bmff.footer import build_footer
from recorder.bmff.fragments import build_mfra
from recorder.bmff.init import read_init
from recorder.index import FrameTable, TrackFrames
from recorder.model.keys import StreamId, segment_key
from recorder.model.media import FragmentPoint, Segment
from recorder.model.runs import Run
from recorder.model.timebase import SECOND
from recorder.sealing import Raw, Sealed, seal
from recorder.segment.arrival import Follower
from recorder.segment.meta import footer_meta

STREAM = StreamId("north", "cam07", "main")
T0 = 1_767_621_787_000_000_000


def segment(start_s: float = 0, length_s: float = 60, **more: Any) -> Segment:
    """A segment of ``STREAM``, ``start_s`` after ``T0``."""
    start = T0 + round(start_s * SECOND)
    values: dict[str, Any] = {
        "stream": STREAM, "writer": "n1.1", "span_start": T0, "counter": int(start_s // 60),
        "start": start, "end": start + round(length_s * SECOND),
        "media_start": round(start_s * 90000), "media_end": round((start_s + length_s) * 90000),
        "timescale": 90000, "size_bytes": 1000, "digest": "ab" * 32, "init_bytes": 800,
        "decoder_digest": "d", "codecs": "avc1.42c028", "frames": 1500, "width": 1920,
        "height": 1080,
        "points": clean_points.pack_points([
            FragmentPoint(800 + 1000 * i, 1000, 180_000 * i, 180_000, 1)
            for i in range(int(length_s // 2))
        ]),
    } | more  # fmt: skip
    values.setdefault(
        "key",
        segment_key(str(values["stream"]), values["start"], values["writer"], values["counter"]),
    )
    return Segment(**values)


def table(frames: int = 100, gop: int = 50, per_fragment: int = 50) -> FrameTable:
    """A frame table of one video track at 25 fps."""
    dts = array("q", range(0, 3600 * frames, 3600))
    size = array("q", [9000 if i % gop == 0 else 700 + i % 13 for i in range(frames)])
    same, zero = array("q", [3600]) * frames, array("q", [0]) * frames
    sync = array("q", [int(i % gop == 0) for i in range(frames)])
    offset, offsets, ends, first = array("q"), array("q"), array("q"), array("q")
    at = 800
    for i in range(frames):
        if i % per_fragment == 0:
            if i:
                ends.append(at)
            offsets.append(at)
            first.append(i)
            at += 300
        offset.append(at)
        at += size[i]
    ends.append(at)
    first.append(frames)
    count = len(offsets)
    track = TrackFrames(dts, size, same, zero, sync, offset, first)
    return FrameTable(offsets, ends, array("q", [-1]) * count, array("q", [0]) * count, (track,))


def raw(body: bytes, *arrivals: tuple[int, int], number: int = 0) -> Raw:
    """A file of a run that another follows without a hole; it was closed at the last arrival."""
    init = read_init(body)
    track = index.scan(body, init).table.tracks[init.tracks.index(init.lead)]
    follower = Follower(track.dts_end, track.presentation()[1])
    return Raw(number, body, arrivals, follower)


def seal_one(body: bytes, run: Run, closed: int) -> Sealed:
    """Seal a file of a run as its first, one segment; it was closed at an instant."""
    (done,) = seal(raw(body, (len(body), closed)), run, None, bytes).segments
    return done


def stored(start_s: float = 0, **more: Any) -> tuple[Segment, bytes]:
    """A segment of ``STREAM`` as an object that a rebuild can read: a footer, no pictures."""
    frames = table(100)
    points = clean_points.pack_points(clean_points.fragment_points(frames, 0))
    media = {
        "media_start": 0,
        "media_end": 360_000,
        "frames": 100,
        "points": points,
        "activity": b"\0\1",
    }
    one = segment(start_s, 4, **media, **more)
    pictures = bytes(frames.ends[-1])
    meta = footer_meta(one, "n1", 1, "file:test", hashlib.sha256(pictures).hexdigest())
    init: Any = SimpleNamespace(tracks=[SimpleNamespace(track_id=1, timescale=90000)])
    body = pictures + build_footer(meta, frames) + build_mfra(frames, init)
    return replace(one, size_bytes=len(body), digest=hashlib.sha256(body).hexdigest()), body
