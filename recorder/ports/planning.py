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
        self, place: str, above: bool = False, before: Instant | None = None,
        after: Instant | None = None,
    ) -> list[CopyColumns]:  # fmt: skip
        """Return all living copies at a place as columns, one set a stream.

        ``above``: mark the copies that live, or lived, at levels above too.
        ``before``, ``after``: only footage that began before this, or after.
        """

    def copies_by_id(self, place: str, names: Sequence[SegmentId]) -> list[Copy]:
        """Return the copies at a place that (stream, start, writer) name."""

    def copies_at(
        self, place: str, after: SegmentId | None, limit: int, condemned: bool = False
    ) -> list[Copy]:
        """Page through the copies at a place; ``after``: the last seen, as it is named."""

    def condemned_bytes(self, place: str, since: Instant) -> tuple[int, int]:
        """Return the bytes marked at a place and not yet freed: all, and those since."""
