"""When segments were committed; the audit by place and time, events by when they came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the index."""
    op.add_column("segment", sa.Column("committed_ns", sa.BigInteger))
    op.create_index("ix_audit_place", "audit", ["place", "at_ns"])
    op.create_index("ix_event_received", "event", ["received_ns"])
