"""Bring a database to the present schema, one versioned step after another."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from recorder.errors import ConfigError
from recorder.turns import OneAtATime

_TURNS = OneAtATime()
"""Alembic has what it works on in globals of its modules: one upgrade at a time in a process."""


def upgrade(connection: Connection) -> None:
    """Apply the steps that are missing.

    Raises: ``ConfigError`` when the database is from a newer release.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "steps"))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    present = MigrationContext.configure(connection).get_current_revision()
    if present == scripts.get_current_head():
        return
    if present is not None and present not in {step.revision for step in scripts.walk_revisions()}:
        raise ConfigError(
            f"catalog has schema {present}, which this release does not know",
            hint="run the release that wrote it, or a newer one",
        )
    with _TURNS.wait("alembic"):
        command.upgrade(config, "head")
