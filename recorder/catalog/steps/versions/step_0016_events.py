"""Events that are changed and removed: their version, and when each was taken in as it is.

One that was removed stays as a row without footage: sites above and below are told so.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both; what there is was taken in when it was received."""
    op.add_column("event", sa.Column("version", sa.BigInteger, nullable=False, server_default="1"))
    op.add_column("event", sa.Column("noted_ns", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("event", sa.Column("removed_ns", sa.BigInteger))
    op.execute(sa.text("UPDATE event SET noted_ns = received_ns"))
    op.drop_index("ix_event_received", "event")
    op.create_index("ix_event_noted", "event", ["noted_ns", "event_id"])
