"""What the catalog knows of files in the spool, asked for many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

from recorder.model.keys import StreamId, parse_key, stream_of_prefix
from recorder.model.media import Copy, Segment
from recorder.model.timebase import MINUTE, Instant, TimeRange
from recorder.ports import Footage

MOST = 200
"""Files asked for at once: about three hours of a stream, 1 MB of segments."""
APART_NS = 30 * MINUTE
"""Files further apart are asked for apart: what lies between them need not be read."""


class SegmentFinder(Protocol):
    """What is needed of the catalog."""

    def segments(self, stream: StreamId, asked: TimeRange) -> list[Segment]:
        """Return the segments that touch a range, by start."""


@dataclass(frozen=True, slots=True)
class SpoolFile:
    """A segment's file by what its name says.

    Units: ``start`` is the microsecond in the key.
    """

    key: str
    stream: StreamId
    start: Instant
    size_bytes: int = 0


def segment_files(keys: Iterable[tuple[str, int]], site: str) -> Iterator[SpoolFile]:
    """Read (key, size) of segments; ends of spans are left out."""
    for key, size_bytes in keys:
        parts = parse_key(key)
        if parts is not None and not parts.is_end:
            stream = stream_of_prefix(parts.prefix, site)
            yield SpoolFile(key, stream, parts.start, size_bytes)


def known_segments(
    catalog: SegmentFinder, files: Iterable[SpoolFile]
) -> Iterator[list[tuple[SpoolFile, Segment | None]]]:
    """Yield files by batches, each with its segment if the catalog has it.

    Raises: ``CatalogUnavailable``.
    """
    for batch in _batches(files):
        asked = TimeRange(batch[0].start, batch[-1].start + 1000)
        found = {one.key: one for one in catalog.segments(batch[0].stream, asked)}
        yield [(one, found.get(one.key)) for one in batch]


def _batches(files: Iterable[SpoolFile]) -> Iterator[list[SpoolFile]]:
    ordered = sorted(files, key=lambda one: (str(one.stream), one.start))
    for _, same in groupby(ordered, key=lambda one: one.stream):
        batch: list[SpoolFile] = []
        for one in same:
            if batch and (len(batch) >= MOST or one.start - batch[-1].start > APART_NS):
                yield batch
                batch = []
            batch.append(one)
        yield batch


def keys_below(
    catalog: Footage, batch: Iterable[tuple[SpoolFile, Segment | None]], site: str
) -> set[str]:
    """Return the keys of segments that the site they came from has whole, and keeps."""
    guests = [one for _, one in batch if one is not None and one.stream.site != site]
    return {
        key
        for key, copies in (catalog.copies(guests) if guests else {}).items()
        if any(map(_is_whole_below, copies))
    }


def _is_whole_below(copy: Copy) -> bool:
    """Tell whether a site below has a copy that stays there, as far as it says."""
    whole = copy.damaged_at is None and copy.verified_at > 0
    return copy.at.below and copy.condemned_at is None and whole


def is_held_file(file: SpoolFile, segment: Segment | None, held: Sequence[TimeRange]) -> bool:
    """Tell whether a live hold keeps a sealed file."""
    if segment is None:  # the catalog does not know yet how far it reaches
        return any(file.start < range_.end for range_ in held)
    return any(range_.overlaps(segment.range) for range_ in held)


def changed_at(root: Path, file: SpoolFile) -> Instant:
    """Return when a sealed file was last written, 0 where it is gone."""
    try:
        return (root / "sealed" / file.key).stat().st_mtime_ns
    except OSError:
        return 0
