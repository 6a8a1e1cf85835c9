"""Segments that were found, with the files of those that still grow."""

from __future__ import annotations

from dataclasses import dataclass, field

from recorder.model.media import Segment
from recorder.reading.growing import (
    Growing,
    close_all,
)


@dataclass(slots=True)
class Found:
    """Segments that touch a range; the growing ones come with their open files.

    ``before``: segments in front of them that decoding the range's first frames needs.
    ``places``: stores that hold a segment, by key, where already looked up.
    Use as a context manager, or call :meth:`close`: open files are let go then.
    """

    segments: list[Segment]
    growing: dict[str, Growing] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)
    before: list[Segment] = field(default_factory=list)

    def close(self) -> None:
        """Let go of open files."""
        close_all(self.growing.values())

    def __enter__(self) -> Found:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
