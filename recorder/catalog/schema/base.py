"""What all tables are part of, and the step that made them what they are."""

from __future__ import annotations

from sqlalchemy import MetaData

REVISION = "0024"
"""The newest of ``catalog/steps``."""

metadata = MetaData()
"""Tables as statements need them.  Databases are made by the steps alone: how PostgreSQL limits an
index to some rows stands only there, for to say it here has all its dialect loaded (2 MiB)."""
