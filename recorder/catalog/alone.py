"""Transactions that come one after another, also in PostgreSQL: SQLite has one writer anyway."""

from __future__ import annotations

from sqlalchemy import Connection

LEASES = 7310924
ROWS = 7310925
"""Where entries of the log stand."""
WRITTEN = 7310926
"""What people write and others may have changed meanwhile: documents, cameras, points."""


def one_at_a_time(db: Connection, what: int) -> None:
    """Let one transaction at a time change something; this one waits for those before it."""
    if db.dialect.name != "sqlite":
        db.exec_driver_sql(f"SELECT pg_advisory_xact_lock({what})")
