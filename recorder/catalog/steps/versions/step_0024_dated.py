"""What was committed otherwise than it says of itself is found without reading all segments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Few are: the index is made in one look, and is empty where clocks were right."""
    odd = sa.text("committed_ns IS NOT NULL AND abs(committed_ns - end_ns) > 86400000000000")
    op.create_index(
        "ix_segment_dated",
        "segment",
        ["committed_ns"],
        sqlite_where=odd,
        postgresql_where=odd,
    )
