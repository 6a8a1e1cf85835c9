"""Clips made a moment ago: a player asks for the same one again and again, range by range."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from recorder.export.clip import Clip
from recorder.export.identity import ClipPart
from recorder.export.virtual import VirtualFile
from recorder.model.media import Segment
from recorder.model.timebase import TimeRange
from recorder.reading.found import Found
from recorder.reading.view import View

Make = Callable[[View, Found, TimeRange], Clip]


@dataclass(frozen=True, slots=True)
class _Made:
    """What a clip is made of: all that decides its bytes, for sealed segments never change."""

    make: Make
    asked: TimeRange
    segments: tuple[Segment, ...]
    before: tuple[Segment, ...]
    away: frozenset[str]


class Prepared:
    """The virtual files of the clips asked for last, up to ``most_bytes`` together."""

    def __init__(self, most_bytes: int = 16 << 20) -> None:
        self.most_bytes = most_bytes
        self._held: OrderedDict[_Made, tuple[VirtualFile, list[ClipPart]]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def clip(self, make: Make, view: View, found: Found, asked: TimeRange) -> Clip:
        """Make a clip, or take up one that was made of the same segments.

        Raises: what ``make`` raises.
        """
        if found.growing:
            return make(view, found, asked)
        made = _Made(make, asked, tuple(found.segments), tuple(found.before), found.away)
        with self._lock:
            held = self._held.get(made)
            if held is not None:
                self._held.move_to_end(made)
        if held is not None:
            return Clip(*held, found, view)
        clip = make(view, found, asked)
        self._hold(made, clip)
        return clip

    def _hold(self, made: _Made, clip: Clip) -> None:
        size = _bytes(clip.file)
        if size > self.most_bytes // 4:
            return
        with self._lock:
            if made not in self._held:
                self._bytes += size
                self._held[made] = (clip.file, clip.parts)
            while self._bytes > self.most_bytes:
                _, (gone, _) = self._held.popitem(last=False)
                self._bytes -= _bytes(gone)


def _bytes(file: VirtualFile) -> int:
    """Say about how much memory a virtual file takes."""
    points = sum(len(segment.points) for segment in file.segments)
    return len(file.header) + 4 * 8 * len(file.starts) + points + 1000 * len(file.segments)
