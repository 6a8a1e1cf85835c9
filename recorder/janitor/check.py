"""Check: prove the laws on the catalog and the stores, and print what is broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from recorder.janitor.agreeing import footer_denies
from recorder.janitor.deciding import copies_in
from recorder.janitor.told import entry_of
from recorder.model.causes import Cause
from recorder.model.checks import printable
from recorder.model.holds import held_ranges, is_held
from recorder.model.keys import parse_key, site_of
from recorder.model.media import Copy, Segment
from recorder.model.timebase import Instant
from recorder.ports import Agreeing, Audit, Commits, Holds, ObjectStore, Planning
from recorder.store.kept import is_reserved
from recorder.store.owners import other_sites
from recorder.store.verify import is_there, told_digest

IsThere = Callable[[str, str], bool]
"""Tells whether an object is at a place."""


class LosingCatalog(Protocol):
    """The parts of the catalog that know what is gone."""

    @property
    def planning(self) -> Planning:
        """What there is."""

    @property
    def commits(self) -> Commits:
        """What takes back a copy."""

    @property
    def audit(self) -> Audit:
        """What was done to copies."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken law: which, on what, and how; ``missing_at``: the place a copy is not at."""

    law: str
    subject: str
    detail: str
    missing_at: str = ""


@dataclass(slots=True)
class Tally:
    """What was looked at."""

    copies: int = 0
    objects: int = 0
    bytes_read: int = 0


LOOKS = 3
"""So often it is looked for a copy of an object: one is stored before it is committed."""


def check_store(
    planning: Planning,
    store: ObjectStore,
    depth: str,
    grace_ns: int,
    now: Instant,
    tally: Tally,
    progress: Callable[[], object] = lambda: None,
    pause: Callable[[], object] = lambda: None,
    site: str = "",
) -> Iterator[Finding]:
    """Check one store against the catalog.

    ``depth``: ``presence`` lists the store; ``size`` compares sizes too; ``digest`` reads
    every byte.  ``pause`` waits a moment: a node may be storing meanwhile.
    ``site``: whose catalog it is; other sites may write into the store, too.
    """
    listed = {info.key: info.size for info in store.list()}
    theirs = other_sites(store, site) if site else set[str]()
    tally.objects += len(listed)
    known: set[str] = set()
    previous: Segment | None = None
    for copy in copies_in(planning, store.name):
        tally.copies += 1
        progress()
        segment = copy.segment
        known.add(segment.key)
        yield from _span_laws(previous, segment)
        previous = segment
        if segment.key not in listed:  # or it came while the store was being listed
            if copy.condemned_at is None:
                yield from _unlisted(store, segment.key)
            continue
        if depth != "presence" and listed[segment.key] != segment.size_bytes:
            yield Finding(
                "L3", segment.key, f"{listed[segment.key]} bytes, not {segment.size_bytes}"
            )
        elif depth == "digest":
            yield from _digest(store, copy, tally)
    stray = []
    for key in listed.keys() - known:
        parts = parse_key(key)
        if parts is None and not is_reserved(key):
            yield Finding("L4", printable(key), f"in store {store.name}, not a key of ours")
        ours = parts is not None and not parts.is_end and site_of(parts) not in theirs
        if parts is not None and ours and parts.start < now - grace_ns:
            stray.append(key)
    for key in _uncataloged(planning, store, sorted(stray), pause):
        said = f"in store {store.name}, not cataloged; try recorder rebuild"
        yield Finding("L4", printable(key), said)


def _unlisted(store: ObjectStore, key: str) -> Iterator[Finding]:
    there = is_there(store, key)
    if there is False:
        yield Finding("L3", key, f"cataloged, not in store {store.name}", store.name)
    elif there is None:
        yield Finding("L3", key, f"store {store.name} does not say whether it is there")


def _uncataloged(
    planning: Planning, store: ObjectStore, keys: Sequence[str], pause: Callable[[], object]
) -> list[str]:
    """Look again for objects that no copy was found of: they were committed, or deleted, since."""
    for _ in range(LOOKS):
        if not keys:
            break
        pause()
        known = {copy.segment.key for copy in copies_in(planning, store.name)}
        keys = [key for key in keys if key not in known and is_there(store, key) is not False]
    return list(keys)


def check_held(planning: Planning, holds: Holds, place: str, now: Instant) -> Iterator[Finding]:
    """Look for held copies that are condemned all the same (law L5)."""
    held = held_ranges(holds.live(now), now)
    for copy in copies_in(planning, place, condemned=True):
        if is_held(held, copy.segment):
            yield Finding("L5", copy.segment.key, f"held, and condemned at {place}")


def check_spool(
    planning: Planning,
    place: str,
    path_of: Callable[[str], Path | None],
    tally: Tally,
    pause: Callable[[], object] = lambda: None,
) -> Iterator[Finding]:
    """Check the copies the catalog places in this node's spool; ``pause`` as above."""
    missing = []
    for copy in copies_in(planning, place):
        tally.copies += 1
        path, size = path_of(copy.segment.key), None
        with suppress(FileNotFoundError):  # it goes this moment
            size = path.stat().st_size if path is not None else None
        if size is None:
            missing.append(copy.segment.key)
        elif size != copy.segment.size_bytes:
            yield Finding("L3", copy.segment.key, f"{size} bytes in the spool")
    for _ in range(LOOKS if missing else 0):  # a file goes before its row
        pause()
        known = {copy.segment.key for copy in copies_in(planning, place)}
        missing = [key for key in missing if key in known and path_of(key) is None]
    for key in missing:
        yield Finding("L3", key, "cataloged in the spool, not there", place)


def _span_laws(previous: Segment | None, segment: Segment) -> Iterator[Finding]:
    if segment.end <= segment.start:
        yield Finding("L1", segment.key, "has no duration")
    same = (
        previous is not None
        and previous.stream == segment.stream
        and previous.span_id == segment.span_id
    )
    if not same or previous is None:
        return
    if previous.decoder_digest != segment.decoder_digest:
        yield Finding("L2", segment.key, "decoder configuration differs within its span")
    if segment.counter == previous.counter + 1:
        if abs(segment.media_start - previous.media_end) > segment.timescale:  # see time.md
            yield Finding("L2", segment.key, "media time does not continue its span's")
    elif segment.counter <= previous.counter:
        yield Finding("L2", segment.key, "counter does not grow within its span")


def _digest(store: ObjectStore, copy: Copy, tally: Tally) -> Iterator[Finding]:
    tally.bytes_read += copy.segment.size_bytes
    found = told_digest(store, copy.segment)
    if not found:
        yield Finding("L3", copy.segment.key, "is not there whole")
    elif " " in found:
        yield Finding("L3", copy.segment.key, found)
    elif found != copy.segment.digest:
        yield Finding("L3", copy.segment.key, "bytes differ from their digest")
    elif denied := footer_denies(store, copy.segment):
        said = f"its own footer says otherwise of {', '.join(denied)}"
        yield Finding("L16", copy.segment.key, said)


def check_agreeing(agreeing: Agreeing) -> Iterator[Finding]:
    """Look for what the catalog says twice, and not alike (law L16)."""
    for subject, detail in agreeing.differences():
        yield Finding("L16", subject, detail)


def lose_missing(
    catalog: LosingCatalog, findings: list[Finding], is_there: IsThere, now: Instant
) -> int:
    """Drop the copies that were found missing, each by its place; the last one leaves a gap.

    The log has each: where another node recorded the same there is no gap that tells of it.
    ``is_there`` looks once more.  Returns how many were dropped.
    """
    missing = {(one.missing_at, one.subject) for one in findings if one.missing_at}
    lost = 0
    for place in sorted({place for place, _ in missing}):
        gone = [
            copy
            for copy in copies_in(catalog.planning, place)
            if (place, copy.segment.key) in missing and not is_there(place, copy.segment.key)
        ]
        if gone:
            catalog.audit.write([entry_of(one, "lost", now, "check", "not there") for one in gone])
        catalog.commits.forget(gone, Cause.LOST)
        lost += len(gone)
    return lost
