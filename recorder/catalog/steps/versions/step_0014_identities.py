"""Accounts of people whom an OpenID provider vouches for: who they are there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add who an account is at the provider; those there are are this site's own."""
    op.add_column("account", sa.Column("identity", sa.Text, nullable=False, server_default=""))
    named = sa.text("identity <> ''")
    op.create_index(
        "uq_account_identity",
        "account",
        ["identity"],
        unique=True,
        sqlite_where=named,
        postgresql_where=named,
    )
