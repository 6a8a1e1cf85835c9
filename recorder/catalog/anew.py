"""All told anew: to a parent that is another, or knows less than it did; and what is believed then.

What this site believes of copies above was said by another, or by one that has forgotten it.  Of
what has a copy here it is forgotten, and sent again if policy wants it.  What lies only above, or
below and above, stays known, in doubt: nothing goes anywhere because of it.  What lies at a site
that is no longer above is told as lying there.
"""

from __future__ import annotations

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from recorder.catalog import schema
from recorder.catalog.copy_rows import DOUBTED
from recorder.model.keys import ANY_SITE
from recorder.model.places import ELSEWHERE_LIKE, PARENT, beginning, former_parent
from recorder.model.timebase import Instant

ANEW = "anew"
"""The kind of the notes before and after all that is told anew."""
KEY = ("stream_no", "start_ns", "writer")


def tell_anew(db: Connection, at: Instant, left: str = "", joined: str = "") -> int:
    """Note everything there is, and take what is believed of copies above as unknown.

    ``left``, ``joined``: the parent that was and the one that is, where that is another site.
    """
    copy = schema.copy
    _note_doubt(db)
    _forget_what_is_here(db)
    if left:
        _rename(db, PARENT, former_parent(left))
    if joined:  # it was above once before: it tells what it still has
        _rename(db, former_parent(joined), PARENT)
        _forget_what_is_here(db)
    db.execute(update(copy).where(_at(PARENT)).values(verified_ns=DOUBTED))
    return note_all(db, at, anew=True)


def note_what_is_here(db: Connection, child: str) -> None:
    """Note for a child what of the footage that is known through it lies here and above.

    Once, however often it says that it has told all: it does until it hears an answer.
    """
    copy, stream, table = schema.copy, schema.stream, schema.downward
    here = or_(copy.c.place.not_like(ELSEWHERE_LIKE), _at(PARENT))
    told = (here, copy.c.condemned_ns.is_(None), copy.c.verified_ns > DOUBTED)
    query = (
        select(stream.c.via, *(copy.c[name] for name in KEY))
        .join(stream, stream.c.stream_no == copy.c.stream_no)
        .where(stream.c.via == child, *told)
        .distinct()
    )
    same = (copy.c[name] == table.c[name] for name in KEY)
    again = select(copy.c.place).where(*same, *told).exists()
    db.execute(delete(table).where(table.c.child == child, table.c.lost.is_(False), again))
    db.execute(insert(table).from_select(["child", *KEY], query))


def _note_doubt(db: Connection) -> None:
    """Note for sites below that what is believed of copies above their footage's is in doubt.

    Whoever has a copy, or spoke of it before, is told, as in
    :meth:`recorder.catalog.changes.Changes.note_below`.
    """
    copy, stream, table = schema.copy, schema.stream, schema.downward
    query = (
        select(stream.c.via, *(copy.c[name] for name in KEY))
        .join(stream, stream.c.stream_no == copy.c.stream_no)
        .where(stream.c.via != "", _at(PARENT))
        .distinct()
    )
    db.execute(insert(table).from_select(["child", *KEY], query))
    other, site = copy.alias("other"), schema.site.c.name
    same = and_(*(other.c[name] == copy.c[name] for name in KEY))
    for child in db.execute(select(site).where(site != PARENT)).scalars().all():
        theirs = other.c.place.startswith(beginning(child), autoescape=True)
        was = ("/" + stream.c.before + "/").contains(f"/{child}/", autoescape=True)
        query = (
            select(literal(child), *(copy.c[name] for name in KEY))
            .join(stream, stream.c.stream_no == copy.c.stream_no)
            .where(stream.c.via.not_in(("", child)), _at(PARENT))
            .where(or_(was, exists().where(same, theirs)))
            .distinct()
        )
        db.execute(insert(table).from_select(["child", *KEY], query))


def _at(site: str) -> ColumnElement[bool]:
    return schema.copy.c.place.startswith(beginning(site), autoescape=True)


def _forget_what_is_here(db: Connection) -> None:
    """Believe no more that what has a copy at this site lies above, too."""
    copy = schema.copy
    here = copy.alias("here")
    also_here = select(here.c.place).where(
        *(here.c[name] == copy.c[name] for name in KEY), here.c.place.not_like(ELSEWHERE_LIKE)
    )
    db.execute(delete(copy).where(_at(PARENT), also_here.exists()))


def _rename(db: Connection, old: str, new: str) -> None:
    """Call the places at a site otherwise; what is known under the new name already is one."""
    copy = schema.copy
    other = copy.alias("other")
    renamed = new + func.substr(copy.c.place, len(old) + 1)
    same = (other.c[name] == copy.c[name] for name in KEY)
    known = exists().where(*same, other.c.place == renamed)
    db.execute(delete(copy).where(_at(old), known))
    db.execute(update(copy).where(_at(old)).values(place=renamed))


def note_all(db: Connection, at: Instant, *, anew: bool = False) -> int:
    """Note everything there is; ``anew``: between two marks that say so."""
    seg, gap, event, member = schema.segment, schema.gap, schema.event, schema.member
    columns = ["kind", "stream_no", "start_ns", "end_ns", "name", "at_ns"]
    camera = case(
        (member.c.site == ANY_SITE, member.c.camera),
        else_=member.c.site + "/" + member.c.camera,
    )
    none, zero, now = literal(None), literal(0), literal(at)
    parts = (
        select(literal("camera"), none, zero, zero, camera, now),
        select(literal("segment"), seg.c.stream_no, seg.c.start_ns, zero, seg.c.writer, now),
        select(literal("gap"), gap.c.stream_no, gap.c.start_ns, gap.c.end_ns, literal(""), now),
        select(literal("event"), none, zero, zero, event.c.event_id, now),
    )
    table = schema.outbox
    own = (
        seg.c.stream_no == table.c.stream_no,
        seg.c.start_ns == table.c.start_ns,
        seg.c.writer == table.c.name,
    )
    there = and_(table.c.kind == "segment", select(seg.c.writer).where(*own).exists())
    # of what is gone, and was not told, there is nothing else that says so
    db.execute(delete(table).where(or_(table.c.kind.in_(("camera", "event", ANEW)), there)))
    mark = {"kind": ANEW, "start_ns": 0, "end_ns": 0, "at_ns": at}
    if anew:
        db.execute(insert(table).values(**mark, name="begin"))
    for part in parts:
        db.execute(table.insert().from_select(columns, part))
    if anew:
        db.execute(insert(table).values(**mark, name="end"))
    return int(db.execute(select(func.count()).select_from(schema.outbox)).scalar_one())
