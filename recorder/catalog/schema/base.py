"""What all tables are part of, and the step that made them what they are."""

from __future__ import annotations

from sqlalchemy import MetaData

REVISION = "0018"
"""The newest of ``catalog/steps``."""

metadata = MetaData()
