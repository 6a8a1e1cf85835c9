"""Footage that the catalog has in a node's spool, and that is not there: another disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recorder.janitor.deciding import copies_in
from recorder.model.counting import number_of
from recorder.model.media import Segment
from recorder.ports import Footage, Planning

ADVICE = (
    "put the node's disk back; if it is lost, recorder check --lose-missing makes gaps `lost` of "
    "what is nowhere else"
)


@dataclass(frozen=True, slots=True)
class Absent:
    """What is not in a spool: all of it, and what no other place has."""

    segments: Sequence[Segment] = ()
    alone: Sequence[Segment] = ()

    def __str__(self) -> str:
        many = number_of(len(self.segments), "segment")
        here = "that the catalog has in this spool are not there"
        return f"{many} {here}, {len(self.alone)} of them nowhere else"


def absent_from(
    planning: Planning, footage: Footage, place: str, path_of: Callable[[str], Path | None]
) -> Absent:
    """Look for all that the catalog has at the place that this spool is."""
    gone = [one.segment for one in copies_in(planning, place) if path_of(one.segment.key) is None]
    known = footage.copies(gone)  # what left it this moment is not cataloged there any more
    still = [
        one
        for one in gone
        if path_of(one.key) is None and any(copy.place == place for copy in known[one.key])
    ]
    return Absent(still, [one for one in still if len(known[one.key]) == 1])
