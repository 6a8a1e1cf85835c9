"""Where the catalog says one thing twice, and not alike: what follows from other rows and does not.

Spans follow from segments, what events touch from events, what a camera's footage is judged by from
its document.  A row that was altered or lost (a bad sector, a hand in the database) is told so.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from sqlalchemy import Connection, and_, exists, func, or_, select

from recorder.catalog import schema
from recorder.catalog.copy_rows import ON_SEGMENT
from recorder.catalog.database import Database
from recorder.catalog.readable import read_one
from recorder.catalog.touches import touch_rows
from recorder.errors import CatalogDamaged
from recorder.model.keys import ANY_SITE, StreamId
from recorder.model.timebase import TimeRange, format_instant

_SPAN = ("stream_no", "span_ns", "writer")
_ANY_TIME = TimeRange(0, 0)


class SqlAgreeing:
    """A :class:`recorder.ports.Agreeing`."""

    def __init__(self, database: Database, site: str) -> None:
        self._database, self._site = database, site

    def differences(self) -> Iterator[tuple[str, str]]:
        """Yield (what, how) of rows that other rows contradict."""
        with self._database.snapshot() as db:
            found = [*_spans(db), *_torn(db), *_touches(db), *self._groups(db)]
        yield from found

    def _groups(self, db: Connection) -> Iterator[tuple[str, str]]:
        camera, member = schema.camera, schema.member
        query = select(member.c.camera, member.c.group_name, member.c.site)
        said = {(row.camera, row.site): row.group_name for row in db.execute(query)}
        for row in db.execute(select(camera.c.name, camera.c.body).order_by(camera.c.name)):
            anywhere = said.get((row.name, ANY_SITE))  # of a release that knew no sites
            judged_as = said.get((row.name, self._site), anywhere)
            group = row.body.get("group") if isinstance(row.body, dict) else None
            if isinstance(group, str) and group != judged_as:
                judged = "no group" if judged_as is None else f"group {judged_as!r}"
                how = f"judged as of {judged}, its document says {group!r}; write it anew"
                yield f"camera {row.name}", how


def _spans(db: Connection) -> Iterator[tuple[str, str]]:
    """Look for spans that are not what their segments span, and for segments without one."""
    seg, span, stream = schema.segment, schema.span, schema.stream
    rest = select(
        *(seg.c[name] for name in _SPAN),
        func.min(seg.c.start_ns).label("first"),
        func.max(seg.c.end_ns).label("last"),
    )
    made = rest.group_by(*(seg.c[name] for name in _SPAN)).subquery()
    same = and_(*(span.c[name] == made.c[name] for name in _SPAN))
    names = (stream.c.site, stream.c.camera, stream.c.stream)
    differs = or_(
        span.c.span_ns.is_(None),
        span.c.start_ns != made.c.first,
        span.c.end_ns != made.c.last,
    )
    query = (
        select(made.c.first, span.c.start_ns, *names)
        .join(stream, stream.c.stream_no == made.c.stream_no)
        .join(span, same, isouter=True)
        .where(differs)
    )
    for first, shown, *whose in db.execute(query):
        how = "is not shown" if shown is None else "is shown with other ends"
        yield str(StreamId(*whose)), f"footage from {format_instant(first)} on {how}"
    query = (
        select(span.c.start_ns, *names)
        .join(stream, stream.c.stream_no == span.c.stream_no)
        .join(made, same, isouter=True)
        .where(made.c.span_ns.is_(None))
    )
    for row in db.execute(query):
        named = StreamId(*row[1:])
        said = f"footage is shown from {format_instant(row.start_ns)} on, which has no segment"
        yield str(named), said


def _torn(db: Connection) -> Iterator[tuple[str, str]]:
    """Look for rows that name another which is not there."""
    seg, copy, stream, config = schema.segment, schema.copy, schema.stream, schema.config
    lacking = {
        "copies of no segment": select(func.count())
        .select_from(copy.outerjoin(seg, ON_SEGMENT))
        .where(seg.c.stream_no.is_(None)),
        "segments of no stream": select(func.count())
        .select_from(seg.outerjoin(stream, stream.c.stream_no == seg.c.stream_no))
        .where(stream.c.stream_no.is_(None)),
        "segments of no codecs": select(func.count())
        .select_from(seg.outerjoin(config, config.c.config_no == seg.c.config_no))
        .where(config.c.config_no.is_(None)),
    }
    for what, query in lacking.items():
        number = db.execute(query).scalar_one()
        if number:
            yield "catalog", f"{number} {what}; recorder rebuild reads them from the stores"


def _touches(db: Connection) -> Iterator[tuple[str, str]]:
    """Look for events that do not touch what they name, and what is touched by none.

    Event by event, however many there are.
    """
    event, touch = schema.event, schema.touch
    same = touch.c.event_id == event.c.event_id
    said = (event.c.event_id, event.c.site, event.c.kind, event.c.cameras, event.c.removed_ns)
    touched = (touch.c.site.label("at"), touch.c.camera, touch.c.kind.label("of"))
    query = select(*said, *touched).join(touch, same, isouter=True).order_by(event.c.event_id)
    rows = db.execute(query.execution_options(yield_per=1000))
    for event_id, group in groupby(rows, key=lambda row: str(row.event_id)):
        row, *rest = group
        found = {(one.at, one.camera, one.of) for one in (row, *rest) if one.at is not None}
        try:
            gone = row.removed_ns is not None
            wanted = set() if gone else read_one("event", row, lambda one: _wanted(*one[:4]))
            before_sites = {(ANY_SITE, *one[1:]) for one in wanted}
            if found not in (wanted, before_sites):
                yield f"event {event_id}", "touches other footage than it names; change it anew"
        except CatalogDamaged as exc:
            yield f"event {event_id}", str(exc)
    alone = select(touch.c.event_id).where(~exists().where(same)).distinct()
    for event_id in db.execute(alone.order_by(touch.c.event_id)).scalars():
        yield f"event {event_id}", "is not there, and footage counts as touched by it"


def _wanted(event_id: str, site: str, kind: str, cameras: list[str]) -> set[tuple[str, ...]]:
    rows = touch_rows(event_id, site, kind, _ANY_TIME, cameras)
    return {(str(one["site"]), str(one["camera"]), str(one["kind"])) for one in rows}
