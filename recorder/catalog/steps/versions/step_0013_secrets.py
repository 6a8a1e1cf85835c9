"""Which keys secrets of cameras are encrypted under, one after another; never the keys.

An older release does not read documents of cameras that hold ciphertext.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; what stands in plain is encrypted by the first node that starts."""
    op.create_table(
        "secret_key",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
        sa.Column("wiped_ns", sa.BigInteger),
    )
