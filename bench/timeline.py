"""Claim: timeline of 30 days of one camera among 25 M segments, p99 <= 50 ms.

Method: 585 cameras x 30 days of one-minute segments written straight into the tables
(SQLite in a file, PostgreSQL on loopback), each camera with a reconnect every 6 hours;
then the timeline of random cameras through the same view the API uses.
``BENCH_DAYS`` makes it smaller.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

from bench.media import scratch
from bench.timing import median, p99, seconds
from recorder.catalog.sql import SqlCatalog
from recorder.clock import SystemClock
from recorder.model.keys import StreamId
from recorder.model.timebase import DAY, TimeRange
from recorder.reading.view import View
from recorder.spool.disk import Spool
from tests.support.postgres import Postgres

CAMERAS = 585
DAYS = int(os.environ.get("BENCH_DAYS", "30"))
T0 = 1_767_571_200_000_000_000
SPAN_MIN = 360

_SERIES = {
    "sqlite": "WITH RECURSIVE t(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM t WHERE i < {n} - 1)",
    "postgresql": "WITH t(i) AS (SELECT generate_series(0::bigint, {n} - 1))",
}


def measure() -> dict[str, Any]:
    """Run it on both databases."""
    result: dict[str, Any] = {"segments": CAMERAS * DAYS * 1440}
    with scratch() as name:
        folder = Path(name)
        result["sqlite"] = _one(f"sqlite:///{folder}/catalog.db", folder, "sqlite")
        server = Postgres()
        try:
            server.start()
            result["postgresql"] = _one(server.database(), folder, "postgresql")
        finally:
            server.stop()
    return result


def _fill(catalog: SqlCatalog, kind: str) -> None:
    minute, span = 60_000_000_000, SPAN_MIN * 60_000_000_000
    blob = "zeroblob(200)" if kind == "sqlite" else "decode(repeat('00', 200), 'hex')"
    digest = "zeroblob(32)" if kind == "sqlite" else "decode(repeat('00', 32), 'hex')"
    segments, spans = DAYS * 1440, DAYS * 1440 // SPAN_MIN
    series = _SERIES[kind]
    with catalog.database.write() as db:
        for number in range(1, CAMERAS + 1):
            db.exec_driver_sql(
                "INSERT INTO stream (stream_no, site, camera, stream, longest_ns) "
                f"VALUES ({number}, 'county', 'cam{number:03d}', 'main', {minute})"
            )
            db.exec_driver_sql(
                series.format(n=segments) + " INSERT INTO segment (stream_no, start_ns, writer, "
                "span_ns, counter, end_ns, media_start, media_end, timescale, size_bytes, digest, "
                "init_bytes, config_no, frames, gap_cause, points) SELECT "
                f"{number}, {T0} + i * {minute}, 'n1.1', {T0} + (i / {SPAN_MIN}) * {span}, "
                f"i - (i / {SPAN_MIN}) * {SPAN_MIN}, {T0} + (i + 1) * {minute}, i * 5400000, "
                "(i + 1) * 5400000, 90000, "
                f"30000000, {digest}, 800, 1, 1500, '', {blob} FROM t"
            )
            db.exec_driver_sql(
                series.format(n=spans) + " INSERT INTO span (stream_no, span_ns, writer, "
                f"start_ns, end_ns, codecs, gap_cause) SELECT {number}, {T0} + i * {span}, 'n1.1', "
                f"{T0} + i * {span}, {T0} + (i + 1) * {span} - 3000000000, 'avc1', 'source' FROM t"
            )
        db.exec_driver_sql(
            "INSERT INTO config (config_no, decoder_digest, codecs, width, height) "
            "VALUES (1, 'd', 'avc1', 1920, 1080)"
        )


def _one(url: str, folder: Path, kind: str) -> dict[str, float]:
    catalog = SqlCatalog(url)
    filled = seconds(lambda: _fill(catalog, kind), 1)[0]
    if kind == "postgresql":
        with catalog.database.write() as db:
            db.exec_driver_sql("ANALYZE")
    view = View(
        catalog.footage, catalog.statuses, Spool(folder / "spool"), {}, SystemClock(), "county"
    )
    dice = random.Random(1)
    asked = TimeRange(T0, T0 + DAYS * DAY)

    def work() -> None:
        camera = f"cam{dice.randrange(1, CAMERAS + 1):03d}"
        line = view.timeline(StreamId("county", camera, "main"), asked, None)
        assert len(line.spans) == DAYS * 1440 // SPAN_MIN

    def find() -> None:
        stream = StreamId("county", f"cam{dice.randrange(1, CAMERAS + 1):03d}", "main")
        at = T0 + dice.randrange(DAYS * DAY - DAY // 24)
        assert len(catalog.footage.segments(stream, TimeRange(at, at + DAY // 24))) >= 60

    taken, found = seconds(work, 300), seconds(find, 300)
    view.close()
    catalog.close()
    return {
        "timeline_median_ms": round(median(taken) * 1e3, 2),
        "timeline_p99_ms": round(p99(taken) * 1e3, 2),
        "segments_of_an_hour_p99_ms": round(p99(found) * 1e3, 2),
        "filled_in_s": round(filled, 1),
    }
