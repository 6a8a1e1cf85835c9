"""The audit log: entries of all kinds, their places in a Merkle tree, and what was signed.

What was written of deletions before becomes part of it: its rows get their bytes and their place
when the tree is next added to.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what entries of all kinds have, and the logs."""
    op.add_column("audit", sa.Column("caller", sa.Text, nullable=False, server_default=""))
    op.add_column("audit", sa.Column("result", sa.Text, nullable=False, server_default=""))
    op.add_column("audit", sa.Column("entry", sa.LargeBinary))
    op.add_column("audit", sa.Column("log_no", sa.Integer))
    op.add_column("audit", sa.Column("leaf_no", sa.BigInteger))
    waiting = sa.text("leaf_no IS NULL")
    op.create_index(
        "ix_audit_waiting", "audit", ["audit_no"], sqlite_where=waiting, postgresql_where=waiting
    )
    op.create_index("uq_audit_leaf", "audit", ["log_no", "leaf_no"], unique=True)
    op.create_index("ix_audit_at", "audit", ["at_ns"])
    op.create_index("ix_audit_caller", "audit", ["caller", "at_ns"])
    op.create_table(
        "audit_log",
        sa.Column("log_no", sa.Integer, primary_key=True),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("begun_ns", sa.BigInteger, nullable=False),
        sa.Column("assigned", sa.BigInteger, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("edge", sa.LargeBinary, nullable=False),
        sa.Column("checkpoint", sa.Text, nullable=False),
        sa.Column("signed_ns", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("origin", name="uq_audit_log"),
    )
    op.create_table(
        "audit_witness",
        sa.Column("site", sa.Text, primary_key=True),
        sa.Column("origin", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("checkpoint", sa.Text, nullable=False),
        sa.Column("at_ns", sa.BigInteger, nullable=False),
    )
