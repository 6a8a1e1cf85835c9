"""First schema: streams, segments, spans, copies, gaps, documents, audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the first tables."""
    _footage()
    _documents()


def _footage() -> None:
    op.create_table(
        "stream",
        sa.Column("stream_no", sa.Integer, primary_key=True),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("camera", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("longest_ns", sa.BigInteger, nullable=False, server_default="0"),
        sa.UniqueConstraint("site", "camera", "stream", name="uq_stream"),
    )
    op.create_table(
        "config",
        sa.Column("config_no", sa.Integer, primary_key=True),
        sa.Column("decoder_digest", sa.Text, nullable=False),
        sa.Column("codecs", sa.Text, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.UniqueConstraint("decoder_digest", "codecs", "width", "height", name="uq_config"),
    )
    op.create_table(
        "segment",
        sa.Column("stream_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start_ns", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("writer", sa.Text, primary_key=True),
        sa.Column("span_ns", sa.BigInteger, nullable=False),
        sa.Column("counter", sa.Integer, nullable=False),
        sa.Column("end_ns", sa.BigInteger, nullable=False),
        sa.Column("media_start", sa.BigInteger, nullable=False),
        sa.Column("media_end", sa.BigInteger, nullable=False),
        sa.Column("timescale", sa.Integer, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("init_bytes", sa.Integer, nullable=False),
        sa.Column("config_no", sa.Integer, nullable=False),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("camera_offset_ns", sa.BigInteger),
        sa.Column("gap_cause", sa.Text, nullable=False, server_default=""),
        sa.Column("key", sa.Text),
        sa.Column("points", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "span",
        sa.Column("stream_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("span_ns", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("writer", sa.Text, primary_key=True),
        sa.Column("start_ns", sa.BigInteger, nullable=False),
        sa.Column("end_ns", sa.BigInteger, nullable=False),
        sa.Column("codecs", sa.Text, nullable=False),
        sa.Column("gap_cause", sa.Text, nullable=False),
        sa.Column("camera_offset_ns", sa.BigInteger),
    )
    op.create_index("ix_span_end", "span", ["stream_no", "end_ns"])
    op.create_index("ix_span_start", "span", ["stream_no", "start_ns"])
    op.create_table(
        "copy",
        sa.Column("stream_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start_ns", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("writer", sa.Text, primary_key=True),
        sa.Column("place", sa.Text, primary_key=True),
        sa.Column("etag", sa.Text, nullable=False),
        sa.Column("verified_ns", sa.BigInteger, nullable=False),
        sa.Column("condemned_ns", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_copy_condemned", "copy", ["place", "condemned_ns"])
    op.create_table(
        "gap",
        sa.Column("stream_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start_ns", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("cause", sa.Text, primary_key=True),
        sa.Column("end_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_gap_end", "gap", ["stream_no", "end_ns"])


def _documents() -> None:
    op.create_table(
        "camera",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_ns", sa.BigInteger, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
    )
    op.create_table(
        "status",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("camera", sa.Text, primary_key=True),
        sa.Column("stream", sa.Text, primary_key=True),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("condition", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("since_ns", sa.BigInteger, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "node",
        sa.Column("node", sa.Text, primary_key=True),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
    )
    op.create_table(
        "document",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "store",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("identity", sa.Text, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("audit_no", sa.Integer, primary_key=True),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("camera", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("start_ns", sa.BigInteger, nullable=False),
        sa.Column("end_ns", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("document_version", sa.Integer, nullable=False),
    )
