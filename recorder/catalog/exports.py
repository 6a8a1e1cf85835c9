"""Bundles that people asked for."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Row, delete, func, select, update

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.catalog.readable import read_each, read_one
from recorder.catalog.unchanged import Remembered
from recorder.model.exports import (
    Export,
    ExportMade,
    ExportState,
    ExportWanted,
    read_caller,
    read_form,
    show_caller,
)
from recorder.model.timebase import TimeRange

_TABLE = schema.export
_NEWEST = (_TABLE.c.asked_ns.desc(), _TABLE.c.export_id)
_OVER = (ExportState.FAILED.value, ExportState.EXPIRED.value)
_PRESENT = select(_TABLE).where(_TABLE.c.state.not_in(_OVER)).order_by(*_NEWEST)


def _export(row: Row[object]) -> Export:
    wanted = ExportWanted(
        tuple(row.cameras),
        TimeRange(row.start_ns, row.end_ns),
        row.case_name,
        row.purpose,
        row.stream,
        form=read_form(row.form),
    )
    made = None
    if row.made is not None:
        body = row.made
        said = (body["digest"], body["bytes"], body["fingerprint"], tuple(body["problems"]))
        made = ExportMade(*said, tuple(sorted(body.get("masks", {}).items())))
    return Export(
        row.export_id,
        read_caller(row.caller, row.purpose),
        wanted,
        row.asked_ns,
        row.deadline_ns,
        ExportState(row.state),
        row.node,
        row.term,
        row.until_ns,
        row.due_ns,
        row.tries,
        row.said,
        row.done_bytes,
        row.all_bytes,
        made,
        tuple(row.notes),
        row.began_ns,
        row.ended_ns,
        row.expires_ns,
        row.kind,
    )


def _asked(export: Export) -> dict[str, object]:
    """Write what never changes."""
    wanted = export.wanted
    return {
        "export_id": export.export_id,
        "caller": show_caller(export.caller),
        "cameras": list(wanted.cameras),
        "stream": wanted.stream,
        "start_ns": wanted.range.start,
        "end_ns": wanted.range.end,
        "case_name": wanted.case,
        "purpose": wanted.purpose,
        "form": asdict(wanted.form),
        "asked_ns": export.asked,
        "deadline_ns": export.deadline,
    }


def _standing(export: Export) -> dict[str, object]:
    """Write how far it is."""
    made = export.made
    return {
        "state": export.state.value,
        "node": export.node,
        "term": export.term,
        "until_ns": export.until,
        "due_ns": export.due,
        "tries": export.tries,
        "said": export.said,
        "kind": export.kind,
        "done_bytes": export.done_bytes,
        "all_bytes": export.all_bytes,
        "made": _made(made) if made is not None else None,
        "notes": list(export.notes),
        "began_ns": export.began,
        "ended_ns": export.ended,
        "expires_ns": export.expires,
    }


def _made(made: ExportMade) -> dict[str, object]:
    return {
        "digest": made.digest,
        "bytes": made.size_bytes,
        "fingerprint": made.fingerprint,
        "problems": list(made.problems),
        "masks": dict(made.masks),
    }


class SqlExports:
    """A :class:`recorder.ports.Exports`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._present = Remembered(database.mark, self._look)
        self._counts = Remembered(database.mark, self._count)

    def add(self, export: Export) -> None:
        """Store a new one."""
        with self._database.write() as db:
            db.execute(_TABLE.insert().values(**_asked(export), **_standing(export)))

    def get(self, export_id: str) -> Export | None:
        """Return one, whatever became of it."""
        query = select(_TABLE).where(_TABLE.c.export_id == export_id)
        with self._database.read() as db:
            row = db.execute(query).first()
        return read_one("export", row, _export) if row is not None else None

    def all(self) -> list[Export]:
        """Return all, the newest first."""
        query = select(_TABLE).order_by(*_NEWEST)
        with self._database.read() as db:
            return read_each("export", db.execute(query), _export)

    def present(self) -> list[Export]:
        """Return those of which something is to be done yet, the newest first."""
        return list(self._present.get())

    def _look(self) -> list[Export]:
        with self._database.read() as db:
            return read_each("export", db.execute(_PRESENT), _export)

    def counts(self) -> dict[str, int]:
        """Return how many there are, by state."""
        return dict(self._counts.get())

    def _count(self) -> dict[str, int]:
        query = select(_TABLE.c.state, func.count()).group_by(_TABLE.c.state)
        with self._database.read() as db:
            return {state: count for state, count in db.execute(query)}

    def change(self, export: Export, before: Export) -> bool:
        """Store how far one is; false when another was faster, and it stays."""
        same = (
            _TABLE.c.export_id == before.export_id,
            _TABLE.c.state == before.state.value,
            _TABLE.c.node == before.node,
            _TABLE.c.term == before.term,
        )
        with self._database.write() as db:
            done = db.execute(update(_TABLE).where(*same).values(**_standing(export)))
            return done.rowcount == 1

    def drop(self, export_id: str) -> None:
        """Forget one."""
        with self._database.write() as db:
            db.execute(delete(_TABLE).where(_TABLE.c.export_id == export_id))
