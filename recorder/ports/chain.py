"""The chains of segments' digests, as the catalog has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from recorder.model.keys import StreamId
from recorder.model.media import SegmentId
from recorder.model.timebase import Instant


@dataclass(frozen=True, slots=True)
class ChainLink:
    """A segment's link: its line, and the batch that it was logged in.

    ``batch`` is the batch's root, empty while it waits; ``at``: the time of the batch's entry.
    """

    id: SegmentId
    number: int
    line: bytes
    batch: bytes = b""
    at: Instant = 0


class Chain(Protocol):
    """The links of segments that were sealed here, or came here from sites below."""

    def waiting(self, limit: int) -> list[ChainLink]:
        """Return links that stand in no batch yet, by stream and number."""

    def log(self, links: Sequence[ChainLink], batch: bytes, at: Instant) -> None:
        """Note that links were logged in a batch; those whose segments went meanwhile go now."""

    def batch(self, root: bytes, at: Instant) -> list[ChainLink]:
        """Return the links that are here of a batch logged at an instant, in its order."""

    def of(self, segments: Sequence[SegmentId]) -> list[ChainLink]:
        """Return the links of segments, by stream and number; of some there may be none."""

    def take_back(self, lines: Sequence[bytes], batch: bytes, at: Instant) -> int:
        """Take logged links back whose segments are cataloged and have none.

        Returns how many; ``batch`` is empty where they are to be logged anew.
        """

    def go_on(self, heads: Mapping[StreamId, tuple[int, bytes]]) -> None:
        """Let chains go on from heads that were logged: (next number, head), where behind them."""
