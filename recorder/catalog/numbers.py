"""The numbers that streams have in the tables."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from sqlalchemy import Connection, bindparam, select

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.model.keys import StreamId

_STREAM = schema.stream
_NUMBER = select(_STREAM.c.stream_no).where(
    *(_STREAM.c[name] == bindparam(name) for name in ("site", "camera", "stream"))
)


class StreamNumbers:
    """A stream's number; remembered within a transaction, and no longer.

    Streams are never removed.  But a catalog that is put back to an older state, by whomever,
    under a process that goes on, gives another stream the number that one had: what is recorded
    of the one would be the other's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: WeakKeyDictionary[Connection, dict[StreamId, int]] = WeakKeyDictionary()

    def known(self, db: Connection, stream: StreamId) -> int | None:
        """Return the number of a stream that has, or had, footage."""
        seen = self._seen.setdefault(db, {})
        if stream not in seen:
            found = db.execute(_NUMBER, _named(stream)).scalar()
            if found is None:
                return None
            seen[stream] = int(found)
        return seen[stream]

    def made(self, db: Connection, stream: StreamId) -> int:
        """Return the number of a stream, giving it one if it is new."""
        known = self.known(db, stream)
        if known is None:
            known = self._database.number(db, _STREAM, _named(stream), "stream_no")
        return known


def _named(stream: StreamId) -> dict[str, object]:
    return {"site": stream.site, "camera": stream.camera, "stream": stream.stream}
