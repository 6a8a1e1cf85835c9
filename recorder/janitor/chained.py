"""Check that what is cataloged is what was sealed (law L15): segments against their chains."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence

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
    chains: dict[StreamId, _Chains] = defaultdict(_Chains)
    logged: dict[bytes, frozenset[bytes] | None] = {}
    for segments in _batches(planning, place):
        links = {one.id: one for one in chain.of([one.id for one in segments])}
        for link in sorted(links.values(), key=lambda one: (one.id.stream, one.id.start)):
            chains[link.id.stream].take(link)
            if lines is not None and link.batch:
                if link.batch not in logged:
                    logged.clear()  # they come in the order of time: one at a time is enough
                    found = lines(link.batch, link.at)
                    logged[link.batch] = frozenset(found) if found is not None else None
                yield from _stands(logged[link.batch], link)
        for segment in segments:
            if segment.id in links:
                yield from _same(segment, links[segment.id])
    for stream, own in chains.items():
        for number in own.broken():
            said = f"link {number} does not go on from the one before"
            yield Finding("L15", str(stream), said)


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
    sealed = (said.sha256, said.size, said.range.start, said.range.end, said.key)
    shown = (segment.digest, segment.size_bytes, segment.start, segment.end, segment.key)
    if sealed != shown:
        yield Finding("L15", segment.key, "is not, by its link, what was sealed")


class _Chains:
    """The links of one stream, as they come, by time.

    There are two of one number where the catalog was put back as it was, or copied, and what was
    recorded by both was taken in.  Where what one of them began with was not, because it ended
    with the copy, its next link is held against the other chain's, from which that one goes on.
    """

    def __init__(self) -> None:
        self._last: deque[tuple[ChainLink, bytes]] = deque(maxlen=BACK)
        self._doubted: list[tuple[ChainLink, frozenset[bytes], bool]] = []

    def take(self, link: ChainLink) -> None:
        """Look whether a link goes on from one of those before it that has the number for it."""
        try:
            before = read_link(link.line).before
        except ValueError:
            before = b""  # said of its segment
        numbered = [one for one, _ in self._last if one.number + 1 == link.number]
        heads = frozenset(head_of(one.line) for one in numbered)
        self._doubted = [one for one in self._doubted if not _explains(link, before, one)]
        own = any(one.id.writer == link.id.writer for one in numbered)
        doubt = (link, heads, own)
        doubtful = numbered and before and before not in heads  # else purged, or in other order
        if doubtful and not any(_explains(one, of, doubt) for one, of in self._last):
            self._doubted.append(doubt)
        self._last.append((link, before))

    def broken(self) -> list[int]:
        """Return the numbers of links that go on from none."""
        return [link.number for link, _, _ in self._doubted]


def _explains(
    link: ChainLink, before: bytes, doubted: tuple[ChainLink, frozenset[bytes], bool]
) -> bool:
    """Tell whether a link goes on from that which another, of its number, was held against.

    Not where that other has one before it that its own run wrote.
    """
    other, heads, own = doubted
    return not own and link.number == other.number and before in heads


def _stands(logged: frozenset[bytes] | None, link: ChainLink) -> Iterator[Finding]:
    stream = str(link.id.stream)
    if logged is None:
        yield Finding("L15", stream, f"the batch with link {link.number} is not in the log's store")
    elif link.line not in logged:
        yield Finding("L15", stream, f"link {link.number} is not the one that was logged")
