"""What is wanted and what happened: cameras, documents, holds, points, events, exports."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from recorder.catalog.schema.base import metadata

camera = Table(
    "camera",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
)

member = Table(
    "member",
    metadata,
    Column("site", Text, primary_key=True),
    Column("camera", Text, primary_key=True),
    Column("group_name", Text, nullable=False),
    Column("about", JSON),
)

document = Table(
    "document",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("body", JSON, nullable=False),
    Column("author", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)

hold = Table(
    "hold",
    metadata,
    Column("hold_id", Text, primary_key=True),
    Column("cameras", JSON, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("case_name", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("expires_ns", BigInteger),
    Column("released_ns", BigInteger),
    Column("released_by", Text, nullable=False, server_default=""),
    Index("ix_hold_ended", "released_ns", "expires_ns"),
)

point = Table(
    "point",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("body", JSON, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("received_ns", BigInteger, nullable=False),
    Column("cameras", JSON, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("image", LargeBinary),
    Column("version", BigInteger, nullable=False, server_default="1"),
    Column("noted_ns", BigInteger, nullable=False, server_default="0"),
    Column("removed_ns", BigInteger),
    Index("ix_event_noted", "noted_ns", "event_id"),
)

owed_event = Table(
    "owed_event",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Index("ix_owed_event_target", "target", "event_id"),
    sqlite_with_rowid=False,
)

touch = Table(
    "touch",
    metadata,
    Column("site", Text, primary_key=True),
    Column("camera", Text, primary_key=True),
    Column("start_ns", BigInteger, primary_key=True, autoincrement=False),
    Column("event_id", Text, primary_key=True),
    Column("end_ns", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Index("ix_touch_end", "camera", "end_ns"),
    sqlite_with_rowid=False,
)

_WHOLE = (
    *("start_ns", "end_ns", "asked_ns", "deadline_ns", "until_ns", "due_ns"),
    *("term", "done_bytes", "all_bytes"),
)
export = Table(
    "export",
    metadata,
    Column("export_id", Text, primary_key=True),
    *(Column(name, JSON, nullable=False) for name in ("caller", "cameras", "form", "notes")),
    *(
        Column(name, Text, nullable=False)
        for name in ("stream", "case_name", "purpose", "state", "node", "said", "kind")
    ),
    *(Column(name, BigInteger, nullable=False) for name in _WHOLE),
    Column("tries", Integer, nullable=False),
    Column("made", JSON),
    *(Column(name, BigInteger) for name in ("began_ns", "ended_ns", "expires_ns")),
)
