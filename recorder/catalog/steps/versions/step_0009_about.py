"""What people call a camera is told up with its group."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nothing was said before."""
    op.add_column("member", sa.Column("about", sa.JSON))
