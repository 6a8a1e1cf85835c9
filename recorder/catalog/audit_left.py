"""Rows of the audit log that have left: what is known of each tile, and its entries read back."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, delete, func, literal, select, tuple_

from recorder.audit.tiles import WIDTH
from recorder.catalog import schema
from recorder.catalog.alone import ROWS, one_at_a_time
from recorder.catalog.audit_rows import row_of
from recorder.catalog.audit_tiles import read_numbers, tile_row
from recorder.catalog.database import Database
from recorder.errors import StateError
from recorder.model.timebase import Instant
from recorder.ports import EntryBundles, LeftTile

PAGE = 256
"""Tiles that are looked up at once."""
OLDEST = 320 * WIDTH
"""Rows among which tiles are looked for that may go: the oldest."""
LATER = ("caller", "result")
"""What rows from before 0011 have not."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LeftEntry:
    """An entry whose row has left: where it stands, and its row, made of its bytes."""

    number: int
    log: int
    leaf: int
    row: Mapping[str, Any]


class SqlAuditLeft:
    """A :class:`recorder.ports.AuditLeft`."""

    def __init__(self, database: Database, bundles: EntryBundles | None = None) -> None:
        """``bundles``: where entries are read that have left."""
        self._database, self._bundles = database, bundles

    # -- letting go ------------------------------------------------------------------------

    def old(self, log: int, size: int, before: Instant, limit: int) -> list[int]:
        """Return full tiles of a log's first ``size`` entries that are all of ``before``.

        The last full one is not among them.
        """
        column, end = schema.audit.c, max(0, size // WIDTH - 1) * WIDTH
        oldest = (
            select((column.leaf_no // WIDTH).label("tile"))
            .where(column.at_ns < before)
            .where(column.log_no == log, column.leaf_no < end)
            .order_by(column.at_ns)
            .limit(OLDEST)
            .subquery()
        )
        number = oldest.c.tile
        full = select(number).group_by(number).having(func.count() == WIDTH)
        with self._database.read() as db:
            found = db.execute(full.order_by(number).limit(limit)).scalars()
            return [int(one) for one in found]

    def rows(self, log: int, number: int) -> list[bytes]:
        """Return the entries of a tile as rows have them; fewer where some have not."""
        column = schema.audit.c
        with self._database.read() as db:
            query = select(column.entry).where(*_of_tile(log, number)).order_by(column.leaf_no)
            return [bytes(raw) for raw in db.execute(query).scalars()]

    def let_go(self, log: int, number: int, leaves: Sequence[bytes]) -> bool:
        """Delete the rows of a tile, and note what was in them, in one transaction.

        False, and nothing is done, where they are not these bytes, or are searched by others; and
        while nothing newer has a row, or its number would be given again.
        """
        table, here = schema.audit, _of_tile(log, number)
        try:
            said = [row_of(raw) for raw in leaves]
        except ValueError:
            return False
        with self._database.write() as db:
            one_at_a_time(db, ROWS)
            query = select(table).where(*here).order_by(table.c.leaf_no)
            rows = [row for row in db.execute(query).mappings()]
            if not len(rows) == len(said) == WIDTH or not all(map(_is, rows, said)):
                return False
            numbers = [int(row["audit_no"]) for row in rows]
            if db.execute(select(func.max(table.c.audit_no))).scalar() in numbers:
                return False
            found_by = tile_row(log, number, numbers, said)
            db.execute(schema.audit_tile.insert().values(**found_by))
            if db.execute(delete(table).where(*here)).rowcount != WIDTH:
                raise StateError("the audit log: another node lets the same rows go")
        return True

    def left(self, after: tuple[int, int], limit: int) -> list[LeftTile]:
        """Return the tiles that have left after one, by log and number."""
        table, log = schema.audit_tile, schema.audit_log
        key = (table.c.log_no, table.c.tile_no)
        query = (
            select(*key, table.c.root, log.c.origin)
            .join(log, log.c.log_no == table.c.log_no)
            .where(tuple_(*key) > tuple_(*map(literal, after)))
            .order_by(*key)
            .limit(limit)
        )
        with self._database.read() as db:
            return [
                LeftTile(row.log_no, row.origin, row.tile_no, bytes(row.root))
                for row in db.execute(query)
            ]

    def oldest(self) -> Instant | None:
        """Return the time of the oldest entry that has a row."""
        with self._database.read() as db:
            found = db.execute(select(func.min(schema.audit.c.at_ns))).scalar()
            return int(found) if found is not None else None

    def count(self) -> int:
        """Return how many entries have left."""
        with self._database.read() as db:
            return WIDTH * int(
                db.execute(select(func.count()).select_from(schema.audit_tile)).scalar() or 0
            )

    # -- reading ---------------------------------------------------------------------------

    def leaves(self, log: int, start: int, end: int) -> dict[int, bytes]:
        """Return the entries at ``[start, end)`` of a log that have left, by their places."""
        column, found = schema.audit_tile.c, dict[int, bytes]()
        of = (column.log_no == log, column.tile_no >= start // WIDTH, column.tile_no * WIDTH < end)
        for tile in self._tiles(of, oldest=True):
            for place, raw in enumerate(self._read(tile), tile.tile_no * WIDTH):
                if start <= place < end:
                    found[place] = raw
        return found

    def fill(
        self,
        found: dict[int, T],
        limit: int,
        among: Iterable[ColumnElement[bool]],
        choose: Callable[[LeftEntry], T | None],
        *,
        oldest: bool = False,
    ) -> list[T]:
        """Add what has left to what rows have, by number: the newest ``limit``, or the oldest.

        Rows are read first: what leaves between the two is in both, and the same.
        """
        for tile in self._tiles(among, oldest=oldest):
            if len(found) >= limit and _is_beyond(tile, found, oldest=oldest):
                break
            for entry in self._entries(tile):
                one = choose(entry)
                if one is not None:
                    found[entry.number] = one
            pick = heapq.nsmallest if oldest else heapq.nlargest
            found = {number: found[number] for number in pick(limit, found)}
        return [found[number] for number in sorted(found, reverse=not oldest)]

    def each(self, among: Iterable[ColumnElement[bool]]) -> Iterator[LeftEntry]:
        """Yield all entries of tiles, the oldest first."""
        for tile in self._tiles(among, oldest=True):
            yield from self._entries(tile)

    def _entries(self, tile: Any) -> Iterator[LeftEntry]:
        first = tile.tile_no * WIDTH
        for place, (number, raw) in enumerate(
            zip(read_numbers(tile.numbers), self._read(tile), strict=True), first
        ):
            yield LeftEntry(number, tile.log_no, place, row_of(raw))

    def _read(self, tile: Any) -> list[bytes]:
        if self._bundles is None:
            raise StateError("the audit log: entries have left the catalog, and no store is known")
        return self._bundles.read(tile.origin, int(tile.tile_no), bytes(tile.root))

    def _tiles(self, among: Iterable[ColumnElement[bool]], *, oldest: bool) -> Iterator[Any]:
        """Yield tiles, some at a time: what they were when asked for, whatever leaves since."""
        table, log = schema.audit_tile, schema.audit_log
        by = table.c.first_no if oldest else table.c.last_no
        query = (
            select(table, log.c.origin)
            .join(log, log.c.log_no == table.c.log_no)
            .where(*among)
            .order_by(by.asc() if oldest else by.desc())
            .limit(PAGE)
        )
        page: Sequence[Any] = ()
        while not page or len(page) == PAGE:
            here = query
            if page:
                last = page[-1].first_no if oldest else page[-1].last_no
                here = query.where(by > last if oldest else by < last)
            with self._database.read() as db:
                page = db.execute(here).all()
            yield from page
            if not page:
                return


def _of_tile(log: int, number: int) -> tuple[ColumnElement[bool], ...]:
    column, first = schema.audit.c, number * WIDTH
    return column.log_no == log, column.leaf_no >= first, column.leaf_no < first + WIDTH


def _is_beyond(tile: Any, found: Mapping[int, object], *, oldest: bool) -> bool:
    """Tell whether a tile, and so those after it, are further away than all that was found."""
    return bool(tile.first_no > max(found) if oldest else tile.last_no < min(found))


def _is(row: Any, said: Mapping[str, object]) -> bool:
    """Tell whether a row has these bytes, and columns that say the same."""
    if row["entry"] is None or bytes(row["entry"]) != said["entry"]:
        return False
    passed = ("entry", *LATER) if row["result"] == "" else ("entry",)
    return all(row[name] == value for name, value in said.items() if name not in passed)
