"""Who is there: nodes, streams' states, leases, sites, and what is told between them."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, Table, Text, false

from recorder.catalog.schema.base import metadata

status = Table(
    "status",
    metadata,
    Column("site", Text, primary_key=True),
    Column("camera", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("condition", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("health", JSON),
)

node = Table(
    "node",
    metadata,
    Column("node", Text, primary_key=True),
    Column("site", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("facts", JSON, nullable=False),
)

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("term", Integer, nullable=False),
    Column("until_ns", BigInteger, nullable=False),
    Column("handing", Text, nullable=False, server_default=""),
)

site = Table(
    "site",
    metadata,
    Column("name", Text, primary_key=True),
    Column("level", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("facts", JSON, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("stream_no", Integer),
    Column("start_ns", BigInteger),
    Column("end_ns", BigInteger),
    Column("name", Text, nullable=False, server_default=""),
    Column("at_ns", BigInteger, nullable=False),
)

downward = Table(
    "downward",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("child", Text, nullable=False),
    Column("stream_no", Integer, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("writer", Text, nullable=False),
    Column("lost", Boolean, nullable=False, server_default=false()),
    Index("ix_downward_child", "child", "seq"),
    sqlite_autoincrement=True,  # a number is never used twice: old word may be dropped twice
)

camera_below = Table(
    "camera_below",
    metadata,
    Column("site", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("body", JSON, nullable=False),
    Column("author", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)

hold_delivery = Table(
    "hold_delivery",
    metadata,
    Column("hold_id", Text, primary_key=True),
    Column("site", Text, primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("facts", JSON, nullable=False),
)

progress = Table(
    "progress",
    metadata,
    Column("name", Text, primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("facts", JSON, nullable=False),
)
