"""Holes and activity of segments, locks and damage of copies, word for sites below."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_SEQ = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add columns and tables."""
    op.add_column("stream", sa.Column("via", sa.Text, nullable=False, server_default=""))
    op.add_column("segment", sa.Column("holes", sa.Text))
    op.add_column("segment", sa.Column("activity", sa.LargeBinary))
    op.add_column("copy", sa.Column("locked", sa.Integer, nullable=False, server_default="0"))
    op.add_column("copy", sa.Column("damaged_ns", sa.BigInteger))
    for name, few in (
        ("ix_copy_locked", "locked = 1"),
        ("ix_copy_damaged", "damaged_ns IS NOT NULL"),
    ):
        where = sa.text(few)
        op.create_index(name, "copy", ["place"], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "downward",
        sa.Column("seq", _SEQ, primary_key=True),
        sa.Column("child", sa.Text, nullable=False),
        sa.Column("stream_no", sa.Integer, nullable=False),
        sa.Column("start_ns", sa.BigInteger, nullable=False),
        sa.Column("writer", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_downward_child", "downward", ["child", "seq"])
    op.create_table(
        "camera_below",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "progress",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
    )
