"""The audit log: entries of all kinds, their places in its tree, and logs that are vouched for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from recorder.audit.entry import Entry
from recorder.model.keys import CameraId
from recorder.model.timebase import Instant, TimeRange


@dataclass(frozen=True, slots=True)
class AskedEntries:
    """Which entries are asked for; what is ``None`` or empty asks nothing.

    ``when``: when they were written; ``footage``: of footage of that range.  ``action`` may be a
    noun alone (``footage``).  ``before``: those written before the entry of that number.
    """

    camera: CameraId | None = None
    when: TimeRange | None = None
    footage: TimeRange | None = None
    caller: str = ""
    action: str = ""
    result: str = ""
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """An entry as the log has it: its number in the catalog, its bytes, its place in a tree.

    ``log`` and ``leaf`` are ``None`` while it waits for its place.
    """

    number: int
    raw: bytes
    log: int | None = None
    leaf: int | None = None


@dataclass(frozen=True, slots=True)
class LogState:
    """A log as the catalog has it.

    ``assigned``: so many places are given away; ``size``, ``edge``, ``checkpoint``: as it was
    signed last, ``edge`` as :meth:`recorder.audit.tiles.Edge.write` writes it.
    """

    origin: str
    key: str
    begun: Instant
    number: int = 0
    assigned: int = 0
    size: int = 0
    edge: bytes = b""
    checkpoint: str = ""
    signed: Instant = 0


@dataclass(frozen=True, slots=True)
class WitnessedLog:
    """A child site's log, as it was when it was last vouched for."""

    site: str
    origin: str
    key: str
    checkpoint: str
    at: Instant


class AuditLog(Protocol):
    """What was done and seen, by whom."""

    def write(self, entries: Sequence[Entry]) -> None:
        """Write entries, all or none.

        Durable: once this returns, they survive the loss of this process.
        """

    def search(self, asked: AskedEntries, limit: int) -> list[LoggedEntry]:
        """Return the entries that are asked for: the newest first, with ``after`` the oldest."""


class AuditTree(Protocol):
    """Where entries stand in the tree of the site's log."""

    def logs(self) -> list[LogState]:
        """Return the site's logs; the last is the one that is written."""

    def begin(self, state: LogState, leaves: Sequence[bytes] = ()) -> LogState:
        """Begin a log with its first entries, or take one up; return it with its number.

        Raises: ``StateError`` when another node has begun one since.
        """

    def assign(self, log: int, limit: int) -> int:
        """Give entries that wait their places, so many at most; return how many."""

    def leaves(self, log: int, start: int, end: int) -> list[bytes]:
        """Return the entries at ``[start, end)`` of a log; fewer, where some are not known."""

    def put(self, state: LogState, was: int) -> bool:
        """Note what was signed; false when it is not of size ``was`` any more."""

    def take_in(self, log: int, start: int, leaves: Sequence[bytes]) -> int:
        """Put in entries of a log that the catalog has lost, from a place on; return how many.

        One that waits here with the same bytes gets that place.
        """

    def waiting(self) -> tuple[int, Instant | None]:
        """Return how many entries wait for their places, and the time of the oldest."""


@dataclass(frozen=True, slots=True)
class LeftTile:
    """A full tile whose rows have left the catalog; ``root`` is over its entries' hashes."""

    log: int
    origin: str
    number: int
    root: bytes


class EntryBundles(Protocol):
    """The bundles of the log, where stores have them."""

    def read(self, origin: str, number: int, root: bytes) -> list[bytes]:
        """Return the entries of a full tile, which hash to ``root``, wherever they lie.

        Raises: ``StoreUnavailable`` when a store that may have them does not answer;
        ``IntegrityError`` when none has them.
        """


class AuditLeft(Protocol):
    """The log's rows that have left the catalog, tile by tile: what was in them, and where."""

    def old(self, log: int, size: int, before: Instant, limit: int) -> list[int]:
        """Return full tiles of a log's first ``size`` entries that are all of ``before``."""

    def rows(self, log: int, number: int) -> list[bytes]:
        """Return the entries of a tile as rows have them; fewer where some have not."""

    def let_go(self, log: int, number: int, leaves: Sequence[bytes]) -> bool:
        """Delete the rows of a tile, and note what was in them, in one transaction.

        False, and nothing is done, where they are not these bytes, or are searched by others.
        """

    def left(self, after: tuple[int, int], limit: int) -> list[LeftTile]:
        """Return the tiles that have left after one, by log and number."""

    def oldest(self) -> Instant | None:
        """Return the time of the oldest entry that has a row."""

    def count(self) -> int:
        """Return how many entries have left."""


class Witnessed(Protocol):
    """The logs of child sites that this one vouches for."""

    def of(self, site: str) -> list[WitnessedLog]:
        """Return a site's logs, the one that was vouched for last at the end."""

    def put(self, log: WitnessedLog) -> None:
        """Note what was vouched for."""
