"""Footage: streams, segments, their copies, spans, gaps, and the chain at capture."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from recorder.catalog.schema.base import metadata

stream = Table(
    "stream",
    metadata,
    Column("stream_no", Integer, primary_key=True),
    Column("site", Text, nullable=False),
    Column("camera", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("longest_ns", BigInteger, nullable=False, server_default="0"),
    Column("via", Text, nullable=False, server_default=""),
    Column("before", Text, nullable=False, server_default=""),
    UniqueConstraint("site", "camera", "stream", name="uq_stream"),
)

config = Table(
    "config",
    metadata,
    Column("config_no", Integer, primary_key=True),
    Column("decoder_digest", Text, nullable=False),
    Column("codecs", Text, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    UniqueConstraint("decoder_digest", "codecs", "width", "height", name="uq_config"),
)

segment = Table(
    "segment",
    metadata,
    Column("stream_no", Integer, primary_key=True, autoincrement=False),
    Column("start_ns", BigInteger, primary_key=True, autoincrement=False),
    Column("writer", Text, primary_key=True),
    Column("span_ns", BigInteger, nullable=False),
    Column("counter", Integer, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("media_start", BigInteger, nullable=False),
    Column("media_end", BigInteger, nullable=False),
    Column("timescale", Integer, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("init_bytes", Integer, nullable=False),
    Column("config_no", Integer, nullable=False),
    Column("frames", Integer, nullable=False),
    Column("camera_offset_ns", BigInteger),
    Column("gap_cause", Text, nullable=False, server_default=""),
    Column("key", Text),
    Column("points", LargeBinary, nullable=False),
    Column("holes", Text),
    Column("activity", LargeBinary),
    Column("committed_ns", BigInteger),
    sqlite_with_rowid=False,
)

Index(  # few: recorded by a clock that was wrong
    "ix_segment_dated",
    segment.c.committed_ns,
    sqlite_where=text("committed_ns IS NOT NULL AND abs(committed_ns - end_ns) > 86400000000000"),
)

span = Table(
    "span",
    metadata,
    Column("stream_no", Integer, primary_key=True, autoincrement=False),
    Column("span_ns", BigInteger, primary_key=True, autoincrement=False),
    Column("writer", Text, primary_key=True),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("codecs", Text, nullable=False),
    Column("gap_cause", Text, nullable=False),
    Column("camera_offset_ns", BigInteger),
    Index("ix_span_end", "stream_no", "end_ns"),
    Index("ix_span_start", "stream_no", "start_ns"),
)

copy = Table(
    "copy",
    metadata,
    Column("stream_no", Integer, primary_key=True, autoincrement=False),
    Column("start_ns", BigInteger, primary_key=True, autoincrement=False),
    Column("writer", Text, primary_key=True),
    Column("place", Text, primary_key=True),
    Column("etag", Text, nullable=False),
    Column("verified_ns", BigInteger, nullable=False),
    Column("condemned_ns", BigInteger),
    Column("deleting_ns", BigInteger),
    Column("locked", Integer, nullable=False, server_default="0"),
    Column("damaged_ns", BigInteger),
    Index("ix_copy_condemned", "place", "condemned_ns"),
    sqlite_with_rowid=False,
)

for _name in ("locked = 1", "damaged_ns IS NOT NULL"):  # few: asked for every few seconds
    _few = text(_name)
    Index(
        f"ix_copy_{_name.split('_')[0].split()[0]}",
        copy.c.place,
        sqlite_where=_few,
    )

gap = Table(
    "gap",
    metadata,
    Column("stream_no", Integer, primary_key=True, autoincrement=False),
    Column("start_ns", BigInteger, primary_key=True, autoincrement=False),
    Column("cause", Text, primary_key=True),
    Column("end_ns", BigInteger, nullable=False),
    Index("ix_gap_end", "stream_no", "end_ns"),
)

chain = Table(
    "chain",
    metadata,
    Column("stream_no", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("head", LargeBinary, nullable=False),
)

link = Table(
    "link",
    metadata,
    Column("stream_no", Integer, primary_key=True, autoincrement=False),
    Column("start_ns", BigInteger, primary_key=True, autoincrement=False),
    Column("writer", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("line", LargeBinary, nullable=False),
    Column("batch", LargeBinary),
    Column("batch_ns", BigInteger),
    Index(
        "ix_link_waiting",
        "stream_no",
        "number",
        sqlite_where=text("batch IS NULL"),
    ),
    sqlite_with_rowid=False,
)

store = Table(
    "store",
    metadata,
    Column("name", Text, primary_key=True),
    Column("identity", Text, nullable=False),
)
