"""A segment as one site says it to another: to the one above, and to one below that forgot it."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from recorder.catalog import schema
from recorder.catalog.copy_rows import CONFIG
from recorder.catalog.told import CLOCKS_DIFFER, COLUMNS, Message
from recorder.model.timebase import Instant

_BINARY = (COLUMNS.index("digest"), COLUMNS.index("points"), COLUMNS.index("activity"))


def rows_to_say(
    db: Connection, number: int, writer: str, starts: Sequence[Instant]
) -> list[tuple[Any, ...]]:
    """Return what :func:`segment_said` says of segments of a stream and writer; starts first."""
    seg = schema.segment
    query = (
        select(*(seg.c[name] for name in COLUMNS), *CONFIG, seg.c.committed_ns)
        .join(schema.config, schema.config.c.config_no == seg.c.config_no)
        .where(seg.c.stream_no == number, seg.c.writer == writer, seg.c.start_ns.in_(starts))
    )
    return [tuple(row) for row in db.execute(query)]


def segment_said(
    row: tuple[Any, ...],
    stream: str,
    copies: Sequence[Sequence[object]],
    damaged: Sequence[str] | None = None,
) -> Message:
    """Say a segment and its copies; ``damaged``: where it is not what it should be, or missing."""
    values = list(row)
    committed, end = values.pop(), values[COLUMNS.index("end_ns")]
    at_odds = committed is not None and abs(committed - end) > CLOCKS_DIFFER
    for place in _BINARY:
        if values[place] is not None:
            values[place] = b2a_base64(values[place], newline=False).decode()
    return {
        "k": "segment",
        "stream": stream,
        "row": values[: len(COLUMNS)],
        "config": values[len(COLUMNS) :],
        "copies": [*copies],
        **({"damaged": [*damaged]} if damaged else {}),
        **({"committed": committed} if at_odds else {}),
    }
