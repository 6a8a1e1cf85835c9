"""Timelines and coverage."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from fastapi.responses import JSONResponse

from recorder.access.permissions import Permission as P
from recorder.api.deps import (
    AppDep,
    SiteQuery,
    StreamQuery,
    ZoneQuery,
    bounded,
    instant_at,
    quick,
)
from recorder.api.described import example
from recorder.api.gate import GateDep, needs
from recorder.api.happened import all_shown_to
from recorder.api.paging import PAGED, PagedDep
from recorder.api.routing import Routes
from recorder.api.schemas import events_on, show_activity, show_covered, show_timeline
from recorder.api.waiting import WaitedRange
from recorder.errors import RequestError
from recorder.model.shown import ShownCoverage, ShownTimeline
from recorder.model.timebase import DAY, TimeRange, day_start, format_instant, show_range
from recorder.model.timeline import coverage_by_day

router = Routes(prefix="/api/v1", tags=("find",))

_DAY = {
    "day": "2026-01-05",
    "expected_seconds": 60.0,
    "covered_seconds": 58.2,
    "coverage": 0.97,
    "gap_seconds": {"source": 1.8},
}
LINE = example(
    {
        "camera": "gate",
        "stream": "main",
        "site": "post1",
        "label": "Gate at the yard",
        "elsewhere": [],
        "start": "2026-01-05T14:03:00.000000Z",
        "end": "2026-01-05T14:04:00.000000Z",
        "seconds": 60.0,
        "covered_seconds": 58.2,
        "spans": [
            {
                "start": "2026-01-05T14:03:01.800000Z",
                "end": "2026-01-05T14:04:00.000000Z",
                "seconds": 58.2,
                "codecs": "avc1.64001f",
                "open": True,
                "writer": "n1.4",
                "clean_points_only": False,
                "camera_clock_offset_s": -0.21,
            },
        ],
        "gaps": [
            {
                "start": "2026-01-05T14:03:00.000000Z",
                "end": "2026-01-05T14:03:01.800000Z",
                "seconds": 1.8,
                "cause": "source",
            },
        ],
        "days": [_DAY],
        "events": [],
        "events_until": None,
    }
)


@router.get(
    "/cameras/{camera}/timeline",
    response_model=ShownTimeline,
    responses=LINE,
    dependencies=[needs(P.CAMERA_READ, scoped=True)],
)
@quick
def read_timeline(
    camera: str,
    asked: WaitedRange,
    app: AppDep,
    stream: StreamQuery = None,
    site: SiteQuery = None,
    activity: Annotated[
        bool, Query(description="Add how much changes in the picture, per fragment; a day at most.")
    ] = False,
    *,
    gate: GateDep,
) -> JSONResponse:
    """Spans, gaps and events over a range; every gap has a cause; it ends at the present."""
    if activity and asked.duration_ns > DAY:
        raise RequestError("activity is told for a day at most", hint="ask for less at a time")
    named = gate.named(camera, stream, site)
    name = named.stream
    line = app.view.timeline(name, asked, named.document)
    events, until = events_on(app.catalog.events, asked, name.camera_id)
    shown: ShownTimeline = {
        **show_timeline(
            named, line, coverage_by_day(line), app.finder.label(name.camera_id, named.document)
        ),
        "events": all_shown_to(gate, events),
        "events_until": until,
    }
    if activity:
        with app.view.find(name, asked) as found:
            shown["activity"] = show_activity(found.segments, asked)
    return JSONResponse(shown)  # as it is: there is nothing in it to validate


@router.get("/coverage", responses=PAGED, dependencies=[needs(P.CAMERA_READ, scoped=True)])
def read_coverage(
    app: AppDep,
    start: Annotated[str | None, Query(description="By default the start of today, UTC.")] = None,
    end: Annotated[str | None, Query(description="By default now.")] = None,
    zone: ZoneQuery = None,
    *,
    gate: GateDep,
    paged: PagedDep,
) -> ShownCoverage:
    """How much of what should have been recorded was, per camera and day.

    In pages of cameras: each is about the range that the first was about.
    """
    now = app.clock.now()
    begin = instant_at(start, "start", now, zone) if start is not None else day_start(now)
    stop = instant_at(end, "end", now, zone) if end is not None else now
    if stop <= begin:
        raise RequestError("end is not after start", hint="start must lie in the past")
    asked = bounded(TimeRange(begin, stop))
    seen = [one for one in app.finder.known_streams() if gate.sees(one[0].camera_id)]
    fixed = {"start": format_instant(asked.start), "end": format_instant(asked.end)}
    rows = [
        show_covered(
            stream,
            app.view.timeline(stream, asked, document),
            app.finder.label(stream.camera_id, document),
        )
        for stream, document in paged.of(seen, lambda one: str(one[0]), fixed)
    ]
    return {**show_range(asked), "cameras": rows}
