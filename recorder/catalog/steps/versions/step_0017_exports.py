"""Exports: bundles of evidence that people asked for, and how far each is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add exports; there are none yet."""
    op.create_table(
        "export",
        sa.Column("export_id", sa.Text, primary_key=True),
        sa.Column("caller", sa.JSON, nullable=False),
        sa.Column("cameras", sa.JSON, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("start_ns", sa.BigInteger, nullable=False),
        sa.Column("end_ns", sa.BigInteger, nullable=False),
        sa.Column("case_name", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("form", sa.JSON, nullable=False),
        sa.Column("asked_ns", sa.BigInteger, nullable=False),
        sa.Column("deadline_ns", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("term", sa.BigInteger, nullable=False),
        sa.Column("until_ns", sa.BigInteger, nullable=False),
        sa.Column("due_ns", sa.BigInteger, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("said", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("done_bytes", sa.BigInteger, nullable=False),
        sa.Column("all_bytes", sa.BigInteger, nullable=False),
        sa.Column("made", sa.JSON),
        sa.Column("notes", sa.JSON, nullable=False),
        sa.Column("began_ns", sa.BigInteger),
        sa.Column("ended_ns", sa.BigInteger),
        sa.Column("expires_ns", sa.BigInteger),
    )
