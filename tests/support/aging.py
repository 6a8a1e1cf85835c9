"""Footage made old, as the catalog sees it."""

from __future__ import annotations

import sqlite3

from recorder.model.keys import segment_key
from recorder.model.timebase import SECOND
from tests.support.nodes import Node


def age(node: Node, seconds: int) -> None:
    """Move the catalog's footage into the past."""
    db = sqlite3.connect(node.folder / "data" / "catalog.db")
    shift = seconds * SECOND
    # keys are derived from starts: keep the true ones where they would change
    rows = db.execute("SELECT stream_no, start_ns, writer, counter FROM segment").fetchall()
    for stream_no, start, writer, counter in rows:
        key = segment_key("test/cam/main", start, writer, counter)
        own = (stream_no, start, writer)
        db.execute(
            "UPDATE segment SET key = ? WHERE (stream_no, start_ns, writer) = (?, ?, ?)",
            (key, *own),
        )
    for table in ("segment", "span", "copy"):
        columns = ["start_ns"] if table == "copy" else ["start_ns", "end_ns", "span_ns"]
        sets = ", ".join(f"{column} = {column} - {shift}" for column in columns)
        db.execute(f"UPDATE {table} SET {sets}")
    db.commit()
    db.close()


def broken_of_aged(node: Node) -> list[dict[str, str]]:
    """Return what ``recorder check --digest`` finds of footage that was moved by :func:`age`.

    The log's links have the true times, and so look for it where the catalog has nothing; so have
    the footers of its objects.
    """
    found = node.broken("--digest")
    true = [one for one in found if one["detail"].startswith("its own footer")]
    return [one for one in found if one["law"] != "L11" and one not in true]
