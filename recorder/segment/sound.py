"""Sound: files of its own while it is captured, a track of the segment afterwards.  Pure.

What sound does cannot reach the picture, for ffmpeg writes the two to different outputs.  A
segment takes the sound that was there between its first picture and its last; where there was
none it has no such track.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recorder import index
from recorder.bmff.init import read_init
from recorder.errors import MalformedMedia
from recorder.index import TrackFrames
from recorder.model.buffers import Buffer
from recorder.model.media import TrackInfo
from recorder.model.timebase import SECOND, ns_to_ticks, ticks_to_ns
from recorder.segment.sound_header import SoundFrames

RECENT_NS = 2 * SECOND
"""Sound is at most so late; what is shorter may have none for that alone."""


@dataclass(frozen=True, slots=True)
class SoundFile:
    """A file of sound, read as far as it is whole.

    ``source`` is its number among the sources of a layout, ``track`` which of the camera's
    sounds it holds.
    """

    source: int
    track: int
    info: TrackInfo
    head: bytes
    frames: TrackFrames

    @property
    def end_ns(self) -> int:
        """Media time at which its last frame ends."""
        return ticks_to_ns(self.frames.dts_end, self.info.timescale)


def read_sound(buf: Buffer, source: int, track: int) -> SoundFile | None:
    """Read a file of sound; ``None`` while not even one fragment of it is whole."""
    try:
        init = read_init(buf)
        found = index.scan(buf, init)
    except MalformedMedia:
        return None
    info = init.tracks[0]
    frames = found.table.tracks[0]
    if info.kind != "audio" or not frames.dts:
        return None
    return SoundFile(source, track, info, bytes(buf[: init.size]), frames)


def gather(
    files: Sequence[SoundFile],
    begin_ns: int,
    end_ns: int,
    shifts: Sequence[tuple[int, int]],
    timescale: int,
    delay: int,
) -> SoundFrames | None:
    """Return the sound that begins in ``[begin_ns, end_ns)``; ``None`` where there is none.

    Of several sounds the first that has any is taken.  ``shifts``: how stamps of the picture
    were moved (:class:`recorder.segment.mend.Mended`), in ``timescale``; sound moves along.
    ``delay``: how much later than sound the picture is stamped.
    """
    moved = [(0, delay), *((at, by + delay) for at, by in shifts)] if delay else shifts
    for track in sorted({file.track for file in files}):
        own = [file for file in files if file.track == track]
        found = _of_track(own, begin_ns, end_ns, moved, timescale)
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


def _of_track(
    files: Sequence[SoundFile],
    begin_ns: int,
    end_ns: int,
    shifts: Sequence[tuple[int, int]],
    timescale: int,
) -> SoundFrames | None:
    like = files[-1].info
    columns = [array("q") for _ in range(5)]
    for file in files:
        if (file.info.entry, file.info.timescale) != (like.entry, like.timescale):
            continue
        for row in _chosen(file, begin_ns, end_ns, shifts, timescale):
            for column, value in zip(columns, row, strict=True):
                column.append(value)
    dts, duration, size, offset, source = columns
    if not dts:
        return None
    for i in range(1, len(dts)):
        dts[i] = max(dts[i], dts[i - 1] + 1)
        duration[i - 1] = dts[i] - dts[i - 1]
    head = next(file.head for file in files if file.info.entry == like.entry)
    return SoundFrames(like, head, dts, duration, size, offset, source)


def _chosen(
    file: SoundFile,
    begin_ns: int,
    end_ns: int,
    shifts: Sequence[tuple[int, int]],
    timescale: int,
) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield (dts, duration, size, offset, source) of the frames of a file that are taken."""
    scale = file.info.timescale
    stamps = [ticks_to_ns(at, timescale) for at, _ in shifts]
    moves = [0, *(ns_to_ticks(ticks_to_ns(by, timescale), scale) for _, by in shifts)]
    frames = file.frames
    low, high = begin_ns * scale // SECOND, -(-end_ns * scale // SECOND)
    for i, at in enumerate(frames.dts):
        if not low <= at < high:
            continue
        moved = at + moves[bisect_right(stamps, ticks_to_ns(at, scale))] if shifts else at
        if moved >= 0:
            yield moved, frames.duration[i], frames.size[i], frames.offset[i], file.source
