"""Sites in a tree: what is to be told upward, what was heard from below, holds delivered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("stream_no", sa.Integer),
        sa.Column("start_ns", sa.BigInteger),
        sa.Column("end_ns", sa.BigInteger),
        sa.Column("name", sa.Text, nullable=False, server_default=""),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "site",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
    )
    op.create_table(
        "hold_delivery",
        sa.Column("hold_id", sa.Text, primary_key=True),
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
        sa.Column("facts", sa.JSON, nullable=False),
    )
