"""Schema steps; :mod:`recorder.catalog.migrate` applies those that are missing."""
