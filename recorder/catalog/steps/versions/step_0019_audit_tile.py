"""Tiles of the audit log whose rows have left: what is in their bundles, to be searched by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing has left yet."""
    op.create_table(
        "audit_tile",
        sa.Column("log_no", sa.Integer, primary_key=True),
        sa.Column("tile_no", sa.BigInteger, primary_key=True),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("numbers", sa.Text, nullable=False),
        sa.Column("first_no", sa.BigInteger, nullable=False),
        sa.Column("last_no", sa.BigInteger, nullable=False),
        sa.Column("from_ns", sa.BigInteger, nullable=False),
        sa.Column("until_ns", sa.BigInteger, nullable=False),
        sa.Column("start_ns", sa.BigInteger, nullable=False),
        sa.Column("end_ns", sa.BigInteger, nullable=False),
        sa.Column("cameras", sa.Text, nullable=False),
        sa.Column("actions", sa.Text, nullable=False),
        sa.Column("callers", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_audit_tile_first", "audit_tile", ["first_no"])
    op.create_index("ix_audit_tile_last", "audit_tile", ["last_no"])
