"""Chains of segments' digests: where each stream's chain stands, and the link of each segment.

Segments of before have no link: nobody saw their digests when they were sealed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both."""
    op.create_table(
        "chain",
        sa.Column("stream_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("head", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "link",
        sa.Column("stream_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start_ns", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("writer", sa.Text, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("line", sa.LargeBinary, nullable=False),
        sa.Column("batch", sa.LargeBinary),
        sa.Column("batch_ns", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    waiting = sa.text("batch IS NULL")
    op.create_index(
        "ix_link_waiting",
        "link",
        ["stream_no", "number"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
