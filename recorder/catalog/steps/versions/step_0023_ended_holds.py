"""Which holds are in force is found without those that ended."""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Those that ended stay for good: by and by they are most."""
    op.create_index("ix_hold_ended", "hold", ["released_ns", "expires_ns"])
