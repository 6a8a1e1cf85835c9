"""Segments that were sealed and logged, and are nowhere, though nothing says that they were let go.

The catalog cannot miss what it never knew: what was taken out of a store while there was no catalog
stands in the batches of links that the log names, and in nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from recorder.evidence.chain import Link, read_link
from recorder.janitor.check import Finding
from recorder.model.causes import Cause
from recorder.model.counting import number_of
from recorder.model.keys import StreamId
from recorder.model.timebase import Instant, TimeRange, format_instant, subtract
from recorder.ports import Audit, Footage

MOST = 1_000_000
_LET_GO = ("condemn", "lost")
"""The log's last word on a copy that is rightly gone; a mark that was taken back is none."""

Batch = tuple[Instant, Sequence[bytes] | None]
"""When a batch was logged, and its lines; ``None`` where the log's store has them not."""


class LoggedCatalog(Protocol):
    """The parts of the catalog that know what is there, and what was let go."""

    @property
    def footage(self) -> Footage:
        """What is there, and the gaps."""

    @property
    def audit(self) -> Audit:
        """What was let go."""


def check_sealed(catalog: LoggedCatalog, batches: Iterable[Batch]) -> Iterator[Finding]:
    """Look for all that was sealed: it is cataloged, or let go as the log says, or a gap."""
    gone: dict[StreamId, list[Link]] = {}
    for at, lines in batches:
        if lines is None:
            said = "is not in the log's store: nobody can say whether all it lists is there"
            yield Finding("L15", f"batch of links of {format_instant(at, 0)}", said)
            continue
        by_stream: dict[StreamId, list[Link]] = {}
        for line in lines:
            try:
                link = read_link(line)
            except ValueError:
                continue  # of a later release
            by_stream.setdefault(link.stream, []).append(link)
        for stream, links in by_stream.items():
            gone.setdefault(stream, []).extend(_vanished(catalog, stream, links))
    for stream in sorted(gone):
        yield from _named(stream, gone[stream])


def _vanished(catalog: LoggedCatalog, stream: StreamId, links: Sequence[Link]) -> Iterator[Link]:
    hull = TimeRange(min(one.range.start for one in links), max(one.range.end for one in links))
    known = {one.key for one in catalog.footage.segments(stream, hull)}
    missing = [one for one in links if one.key not in known]
    if not missing:
        return
    # a gap called lost says nothing of why: what was lost rightly, the log names
    gaps = [one.range for one in catalog.footage.gaps(stream, hull) if one.cause != Cause.LOST]
    said = {one.key: one.action for one in catalog.audit.about(stream.camera_id, hull, MOST)}
    for link in missing:
        if said.get(link.key) not in _LET_GO and subtract(link.range, gaps):
            yield link


def _named(stream: StreamId, links: Sequence[Link]) -> Iterator[Finding]:
    """Name what is gone, what follows one another in one finding."""
    run: list[Link] = []
    for link in sorted(links, key=lambda one: (one.range.start, one.key)):
        if run and link.number != run[-1].number + 1:
            yield _finding(stream, run)
            run = []
        run.append(link)
    if run:
        yield _finding(stream, run)


def _finding(stream: StreamId, run: Sequence[Link]) -> Finding:
    first, last = run[0], run[-1]
    times = f"{format_instant(first.range.start, 3)} to {format_instant(last.range.end, 3)}"
    what = number_of(len(run), "segment") if len(run) > 1 else first.key
    said = f"{what}, {times}: sealed and logged, not in the catalog, and not said to be let go"
    return Finding("L11", str(stream), f"lost: {said}; a store may have it: recorder rebuild")
