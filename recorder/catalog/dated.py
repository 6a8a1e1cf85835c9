"""When footage was committed that says otherwise of itself: kept in stores, for a lost catalog.

No object tells it: a segment is sealed before it is committed, and its clock may be found wrong
later.  A node's clock is that of all its streams, so it is told by node and run, and by the day
that the footage says it is of: a row for each day of a clock that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import Connection, func, select, text

from recorder.catalog import schema
from recorder.catalog.told import CLOCKS_DIFFER
from recorder.model.kept import Dated
from recorder.model.timebase import DAY, Instant

AT_ODDS = f"committed_ns IS NOT NULL AND abs(committed_ns - end_ns) > {CLOCKS_DIFFER}"
"""As the index has it (``ix_segment_dated``): without it each look would read all of a catalog."""


def dated(db: Connection) -> list[dict[str, object]]:
    """Return when such footage was committed: the end of the last day on which some of it was.

    So that it is another answer once a day, not with each segment.
    """
    seg, stream = schema.segment, schema.stream
    day = (seg.c.start_ns // DAY).label("day")
    query = (
        select(stream.c.site, seg.c.writer, day, func.max(seg.c.committed_ns).label("last"))
        .join(stream, stream.c.stream_no == seg.c.stream_no)
        .where(text(AT_ODDS))
        .group_by(stream.c.site, seg.c.writer, day)
        .order_by(stream.c.site, seg.c.writer, day)
    )
    found = (
        Dated(row.site, row.writer, row.day * DAY, -(-row.last // DAY) * DAY)
        for row in db.execute(query)
    )
    return [asdict(one) for one in found]


def date_back(db: Connection, said: Iterable[Dated], at: Instant) -> int:
    """Date segments of which it is not known when they were committed; return how many.

    None later than ``at``.
    """
    seg, stream = schema.segment, schema.stream
    done = 0
    for one in said:
        numbers = select(stream.c.stream_no).where(stream.c.site == one.site)
        own = (
            seg.c.stream_no.in_(numbers),
            seg.c.start_ns.between(one.day_ns, one.day_ns + DAY - 1),
            seg.c.writer == one.writer,
            seg.c.committed_ns.is_(None),
        )
        known = seg.update().where(*own).values(committed_ns=min(one.committed_ns, at))
        done += db.execute(known).rowcount
    return done
