"""What plans are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from recorder.model.copies import CopyColumns
from recorder.model.keys import StreamId
from recorder.model.media import Copy, SegmentId
from recorder.model.timebase import Instant


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes at a place: of all copies, of recent footage, of footage of late.

    ``oldest_recent``: when the first of the recent footage began, ``None`` when there is none.
    """

    bytes: int
    recent_bytes: int
    late_bytes: int
    oldest_recent: Instant | None


@dataclass(frozen=True, slots=True)
class StreamStored:
    """Footage of one stream at a place: segments, bytes, and when it begins and ends.

    ``condemned_bytes``: of them, what is marked to be deleted.
    """

    stream: StreamId
    segments: int
    bytes: int
    condemned_bytes: int
    oldest: Instant
    newest: Instant


class Planning(Protocol):
    """All living copies as columns, and copies by what names them."""

    def copy_columns(
        self,
        place: str,
        above: bool = False,
        before: Instant | None = None,
        after: Instant | None = None,
        condemned: bool = False,
        elsewhere: Mapping[str, Instant] | None = None,
    ) -> list[CopyColumns]:
        """Return all living copies at a place as columns, one set a stream.

        ``above``: mark the copies that live, or lived, at levels above too.
        ``before``, ``after``: only footage that began before this, or after.
        ``condemned``: also the copies whose deletion has not begun, of any time.
        ``elsewhere``: mark the copies that live, and are not known to be damaged, in these stores,
        where they were verified since.
        """

    def copies_by_id(self, place: str, names: Sequence[SegmentId]) -> list[Copy]:
        """Return the copies at a place that (stream, start, writer) name."""

    def copies_at(
        self, place: str, after: SegmentId | None, limit: int, condemned: bool = False
    ) -> list[Copy]:
        """Page through the copies at a place; ``after``: the last seen, as it is named."""

    def going_bytes(self, place: str, since: Instant, now: Instant) -> tuple[int, int]:
        """Return the bytes of which the deletion has begun, and those condemned ``since``.

        The second counts what is deleted by now, too, and leaves out what was taken back, and what
        was condemned later than ``now``: by a clock that was ahead.
        """

    def stored(self, place: str, since: Instant, lately: Instant, now: Instant) -> Stored:
        """Add up all copies at a place: not to be asked each second.

        ``since``, ``lately``: from when on footage counts as recent, and as of late; what begins
        after ``now`` is neither.
        """

    def by_stream(self, place: str) -> list[StreamStored]:
        """Add up all copies at a place, stream by stream: reads every row of it."""

    def newest(self) -> Instant | None:
        """Return when the newest footage of this site and those below began."""
