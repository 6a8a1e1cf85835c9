"""Pictures: single frames, and strips of small ones."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated

from fastapi import Query, Response

from recorder.access.permissions import Permission as P
from recorder.api.burning import BurntDep, burn_for
from recorder.api.clean_json import CleanJson
from recorder.api.deps import (
    AppDep,
    CallerDep,
    RangeDep,
    SiteQuery,
    StreamQuery,
    reads_footage,
)
from recorder.api.described import header, media
from recorder.api.drawing import PICTURES
from recorder.api.gate import GateDep, needs
from recorder.api.routing import Routes
from recorder.api.waiting import WaitedInstant
from recorder.export.burnt import NOTHING, SCRATCH, burnt_picture
from recorder.made import find_ffmpeg
from recorder.model.shown import ShownStrip
from recorder.model.timebase import (
    TimeRange,
    format_instant,
    seconds,
    show_range,
)
from recorder.playback.frame import grab
from recorder.playback.strip import MOST_PICTURES, strip
from recorder.reading.absent import explained

router = Routes(prefix="/api/v1", tags=("fetch",))

WidthQuery = Annotated[
    int, Query(ge=0, le=7680, description="No wider than so, in pixels; 0: as it was recorded.")
]


FRAME = media(
    "The frame.",
    "image/jpeg",
    {
        "X-Frame-Time": header("When the frame was taken, RFC 3339."),
        "X-Camera-Clock-Offset": header("The camera's clock minus ours, s; if it said.", "number"),
    },
)


@router.get(
    "/cameras/{camera}/frame.jpg",
    response_class=Response,
    responses=FRAME,
    dependencies=[needs(P.FOOTAGE_VIEW, scoped=True)],
)
@reads_footage
def read_frame(
    camera: str,
    at: WaitedInstant,
    app: AppDep,
    caller: CallerDep,
    burnt: BurntDep,
    stream: StreamQuery = None,
    site: SiteQuery = None,
    width: WidthQuery = 0,
    *,
    gate: GateDep,
) -> Response:
    """The frame on screen at an instant, as JPEG; its true time is in ``X-Frame-Time``."""
    named = gate.named(camera, stream, site, TimeRange(at, at + 1), masked=burnt.masked)
    burn = burn_for(gate, named.stream.camera_id, burnt)
    ffmpeg = find_ffmpeg(app.settings.capture.ffmpeg)
    with PICTURES.take():
        with explained(app.view, named, TimeRange(at, at + 1)):
            frame = grab(app.view, named.stream, at, ffmpeg, width)
        shown = TimeRange(frame.at, frame.at + 1)
        app.book.look(caller, "footage.frame", named.stream, shown)
        jpeg = (
            frame.jpeg
            if burn == NOTHING
            else burnt_picture(frame.jpeg, burn, ffmpeg, app.spool.root / SCRATCH)
        )
    headers = {"X-Frame-Time": format_instant(frame.at), "Cache-Control": "private, no-cache"}
    if frame.camera_offset_ns is not None:
        headers["X-Camera-Clock-Offset"] = str(seconds(frame.camera_offset_ns))
    return Response(jpeg, media_type="image/jpeg", headers=headers)


@router.get(
    "/cameras/{camera}/strip",
    response_model=ShownStrip,
    dependencies=[needs(P.FOOTAGE_VIEW, scoped=True)],
)
@reads_footage
def read_strip(
    camera: str,
    asked: RangeDep,
    app: AppDep,
    caller: CallerDep,
    stream: StreamQuery = None,
    site: SiteQuery = None,
    count: Annotated[int, Query(ge=1, le=MOST_PICTURES, description="How many pictures.")] = 12,
    width: WidthQuery = 160,
    *,
    gate: GateDep,
) -> CleanJson:
    """Small pictures over a range in one answer: of each part of it the clean point before its
    middle, with its true time; nothing where there is no footage.
    """
    named = gate.named(camera, stream, site, asked)
    ffmpeg = find_ffmpeg(app.settings.capture.ffmpeg)
    with PICTURES.take():
        found = strip(app.view, named.stream, asked, count, ffmpeg, width)
    if any(frame is not None for _, frame in found):
        app.book.look(caller, "footage.strip", named.stream, asked, pictures=count)
    shown: ShownStrip = {
        "camera": named.stream.camera,
        "stream": named.stream.stream,
        "site": named.stream.site,
        **show_range(asked),
        "pictures": [
            {
                "wanted": format_instant(at),
                "at": None if frame is None else format_instant(frame.at),
                "jpeg": None if frame is None else b64encode(frame.jpeg).decode(),
            }
            for at, frame in found
        ],
    }
    return CleanJson(shown)
