"""Runs the schema steps on the connection that :mod:`recorder.catalog.migrate` hands over."""

from __future__ import annotations

from alembic import context

from recorder.catalog.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
