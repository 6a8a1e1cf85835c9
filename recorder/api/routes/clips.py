"""Clips: exact, with a known length, any range of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from recorder.api.deps import AppDep, RangeDep, ReadersDep, SiteQuery, StreamQuery
from recorder.api.footage import Footage, Readers, first_checked
from recorder.api.ranges import parse_range
from recorder.api.schemas import show_gap, show_part, show_range
from recorder.app import App
from recorder.errors import HasGaps
from recorder.export.archive import stream_zip
from recorder.export.clip import Clip, make_clip, make_native
from recorder.model.keys import StreamId
from recorder.model.timebase import TimeRange, format_instant
from recorder.reading.named import Named

router = APIRouter(prefix="/api/v1", tags=["fetch"])

GapsQuery = Annotated[
    Literal["skip", "fail"],
    Query(description="skip: join what there is; fail: refuse (409) when anything is missing."),
]
FormatQuery = Annotated[
    Literal["mp4", "fmp4", "zip"],
    Query(description="mp4: exact; fmp4: stored fragments, untouched; zip: one mp4 per span."),
]


def _gaps(app: App, named: Named, asked: TimeRange) -> list[dict[str, Any]]:
    line = app.view.timeline(named.stream, asked, named.document)
    gaps = [show_gap(gap) for gap in line.gaps]
    if line.range.end < asked.end:
        future = TimeRange(line.range.end, asked.end)
        gaps.append({**show_range(future), "cause": "not-yet"})
    return gaps


def _refuse_gaps(app: App, named: Named, asked: TimeRange) -> None:
    gaps = _gaps(app, named, asked)
    if gaps:
        first = gaps[0]
        raise HasGaps(
            f"{named.stream.camera}: {len(gaps)} gap(s) in the range, "
            f"the first from {first['start']} to {first['end']} ({first['cause']})",
            hint="ask with gaps=skip, or for a range without gaps",
        )


@router.api_route("/cameras/{camera}/clip.mp4", methods=["GET", "HEAD"], response_class=Response)
def read_clip(
    camera: str,
    asked: RangeDep,
    app: AppDep,
    request: Request,
    readers: ReadersDep,
    stream: StreamQuery = None,
    site: SiteQuery = None,
    gaps: GapsQuery = "skip",
    format: FormatQuery = "mp4",
) -> Response:
    """The frames of a range as one MP4: exact start and end, length known, seekable.

    Nothing is re-encoded.  Gaps are skipped; the true times of every stretch are at the
    address in the ``Link`` header.
    """
    named = app.named(camera, stream, site)
    name = named.stream
    if gaps == "fail":
        _refuse_gaps(app, named, asked)
    if format == "zip":
        return _zip(app, name, asked)
    found = app.view.find_some(name, asked)
    try:
        make = make_native if format == "fmp4" else make_clip
        clip = readers.prepared.clip(make, app.view, found, asked)
    except BaseException:
        found.close()
        raise
    return _answer(clip, name, asked, request, readers)


def _answer(
    clip: Clip, name: StreamId, asked: TimeRange, request: Request, readers: Readers
) -> Response:
    etag = clip.file.etag
    size = clip.file.size
    headers = {
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'inline; filename="{_file_name(name, clip)}"',
        "Link": f'<{_sidecar(name, asked)}>; rel="describedby"; type="application/json"',
    }
    if _matches(request.headers.get("if-none-match"), etag):
        clip.close()
        return Response(status_code=304, headers=headers)
    wanted = request.headers.get("range")
    if wanted is not None and request.headers.get("if-range", etag) != etag:
        wanted = None
    chosen = parse_range(wanted, size)
    if chosen == "unsatisfiable":
        clip.close()
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    start, end = chosen if isinstance(chosen, tuple) else (0, size)
    status = 206 if isinstance(chosen, tuple) else 200
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        clip.close()
        return Response(status_code=status, headers=headers, media_type="video/mp4")
    return Footage(first_checked(clip.blocks(start, end), clip.close), readers, status, headers)


def _matches(given: str | None, etag: str) -> bool:
    return given is not None and (given.strip() == "*" or etag in given)


def _file_name(name: StreamId, clip: Clip) -> str:
    start = format_instant(clip.parts[0].range.start, 0).replace(":", "").replace("-", "")
    return f"{name.camera}_{start}.mp4"


def _sidecar(name: StreamId, asked: TimeRange) -> str:
    query = f"start={format_instant(asked.start, 9)}&end={format_instant(asked.end, 9)}"
    query += f"&stream={quote(name.stream)}&site={quote(name.site)}"
    return f"/api/v1/cameras/{quote(name.camera)}/clip.json?{query}"


def _zip(app: App, name: StreamId, asked: TimeRange) -> Response:
    found = app.view.find_some(name, asked)
    found.close()
    headers = {"Content-Disposition": f'attachment; filename="{name.camera}.zip"'}
    blocks = first_checked(stream_zip(app.view, name, asked), lambda: None)
    return StreamingResponse(blocks, headers=headers, media_type="application/zip")


@router.get("/cameras/{camera}/clip.json")
def read_clip_times(
    camera: str,
    asked: RangeDep,
    app: AppDep,
    stream: StreamQuery = None,
    site: SiteQuery = None,
) -> dict[str, Any]:
    """The true times of a clip: which stretch of the file shows which stretch of time."""
    named = app.named(camera, stream, site)
    name = named.stream
    found = app.view.find_some(name, asked)
    with found:
        clip = make_clip(app.view, found, asked)
    parts = clip.parts
    return {
        "camera": name.camera,
        "stream": name.stream,
        "asked": show_range(asked),
        "first_frame": format_instant(parts[0].range.start),
        "end": format_instant(parts[-1].range.end),
        "bytes": clip.file.size,
        "etag": clip.file.etag,
        "parts": [show_part(part) for part in parts],
        "gaps": _gaps(app, named, asked),
    }
