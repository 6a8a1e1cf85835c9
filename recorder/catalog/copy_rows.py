"""Copies joined with their segments, and what of them is held: the join, once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Row,
    Select,
    and_,
    false,
    or_,
    select,
    true,
)

from recorder.catalog import schema
from recorder.catalog.readable import read_one
from recorder.catalog.rows import read_segment
from recorder.errors import BadDocument, CatalogDamaged
from recorder.model.holds import Hold, held_ranges, is_held
from recorder.model.keys import StreamId
from recorder.model.media import Copy, Segment
from recorder.model.places import PARENT, beginning
from recorder.model.timebase import EARLIEST, LATEST, Instant, TimeRange

DOUBTED = 0
"""When a copy at another site was verified that nobody there has told of since it was in doubt."""
SEGMENT_KEY = ("stream_no", "start_ns", "writer")
CONFIG = [schema.config.c[name] for name in ("decoder_digest", "codecs", "width", "height")]
ON_SEGMENT = and_(*(schema.segment.c[key] == schema.copy.c[key] for key in SEGMENT_KEY))
"""A copy is of this segment."""


def select_copies(place: str = "") -> Select[object]:
    """Select the copies at a place, or at all, with all that :func:`read_joined` needs."""
    seg, stream, copy = schema.segment, schema.stream, schema.copy
    names = (stream.c.site, stream.c.camera, stream.c.stream.label("stream_name"))
    return (
        select(copy, seg, *CONFIG, *names)
        .join(seg, ON_SEGMENT)
        .join(stream, stream.c.stream_no == copy.c.stream_no)
        .join(schema.config, schema.config.c.config_no == seg.c.config_no)
        .where(copy.c.place == place if place else true())
    )


def read_joined(row: Any) -> Copy:
    """Read a row of :func:`select_copies`."""
    return read_copy(read_segment(StreamId(row.site, row.camera, row.stream_name), row), row)


def read_copy(segment: Segment, row: Any) -> Copy:
    """Read a row of ``copy``."""
    return Copy(segment, row.place, row.etag, row.verified_ns, row.condemned_ns, row.damaged_ns)


def this_copy(number: int | None, copy: Copy) -> list[ColumnElement[bool]]:
    """Say which row a copy is; ``number`` is its stream's."""
    return [*this_segment(number, copy.segment), schema.copy.c.place == copy.place]


def this_segment(number: int | None, segment: Segment) -> list[ColumnElement[bool]]:
    """Say which rows of ``copy`` are of a segment; ``number`` is its stream's."""
    table = schema.copy
    return [
        table.c.stream_no == number,
        table.c.start_ns == segment.start,
        table.c.writer == segment.writer,
    ]


def not_begun() -> ColumnElement[bool]:
    """Say which rows of ``copy`` at this site are not being deleted, nor may be gone by now.

    Below zero is until when one rests that its store refused to delete: it is there.
    """
    deleting = schema.copy.c.deleting_ns
    return or_(deleting.is_(None), deleting < 0)


def let_go_above() -> ColumnElement[bool]:
    """Say which rows of ``copy`` are a memory: a site above said that it has deleted them."""
    copy = schema.copy
    above = copy.c.place.startswith(beginning(PARENT), autoescape=True)
    return and_(above, copy.c.deleting_ns.is_not(None))


# -- what is held ------------------------------------------------------------------------


def covered(hold: Hold) -> list[ColumnElement[bool]]:
    """Say which segments a hold covers; their starts are bounded, for the index is by start."""
    seg, stream = schema.segment, schema.stream
    by_site: dict[str, list[str]] = {}
    for one in hold.camera_ids:
        by_site.setdefault(one.site, []).append(one.camera)
    return [
        or_(
            false(),
            *(
                and_(stream.c.camera.in_(names), stream.c.site == site if site else true())
                for site, names in by_site.items()
            ),
        ),
        seg.c.start_ns < hold.range.end,
        seg.c.start_ns > hold.range.start - stream.c.longest_ns - 1,
        seg.c.end_ns > hold.range.start,
    ]


def not_held(db: Connection, copies: Iterable[Copy], at: Instant) -> list[Copy]:
    """Return those copies that no hold covers by now (law L5)."""
    held = held_ranges(live_holds(db, at), at)
    return [copy for copy in copies if not is_held(held, copy.segment)]


HoldRow = Row[tuple[object]]
NEWEST_HOLDS = (schema.hold.c.created_ns.desc(), schema.hold.c.hold_id)


def live_holds(db: Connection, at: Instant, released_too: bool = False) -> list[Hold]:
    """Return the holds in force at an instant, inside a transaction that acts on them.

    ``released_too``: also those that were released since.
    """
    ended, expires = schema.hold.c.released_ns, schema.hold.c.expires_ns
    ends: list[ColumnElement[bool]] = [ended.is_(None)]
    if released_too:
        ends.append(ended > at)
    # each with both, for the index: what ended long ago is not even looked at
    each = (and_(end, until) for end in ends for until in (expires.is_(None), expires > at))
    return read_holds(db, select(schema.hold).where(or_(*each)).order_by(*NEWEST_HOLDS))


def read_holds(db: Connection, query: Executable) -> list[Hold]:
    """Read rows of ``hold``; what of one cannot be read holds as much as it could mean."""
    found = []
    for row in db.execute(query).all():
        try:
            found.append(read_one("hold", row, hold_of))
        except CatalogDamaged:
            known = db.execute(select(schema.stream.c.site, schema.stream.c.camera).distinct())
            cameras = sorted(f"{site}/{camera}" for site, camera in known)
            found.append(_widest(row, cameras or ["nothing"]))
    return found


def hold_of(row: Any) -> Hold:
    """Make a hold of a row.

    Raises: ``BadDocument``, ``ValueError``.
    """
    if not _names(row.cameras):
        raise BadDocument("cameras: must be a list of names")
    if not isinstance(row.expires_ns, int | None):
        raise BadDocument("expires: must be a time")
    return _held(row, row.cameras, TimeRange(row.start_ns, row.end_ns), row.expires_ns)


def _widest(row: HoldRow, cameras: list[str]) -> Hold:
    """Make the hold that a row that cannot be read may be: of all cameras, times, and for ever."""
    ends, expires = (row.start_ns, row.end_ns), row.expires_ns
    return _held(
        row,
        row.cameras if _names(row.cameras) else cameras,
        TimeRange(*ends) if ends[0] <= ends[1] else TimeRange(EARLIEST, LATEST),
        expires if isinstance(expires, int) else None,
    )


def _names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def _held(row: HoldRow, cameras: list[str], range_: TimeRange, expires: Instant | None) -> Hold:
    return Hold(
        row.hold_id,
        tuple(cameras),
        range_,
        row.case_name,
        row.reason,
        row.owner,
        row.created_ns,
        expires,
        row.released_ns,
        row.released_by,
    )
