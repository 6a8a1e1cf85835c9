"""Check that what is cataloged is what was sealed (law L15): segments against their chains."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from recorder.evidence.chain import head_of, read_link
from recorder.janitor.check import Finding
from recorder.janitor.deciding import copies_in
from recorder.model.keys import StreamId
from recorder.model.media import Segment
from recorder.model.timebase import Instant
from recorder.ports import Chain, ChainLink, Planning

AT_ONCE = 256
BACK = 64
"""So many links are looked back for the one that another goes on from."""

ReadBatch = Callable[[bytes, Instant], Sequence[bytes] | None]
"""Returns the lines of a batch as they were logged, ``None`` where they are not there."""


def check_chain(
    planning: Planning, chain: Chain, place: str, lines: ReadBatch | None = None
) -> Iterator[Finding]:
    """Compare the segments at a place with the links that they got when they were sealed.

    ``lines``: with it links are compared with what was logged, too.  Segments that were told of
    and never came here, and those from before there were links, have none.
    """
    last: dict[StreamId, deque[ChainLink]] = defaultdict(partial(deque, maxlen=BACK))
    logged: dict[bytes, frozenset[bytes] | None] = {}
    for segments in _batches(planning, place):
        links = {one.id: one for one in chain.of([one.id for one in segments])}
        for link in sorted(links.values(), key=lambda one: (one.id.stream, one.id.start)):
            yield from _follows(last[link.id.stream], link)
            last[link.id.stream].append(link)
            if lines is not None and link.batch:
                if link.batch not in logged:
                    logged.clear()  # they come in the order of time: one at a time is enough
                    found = lines(link.batch, link.at)
                    logged[link.batch] = frozenset(found) if found is not None else None
                yield from _stands(logged[link.batch], link)
        for segment in segments:
            if segment.id in links:
                yield from _same(segment, links[segment.id])


def _batches(planning: Planning, place: str) -> Iterator[list[Segment]]:
    batch: list[Segment] = []
    for copy in copies_in(planning, place):
        batch.append(copy.segment)
        if len(batch) == AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


def _same(segment: Segment, link: ChainLink) -> Iterator[Finding]:
    try:
        said = read_link(link.line)
    except ValueError as exc:
        yield Finding("L15", segment.key, f"its link cannot be read: {exc}")
        return
    sealed = (said.sha256, said.size, said.range, said.key)
    if sealed != (segment.digest, segment.size_bytes, segment.range, segment.key):
        yield Finding("L15", segment.key, "is not, by its link, what was sealed")


def _follows(before: Iterable[ChainLink], link: ChainLink) -> Iterator[Finding]:
    """Look whether a link goes on from one of those before it that has the number for it.

    There are two of one number where the catalog was put back as it was, or copied, and what was
    recorded by both was taken in.
    """
    numbered = [one for one in before if one.number + 1 == link.number]
    if not numbered:
        return  # what is between them was purged, came here in another order, or in another chain
    try:
        goes_on = read_link(link.line).before in {head_of(one.line) for one in numbered}
    except ValueError:
        return  # said of its segment
    if not goes_on:
        said = f"link {link.number} does not go on from the one before"
        yield Finding("L15", str(link.id.stream), said)


def _stands(logged: frozenset[bytes] | None, link: ChainLink) -> Iterator[Finding]:
    stream = str(link.id.stream)
    if logged is None:
        yield Finding("L15", stream, f"the batch with link {link.number} is not in the log's store")
    elif link.line not in logged:
        yield Finding("L15", stream, f"link {link.number} is not the one that was logged")
