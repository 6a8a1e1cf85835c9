"""Claim: a parent that was away catches up at >= 20 000 changes/s per core.

Method: 100 000 one-minute segments of 40 cameras noted in a child's outbox (SQLite in a
file), told in batches of 2000 as the link does, through JSON, applied to a parent's catalog
(SQLite in a file; PostgreSQL on loopback).  ``apply`` is the parent's part alone, ``tell``
the child's; CPU time, so that the database server's own process counts separately.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.media import scratch
from recorder.catalog import schema
from recorder.catalog.rows import segment_row
from recorder.catalog.sql import SqlCatalog
from recorder.model.keys import StreamId, segment_key
from recorder.model.media import Segment
from recorder.model.timebase import MINUTE
from tests.support.make import T0, segment
from tests.support.postgres import Postgres

CAMERAS, EACH, BATCH = 40, 2500, 2000


def measure() -> dict[str, Any]:
    """Run it on both databases."""
    with scratch() as name:
        folder = Path(name)
        child = SqlCatalog(f"sqlite:///{folder}/child.db")
        _fill(child)
        server = Postgres()
        try:
            server.start()
            batches, told = _tell(child)
            return {
                "changes": CAMERAS * EACH, "tell_per_s": told,
                "sqlite_apply_per_s": _apply(f"sqlite:///{folder}/parent.db", batches),
                "postgresql_apply_per_s": _apply(server.database(), batches),
            }  # fmt: skip
        finally:
            server.stop()
            child.close()


def _fill(child: SqlCatalog) -> None:
    streams = [StreamId("post1", f"cam{camera}", "main") for camera in range(CAMERAS)]
    fill_streams(child, streams, EACH, T0)
    child.outbox.fill(1)


def fill_streams(
    catalog: SqlCatalog, streams: Sequence[StreamId], each: int, begin: int, step: int = MINUTE
) -> None:
    """Give every stream so many segments, ``step`` ns apart, with a copy in ``main``."""
    base = replace(segment(), points=bytes(200), activity=bytes(60))
    config = {"decoder_digest": base.decoder_digest, "codecs": base.codecs,
              "width": base.width, "height": base.height}  # fmt: skip
    for stream in streams:
        with catalog.database.write() as db:
            number = catalog.numbers.made(db, stream)
            config_no = catalog.database.number(db, schema.config, config, "config_no")
            rows = [
                segment_row(_at(base, stream, begin, i, step), number, config_no)
                for i in range(each)
            ]
            catalog.database.upsert(db, schema.segment, rows)
            copies = [
                {"stream_no": number, "start_ns": row["start_ns"], "writer": row["writer"],
                 "place": "main", "etag": "", "verified_ns": 1, "condemned_ns": None,
                 "deleting_ns": None}
                for row in rows
            ]  # fmt: skip
            catalog.database.upsert(db, schema.copy, copies)


def _at(base: Segment, stream: StreamId, begin: int, i: int, step: int) -> Segment:
    start = begin + i * step
    key = segment_key(str(stream), start, base.writer, i)
    return replace(base, stream=stream, start=start, end=start + MINUTE, counter=i, key=key)


def _tell(child: SqlCatalog) -> tuple[list[str], int]:
    begin, batches, count = time.process_time(), [], 0
    while True:
        numbers, said = child.outbox.take(BATCH, T0)
        if not numbers:
            break
        batches.append(json.dumps(said))
        child.outbox.drop(numbers)
        count += len(numbers)
    return batches, round(count / (time.process_time() - begin))


def _apply(url: str, batches: list[str]) -> int:
    parent = SqlCatalog(url)
    parent.sites.all()
    begin = time.process_time()
    for batch in batches:
        parent.inbox.apply("post1", json.loads(batch), 9)
    spent = time.process_time() - begin
    parent.close()
    return round(CAMERAS * EACH / spent)
