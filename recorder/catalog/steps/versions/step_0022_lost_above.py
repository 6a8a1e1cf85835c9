"""Whether what a site below is told of has been lost here: it sends that again then."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of what waits to be told, nobody knows whether it was lost or let go."""
    op.add_column(
        "downward", sa.Column("lost", sa.Boolean, nullable=False, server_default=sa.false())
    )
