"""Which sites a stream was known through before: they believe still what they were told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Of what moved before nobody knows the way any more."""
    op.add_column("stream", sa.Column("before", sa.Text, nullable=False, server_default=""))
