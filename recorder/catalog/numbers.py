"""The numbers that streams have in the tables."""

from __future__ import annotations

from sqlalchemy import Connection, select

from recorder.catalog import schema
from recorder.catalog.database import Database
from recorder.model.keys import StreamId


class StreamNumbers:
    """A stream's number; remembered, for streams are never removed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[StreamId, int] = {}

    def known(self, db: Connection, stream: StreamId) -> int | None:
        """Return the number of a stream that has, or had, footage."""
        known = self._known.get(stream)
        if known is None:
            table = schema.stream
            query = select(table.c.stream_no).where(
                table.c.site == stream.site,
                table.c.camera == stream.camera,
                table.c.stream == stream.stream,
            )
            found = db.execute(query).scalar()
            if found is None:
                return None
            known = self._known[stream] = int(found)
        return known

    def made(self, db: Connection, stream: StreamId) -> int:
        """Return the number of a stream, giving it one if it is new.

        A new one is not remembered: the transaction may yet be undone.
        """
        known = self._known.get(stream)
        if known is None:
            values = {"site": stream.site, "camera": stream.camera, "stream": stream.stream}
            known = self._database.number(db, schema.stream, values, "stream_no")
        return known
