"""Events that stores and sites below have not got yet: by what they are owed, not by a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing is owed yet: who asks for the first time is owed what came since it was told."""
    op.create_table(
        "owed_event",
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("target", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_owed_event_target", "owed_event", ["target", "event_id"])
