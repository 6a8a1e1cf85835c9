"""Copies in columns: millions fit, and none is touched twice."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from operator import sub

from recorder.model.keys import StreamId
from recorder.model.media import THIN
from recorder.model.timebase import Instant, TimeRange

_OURS = re.compile(rf".+\.\d+({re.escape(THIN)})?")
"""A writer of ours: a node and the number of its run."""


@dataclass(slots=True)
class CopyColumns:
    """Living copies of one stream at one store, by start.

    Columns, one entry per copy: ``starts`` and ``ends`` (ns), ``sizes`` (bytes),
    ``writers`` (with stream and start they name a segment).  ``copied`` holds the places in
    the columns that have a verified copy at a level above, ``thinned`` those of which the
    clean points are there, ``let_go`` those that were there until a level above let them go.
    ``elsewhere`` holds, by other stores of the same site, those that live there, too.
    ``condemned`` are marked for deletion, which has not begun: they are judged again.
    ``refused`` are, of those, what the store did not delete when it was asked: they take room.
    ``damaged`` are not what they should be, or were not found: nothing goes because of them.
    ``since`` (ns, by place) is from when a copy's age counts where its own end is in doubt.
    ``named_otherwise`` are objects of names that we give to none.
    ``longest`` is the longest copy's length in ns, found when it is first needed.
    """

    stream: StreamId
    group: str = ""
    starts: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("q"))
    writers: list[str] = field(default_factory=list)
    copied: set[int] = field(default_factory=set)
    thinned: set[int] = field(default_factory=set)
    let_go: set[int] = field(default_factory=set)
    elsewhere: dict[str, set[int]] = field(default_factory=dict)
    condemned: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    damaged: set[int] = field(default_factory=set)
    since: dict[int, int] = field(default_factory=dict)
    named_otherwise: set[int] = field(default_factory=set)
    longest: int = -1

    def add(self, start: Instant, end: Instant, size: int, writer: str) -> None:
        """Append one copy; copies come by start."""
        self.longest = -1
        self.starts.append(start)
        self.ends.append(end)
        self.sizes.append(size)
        self.writers.append(writer)

    def age(self, i: int, now: Instant) -> int:
        """Return how old copy ``i`` is, in ns."""
        return now - self.since.get(i, self.ends[i])

    @property
    def foreign(self) -> set[int]:
        """The places of copies that another recorder than ours wrote: no node's run did.

        A camera that records into a bucket itself may do so under the name of one of ours; what
        it calls itself may look like a run (an address), but not under such a name.
        """
        theirs = {one for one in set(self.writers) if _OURS.fullmatch(one) is None}
        found = {i for i, one in enumerate(self.writers) if one in theirs} if theirs else set()
        return found | self.named_otherwise

    def is_thin(self, i: int) -> bool:
        """Tell whether copy ``i`` holds clean points only."""
        return self.writers[i].endswith(THIN)

    def overlapping(self, asked: TimeRange) -> Iterator[int]:
        """Yield the places of the copies that a range overlaps."""
        if self.longest < 0:
            self.longest = max(map(sub, self.ends, self.starts), default=0)
        i = bisect_left(self.starts, asked.start - self.longest)
        while i < len(self.starts) and self.starts[i] < asked.end:
            if self.ends[i] > asked.start:
                yield i
            i += 1

    def mark_above(
        self, there: Collection[tuple[Instant, str]], was: Collection[tuple[Instant, str]]
    ) -> None:
        """Mark what lives above, or did until a level above let it go: by start and writer."""
        for i, (start, writer) in enumerate(zip(self.starts, self.writers, strict=True)):
            whole = (start, writer.removesuffix(THIN))
            if (start, writer) in there or whole in there:
                self.copied.add(i)
            elif (start, writer + THIN) in there:
                self.thinned.add(i)
            elif (start, writer) in was or whole in was:
                self.let_go.add(i)

    def __len__(self) -> int:
        return len(self.starts)
