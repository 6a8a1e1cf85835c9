"""What people ask others to approve."""

from __future__ import annotations

from sqlalchemy import Row, delete, select, update

from recorder.access.approvals import Request, State
from recorder.access.permissions import Permission
from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.model.keys import CameraId
from recorder.model.timebase import Instant, TimeRange

_TABLE = schema.approval


def _request(row: Row[object]) -> Request:
    return Request(
        row.request_id,
        row.who,
        Permission(row.action),
        CameraId(row.site, row.camera),
        TimeRange(row.start_ns, row.end_ns),
        row.purpose,
        row.asked_ns,
        row.until_ns,
        State(row.state),
        row.decided_ns,
        row.decided_by,
        row.reason,
    )


class SqlApprovals:
    """A :class:`recorder.ports.Approvals`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, request: Request) -> None:
        """Store a new request."""
        row = {
            "request_id": request.request_id,
            "who": request.who,
            "action": request.action.value,
            "site": request.camera.site,
            "camera": request.camera.camera,
            "start_ns": request.range.start,
            "end_ns": request.range.end,
            "purpose": request.purpose,
            "asked_ns": request.asked,
            "until_ns": request.until,
            "state": request.state.value,
        }
        with self._database.write() as db:
            db.execute(_TABLE.insert().values(**row))

    def get(self, request_id: str) -> Request | None:
        """Return a request, over or not."""
        query = select(_TABLE).where(_TABLE.c.request_id == request_id)
        with self._database.read() as db:
            row = db.execute(query).first()
        return _request(row) if row is not None else None

    def all(self) -> list[Request]:
        """Return all requests, the newest first."""
        query = select(_TABLE).order_by(_TABLE.c.asked_ns.desc(), _TABLE.c.request_id)
        with self._database.read() as db:
            return [_request(row) for row in db.execute(query)]

    def of(self, who: str, state: State, now: Instant) -> list[Request]:
        """Return those of somebody in a state whose time is not over."""
        query = select(_TABLE).where(
            _TABLE.c.who == who, _TABLE.c.until_ns > now, _TABLE.c.state == state.value
        )
        with self._database.read() as db:
            return [_request(row) for row in db.execute(query)]

    def decide(self, decided: Request, before: State) -> bool:
        """Store what became of a request; false when another was faster, and it stays."""
        own = (_TABLE.c.request_id == decided.request_id, _TABLE.c.state == before.value)
        row = {
            "state": decided.state.value,
            "until_ns": decided.until,
            "decided_ns": decided.decided,
            "decided_by": decided.by,
            "reason": decided.reason,
        }
        with self._database.write() as db:
            return db.execute(update(_TABLE).where(*own).values(**row)).rowcount == 1

    def sweep(self, before: Instant) -> None:
        """Forget those whose time was over before an instant."""
        with self._database.write() as db:
            db.execute(delete(_TABLE).where(_TABLE.c.until_ns < before))
