"""Segments that were found, with the files of those that still grow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from recorder.cut import Piece, cut_segments
from recorder.model.media import Segment
from recorder.model.timebase import TimeRange
from recorder.reading.growing import (
    Growing,
    close_all,
)


@dataclass(slots=True)
class Found:
    """Segments that touch a range; the growing ones come with their open files.

    ``before``: segments in front of them that decoding the range's first frames needs.
    ``ask_away`` returns :attr:`away`, once it is wanted: it may wait for other nodes.
    ``places``: stores that hold a segment, by key, where already looked up.
    Use as a context manager, or call :meth:`close`: open files are let go then.
    """

    segments: list[Segment]
    growing: dict[str, Growing] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)
    before: list[Segment] = field(default_factory=list)
    ask_away: Callable[[], frozenset[str]] = frozenset
    _away: frozenset[str] | None = None

    @property
    def away(self) -> frozenset[str]:
        """Keys of those that cannot be read now, among what two nodes recorded at once."""
        if self._away is None:
            self._away = self.ask_away()
        return self._away

    def cut(self, asked: TimeRange) -> list[Piece]:
        """Choose what a range takes of each, as :func:`recorder.cut.cut_segments` does."""
        return cut_segments(self.segments, asked, self.before, self.away)

    def close(self) -> None:
        """Let go of open files."""
        close_all(self.growing.values())

    def __enter__(self) -> Found:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
