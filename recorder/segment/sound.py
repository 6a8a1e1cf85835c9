"""Sound: files of its own while it is captured, a track of the segment afterwards.  Pure.

What sound does cannot reach the picture, for ffmpeg writes the two to different outputs.  A
segment takes the sound that was there between its first picture and its last; where there was
none it has no such track.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from recorder import index
from recorder.bmff.init import read_init
from recorder.errors import MalformedMedia
from recorder.index import TrackFrames
from recorder.model.buffers import Buffer
from recorder.model.media import TrackInfo
from recorder.model.timebase import SECOND, Instant, ns_to_ticks, ticks_to_ns
from recorder.segment.astray import AAC_FRAME, Heard, Move, heard_of, spread
from recorder.segment.sound_header import SoundFrames

RECENT_NS = 2 * SECOND
"""Sound is at most so late; what is shorter may have none for that alone."""


@dataclass(frozen=True, slots=True)
class SoundFile:
    """A file of sound, read as far as it is whole.

    ``source`` is its number among the sources of a layout, ``track`` which of the camera's
    sounds it holds, ``heard`` when some of it came.
    """

    source: int
    track: int
    info: TrackInfo
    head: bytes
    frames: TrackFrames
    heard: tuple[Heard, ...] = ()

    @property
    def end_ns(self) -> int:
        """Media time at which its last frame ends."""
        return ticks_to_ns(self.frames.dts_end, self.info.timescale)


def read_sound(
    buf: Buffer, source: int, track: int, arrivals: Sequence[tuple[int, Instant]] = ()
) -> SoundFile | None:
    """Read a file of sound; ``None`` while not even one fragment of it is whole.

    ``arrivals``: when it had which length, as far as that was noted.
    """
    try:
        init = read_init(buf)
        found = index.scan(buf, init)
    except MalformedMedia:
        return None
    info = init.tracks[0]
    frames = found.table.tracks[0]
    if info.kind != "audio" or not frames.dts:
        return None
    if (dts := spread(frames.dts)) != frames.dts:
        steps = (b - a for a, b in itertools.pairwise([*dts, dts[-1] + AAC_FRAME]))
        frames = replace(frames, dts=dts, duration=array("q", steps))
    heard = heard_of(frames, found.table.ends, arrivals, info.timescale)
    return SoundFile(source, track, info, bytes(buf[: init.size]), frames, heard)


@dataclass(frozen=True, slots=True)
class Taking:
    """What a segment takes of its sound.

    Sound stamped in ``[begin_ns, end_ns)`` is its own; ``shifts`` are how stamps of the picture
    were moved (:class:`recorder.segment.mend.Mended`), in ``timescale``: sound moves along.
    ``delay``: how much later than sound the picture is stamped.  ``astray`` says by source which
    frames' stamps are wrong (:func:`recorder.segment.astray.moves`): theirs are what then lies in
    ``shown_ns``, from and until, by the picture's own times.
    """

    begin_ns: int
    end_ns: int
    shifts: Sequence[tuple[int, int]]
    timescale: int
    delay: int = 0
    astray: Mapping[int, Sequence[Move]] = field(default_factory=dict)
    shown_ns: tuple[int, int] = (0, 0)

    def moved(self, at: int, scale: int) -> int:
        """Return where a stamp of sound lies by the picture's times, in ticks of ``scale``."""
        steps = [(0, self.delay), *((at, by + self.delay) for at, by in self.shifts)]
        place = bisect_right(steps, ns_to_ticks(ticks_to_ns(at, scale), self.timescale), key=_stamp)
        by = steps[place - 1][1] if place else 0
        return at + ns_to_ticks(ticks_to_ns(by, self.timescale), scale)


def _stamp(step: tuple[int, int]) -> int:
    return step[0]


def gather(files: Sequence[SoundFile], taking: Taking) -> SoundFrames | None:
    """Return the sound that a segment takes; ``None`` where there is none.

    Of several sounds the first that has any is taken.
    """
    for track in sorted({file.track for file in files}):
        found = _of_track([file for file in files if file.track == track], taking)
        if found is not None:
            return found
    return None


def on_its_way(files: Sequence[SoundFile], end_ns: int) -> SoundFrames | None:
    """Return a track without frames, where sound came until just before ``end_ns``.

    Sound comes a little later than pictures: a file that has just begun will have some, and one
    that ends with its recording after a picture or two never gets any.
    """
    late = [file for file in files if file.end_ns >= end_ns - RECENT_NS]
    if not late:
        return None
    q = array("q")
    return SoundFrames(late[0].info, late[0].head, q, q, q, q, q)


def _of_track(files: Sequence[SoundFile], taking: Taking) -> SoundFrames | None:
    like = files[-1].info
    alike = [
        file
        for file in files
        if (file.info.entry, file.info.timescale) == (like.entry, like.timescale)
    ]
    rows = [row for file in alike for row in _chosen(file, taking)]
    if not rows:
        return None
    if taking.astray:
        rows.sort()
    dts, duration, size, offset, source = (array("q", column) for column in zip(*rows, strict=True))
    for i in range(1, len(dts)):
        dts[i] = max(dts[i], dts[i - 1] + 1)
        duration[i - 1] = dts[i] - dts[i - 1]
    return SoundFrames(like, alike[0].head, dts, duration, size, offset, source)


def _chosen(file: SoundFile, taking: Taking) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield (dts, duration, size, offset, source) of the frames of a file that are taken."""
    scale, frames = file.info.timescale, file.frames
    low, high = taking.begin_ns * scale // SECOND, -(-taking.end_ns * scale // SECOND)
    first, last = (ns_to_ticks(at, scale) for at in taking.shown_ns)
    offs = _offs(taking.astray.get(file.source, ()), len(frames.dts), scale)
    for i, (at, off) in enumerate(zip(frames.dts, offs, strict=True)):
        if not off and not low <= at < high:
            continue
        moved = taking.moved(at, scale) + off
        if moved >= 0 and (not off or first <= moved < last):
            yield moved, frames.duration[i], frames.size[i], frames.offset[i], file.source


def _offs(astray: Sequence[Move], count: int, scale: int) -> list[int]:
    """Return by how many ticks each frame of a file is moved."""
    found = [0] * count
    for frame, by_ns in astray:
        found[frame:] = [ns_to_ticks(by_ns, scale)] * (count - frame)
    return found
