"""Numbers of the audit log's entries past 2^31, which a county's centre reaches in some years."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Widen them where numbers have a width; PostgreSQL writes the table anew for it."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE audit ALTER COLUMN audit_no TYPE bigint")
        op.execute("ALTER SEQUENCE audit_audit_no_seq AS bigint")
