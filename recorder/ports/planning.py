"""What plans are made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from recorder.model.copies import CopyColumns
from recorder.model.media import Copy, SegmentId
from recorder.model.timebase import Instant


class Planning(Protocol):
    """All living copies as columns, and copies by what names them."""

    def copy_columns(
        self,
        place: str,
        above: bool = False,
        before: Instant | None = None,
        after: Instant | None = None,
        condemned: bool = False,
    ) -> list[CopyColumns]:
        """Return all living copies at a place as columns, one set a stream.

        ``above``: mark the copies that live, or lived, at levels above too.
        ``before``, ``after``: only footage that began before this, or after.
        ``condemned``: also the copies whose deletion has not begun, of any time.
        """

    def copies_by_id(self, place: str, names: Sequence[SegmentId]) -> list[Copy]:
        """Return the copies at a place that (stream, start, writer) name."""

    def copies_at(
        self, place: str, after: SegmentId | None, limit: int, condemned: bool = False
    ) -> list[Copy]:
        """Page through the copies at a place; ``after``: the last seen, as it is named."""

    def going_bytes(self, place: str, since: Instant) -> tuple[int, int]:
        """Return the bytes of which the deletion has begun, and those condemned ``since``.

        The second counts what is deleted by now, too, and leaves out what was taken back.
        """

    def stored_bytes(self, place: str, since: Sequence[Instant]) -> list[int]:
        """Return the bytes of all copies at a place, and of footage that began after instants.

        Adds up all copies there are: not to be asked each second.
        """

    def newest(self) -> Instant | None:
        """Return when the newest footage of this site and those below began."""
