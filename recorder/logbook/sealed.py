"""Digests of sealed segments, in the log: each minute a batch of links, by its root.

The lines go into the store first, then the entry is written, then the catalog is told: a death in
between leaves lines that no entry is of, or a batch that is logged twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from recorder.audit.entry import Entry, Subject, read_entry
from recorder.errors import CopyMissing
from recorder.evidence.chain import ACTION, batch_root, head_of, read_link
from recorder.model.caller import Caller, CallerKind
from recorder.model.keys import StreamId
from recorder.model.timebase import DAY, Instant, TimeRange, format_instant
from recorder.ports import (
    AskedEntries,
    AuditLog,
    Chain,
    ChainLink,
    Clock,
    LoggedEntry,
    ObjectStore,
)
from recorder.store.kept import AUDIT

MOST = 8192
"""Links of one batch; a county seals 600 a minute."""
AT_ONCE = 500
"""Entries that are searched for at once."""
_LINES = "application/jsonl"


@dataclass(slots=True)
class Relinked:
    """What of the chains was taken back: batches read, links of segments that are here.

    ``missing``: batches that the log names and the store has not, or has otherwise.
    """

    batches: int = 0
    links: int = 0
    missing: int = 0


class SealedCatalog(Protocol):
    """The parts of the catalog that this uses."""

    @property
    def chain(self) -> Chain:
        """The links."""

    @property
    def audit_log(self) -> AuditLog:
        """Where entries are written."""


class SealedLog:
    """Writes batches of links into a site's log, and reads them again."""

    def __init__(
        self,
        catalog: SealedCatalog,
        store: Callable[[], ObjectStore],
        clock: Clock,
        site: str,
        node: str,
    ) -> None:
        """``store``: where the log lies."""
        self._catalog, self._store, self._clock = catalog, store, clock
        self._site, self._node = site, node

    def log(self) -> int:
        """Log all links that wait; return how many there were."""
        done = 0
        while links := self._catalog.chain.waiting(MOST):
            self._log(links)
            done += len(links)
        return done

    def _log(self, links: Sequence[ChainLink]) -> None:
        now, lines = self._clock.now(), [one.line for one in links]
        batch = batch_root(lines)
        self._put(batch, now, lines)
        entry = Entry(
            now,
            Caller(CallerKind.NODE, self._node),
            ACTION,
            Subject(self._site),
            details={
                "root": batch.hex(),
                "segments": len(links),
                "streams": len({one.id.stream for one in links}),
            },
        )
        self._catalog.audit_log.write([entry])
        self._catalog.chain.log(links, batch, now)

    def _put(self, batch: bytes, at: Instant, lines: Sequence[bytes]) -> None:
        body = b"".join(line + b"\n" for line in lines)
        self._store().put(self._key(batch, at), body, _LINES, {})

    def take_back(self, log: int) -> Relinked:
        """Take the chains back that a lost catalog had, from the batches that the log names.

        The newest batch first: it has the heads that chains go on from.  ``log``: the log that is
        signed now; links of an earlier one wait to be logged again.
        """
        done, heads = Relinked(), dict[StreamId, tuple[int, bytes]]()
        chain = self._catalog.chain
        for logged in self._batches():
            entry = read_entry(logged.raw)
            batch = bytes.fromhex(str(entry.details["root"]))
            lines = self.lines(batch, entry.at)
            try:
                links = [read_link(line) for line in lines or ()]
            except ValueError:
                lines = None  # of a later release
            if lines is None:
                done.missing += 1
                continue
            done.batches += 1
            for line, link in zip(reversed(lines), reversed(links), strict=True):
                heads.setdefault(link.stream, (link.number + 1, head_of(line)))
            ours = logged.log == log
            done.links += chain.take_back(lines, batch if ours else b"", entry.at)
        chain.go_on(heads)
        return done

    def refill(self, day: Instant) -> tuple[int, int]:
        """Put batches of a day again that the store lost; return how many, and how many it lacks.

        Such as lead to the root that was logged: those of which all segments are here still.
        """
        done = lacks = 0
        store, begin = self._store(), day // DAY * DAY
        folder = self._key(b"", begin).rpartition("/")[0] + "/"
        there = {info.key for info in store.list(folder)}
        for logged in self._batches(TimeRange(begin, begin + DAY)):
            entry = read_entry(logged.raw)
            root = bytes.fromhex(str(entry.details["root"]))
            if self._key(root, entry.at) in there:
                continue
            lines = [one.line for one in self._catalog.chain.batch(root, entry.at)]
            if lines and batch_root(lines) == root:
                self._put(root, entry.at, lines)
                done += 1
            else:
                lacks += 1
        return done, lacks

    def batches(self) -> Iterator[tuple[Instant, list[bytes] | None]]:
        """Yield when each batch was logged, and its lines; the newest first."""
        for logged in self._batches():
            entry = read_entry(logged.raw)
            yield entry.at, self.lines(bytes.fromhex(str(entry.details["root"])), entry.at)

    def _batches(self, when: TimeRange | None = None) -> Iterator[LoggedEntry]:
        """Yield the entries of batches, the newest first."""
        before: int | None = None
        while True:
            asked = AskedEntries(action=ACTION, when=when, before=before)
            found = self._catalog.audit_log.search(asked, AT_ONCE)
            yield from found
            if len(found) < AT_ONCE:
                return
            before = found[-1].number

    def _key(self, batch: bytes, at: Instant) -> str:
        """Name a batch's object: by its day, so that old ones are found without a look at each."""
        return f"{AUDIT}{self._site}/sealed/{format_instant(at)[:10]}/{batch.hex()}.jsonl"

    def lines(self, batch: bytes, at: Instant) -> list[bytes] | None:
        """Return the lines of a batch, ``None`` where the store has them not, or others."""
        store = self._store()
        info = store.head(self._key(batch, at))
        if info is None:
            return None
        try:
            lines = b"".join(store.read(info.key, 0, info.size)).splitlines()
        except CopyMissing:
            return None
        return lines if batch_root(lines) == batch else None
