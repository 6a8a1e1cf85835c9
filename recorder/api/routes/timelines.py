"""Timelines and coverage."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from recorder.api.deps import AppDep, SiteQuery, StreamQuery, bounded, instant_at, quick
from recorder.api.schemas import show_activity, show_day, show_timeline
from recorder.api.waiting import WaitedRange
from recorder.errors import RequestError
from recorder.model.events import show_event
from recorder.model.timebase import DAY, TimeRange, day_start, seconds, show_range
from recorder.model.timeline import coverage_by_day

router = APIRouter(prefix="/api/v1", tags=["find"])


@router.get("/cameras/{camera}/timeline", response_model=dict[str, Any])
@quick
def read_timeline(
    camera: str,
    asked: WaitedRange,
    app: AppDep,
    stream: StreamQuery = None,
    site: SiteQuery = None,
    activity: Annotated[
        bool, Query(description="Add how much changes in the picture, per GOP; a day at most.")
    ] = False,
) -> JSONResponse:
    """Spans, gaps and events over a range; every gap has a cause; it ends at the present."""
    if activity and asked.duration_ns > DAY:
        raise RequestError("activity is told for a day at most", hint="ask for less at a time")
    named = app.named(camera, stream, site)
    name = named.stream
    line = app.view.timeline(name, asked, named.document)
    shown = show_timeline(named, line, coverage_by_day(line))
    events = app.catalog.events.touching(asked, [name.camera_id])
    shown["events"] = [show_event(event) for event in events]
    if activity:
        with app.view.find(name, asked) as found:
            shown["activity"] = show_activity(found.segments, asked)
    return JSONResponse(shown)  # as it is: there is nothing in it to validate


@router.get("/coverage")
def read_coverage(
    app: AppDep,
    start: Annotated[str | None, Query(description="By default the start of today, UTC.")] = None,
    end: Annotated[str | None, Query(description="By default now.")] = None,
) -> dict[str, Any]:
    """How much of what should have been recorded was, per camera and day."""
    now = app.clock.now()
    begin = instant_at(start, "start") if start is not None else day_start(now)
    stop = instant_at(end, "end") if end is not None else now
    if stop <= begin:
        raise RequestError("end is not after start", hint="start must lie in the past")
    asked = bounded(TimeRange(begin, stop))
    rows = []
    for stream, document in app.known_streams():
        line = app.view.timeline(stream, asked, document)
        rows.append(
            {
                "camera": stream.camera,
                "stream": stream.stream,
                "site": stream.site,
                "covered_seconds": seconds(line.covered_ns),
                "days": [show_day(day) for day in coverage_by_day(line)],
            }
        )
    return {**show_range(asked), "cameras": rows}
