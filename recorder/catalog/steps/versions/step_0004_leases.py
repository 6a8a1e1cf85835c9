"""Leases, for sites with several nodes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "lease",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("term", sa.Integer, nullable=False),
        sa.Column("until_ns", sa.BigInteger, nullable=False),
        sa.Column("handing", sa.Text, nullable=False, server_default=""),
    )
