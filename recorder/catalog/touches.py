"""What events touch: which cameras, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, and_, or_, select, true

from recorder.catalog import schema
from recorder.model.events import MOST_ROLL_NS
from recorder.model.holds import is_held
from recorder.model.keys import ANY_SITE, CameraId, read_camera_id
from recorder.model.media import Copy
from recorder.model.timebase import Instant, TimeRange

MOST = 500
"""Events that a statement names."""


def touch_rows(
    event_id: str, site: str, kind: str, touched: TimeRange, cameras: Sequence[str]
) -> list[dict[str, object]]:
    """Return what an event of a site touches; of its cameras those without a site are its own."""
    return [
        {
            **camera._asdict(),
            "start_ns": touched.start,
            "event_id": event_id,
            "end_ns": touched.end,
            "kind": kind,
        }
        for camera in dict.fromkeys(read_camera_id(name, site) for name in cameras)
    ]


def touching_any(cameras: Iterable[CameraId]) -> list[ColumnElement[bool]]:
    """Say which touches are of some cameras: what is said of any site's is of each."""
    by_site: dict[str, list[str]] = {}
    for one in cameras:
        by_site.setdefault(one.site, []).append(one.camera)
    touch = schema.touch.c
    return [
        and_(touch.camera.in_(names), touch.site.in_([site, ANY_SITE]) if site else true())
        for site, names in by_site.items()
    ]


def untouched_since(db: Connection, copies: Sequence[Copy], since: Instant) -> list[Copy]:
    """Return those copies that no event touches which was noted after an instant.

    Of few events that were, few are of so long ago: only then it is looked what they touch.
    """
    if not copies:
        return []
    event, touch = schema.event, schema.touch
    segments = [copy.segment for copy in copies]
    low, high = min(one.start for one in segments), max(one.end for one in segments)
    near = (event.c.end_ns > low - MOST_ROLL_NS, event.c.start_ns < high + MOST_ROLL_NS)
    later = select(event.c.event_id, event.c.start_ns).where(event.c.noted_ns > since, *near)
    begun = {row.event_id: row.start_ns for row in db.execute(later.limit(MOST + 1))}
    if not begun:
        return list(copies)
    query = (
        select(touch.c.site, touch.c.camera, touch.c.start_ns, touch.c.end_ns)
        .where(or_(*touching_any({one.stream.camera_id for one in segments})))
        .where(touch.c.end_ns > low, touch.c.start_ns < high)
    )
    if len(begun) <= MOST:  # else all there are
        first = min(begun.values()) - MOST_ROLL_NS
        query = query.where(touch.c.start_ns >= first, touch.c.event_id.in_(begun))
    found: dict[CameraId, list[TimeRange]] = {}
    for site, camera, start, end in db.execute(query):
        found.setdefault(CameraId(site, camera), []).append(TimeRange(start, end))
    return [copy for copy in copies if not is_held(found, copy.segment)]
