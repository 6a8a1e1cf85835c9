"""Clips: exact, with a known length, any range of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from recorder.access.permissions import Permission as P
from recorder.api.burning import Burnt, BurntDep, burn_for, burnt_answer, check_format
from recorder.api.deps import (
    AppDep,
    CallerDep,
    ReadersDep,
    SiteQuery,
    StreamQuery,
    reads_footage,
)
from recorder.api.described import TIMES, footage
from recorder.api.footage import Footage, Readers, first_checked
from recorder.api.gate import GateDep, needs
from recorder.api.happened import EventRange
from recorder.api.heads import is_head
from recorder.api.ranges import part_of
from recorder.api.routing import Routes
from recorder.api.telling import links, missing_headers
from recorder.api.waiting import WaitedRange
from recorder.app import App
from recorder.export.archive import stream_zip
from recorder.export.burnt import NOTHING, Burn
from recorder.export.clip import Clip, make_clip, make_native
from recorder.export.identity import show_part, show_sources, sources_digest
from recorder.model.caller import Caller
from recorder.model.keys import StreamId
from recorder.model.missing import Missing, show_missing
from recorder.model.shown import ShownClip
from recorder.model.timebase import TimeRange, format_instant, show_range
from recorder.reading.absent import explained, look, refuse_gaps
from recorder.reading.named import Named

router = Routes(prefix="/api/v1", tags=("fetch",))


@dataclass(frozen=True, slots=True)
class Asker:
    """A request, who makes it, and what is to be burnt into the answer."""

    request: Request
    caller: Caller
    burnt: Burnt


async def asker_of(request: Request, caller: CallerDep, burnt: BurntDep) -> Asker:
    """Say who makes a request."""
    return Asker(request, caller, burnt)


AskerDep = Annotated[Asker, Depends(asker_of)]

EVENT_BASE = "../../"
"""From an event's clip to where cameras are."""
CLIP = footage("The clip.", ("video/mp4", "application/zip"), TIMES)

GapsQuery = Annotated[
    Literal["skip", "fail"],
    Query(description="skip: join what there is; fail: refuse (409) when anything is missing."),
]
FormatQuery = Annotated[
    Literal["mp4", "fmp4", "zip"],
    Query(description="mp4: exact; fmp4: stored fragments, untouched; zip: one mp4 per span."),
]


@router.get(
    "/cameras/{camera}/clip.mp4",
    response_class=Response,
    responses=CLIP,
    dependencies=[needs(P.FOOTAGE_EXPORT, scoped=True)],
)
@reads_footage
def read_clip(
    camera: str,
    asked: WaitedRange,
    asker: AskerDep,
    readers: ReadersDep,
    stream: StreamQuery = None,
    site: SiteQuery = None,
    gaps: GapsQuery = "skip",
    format: FormatQuery = "mp4",
    *,
    gate: GateDep,
) -> Response:
    """The frames of a range as one MP4: exact start and end, length known, seekable.

    Nothing is re-encoded, unless ``masked`` or ``mark`` is asked for: then it is a copy of ten
    minutes at most, in H.264, each frame with the time it had.

    Gaps are skipped, and said: ``X-Gaps``, ``X-Covered-Seconds``, ``X-Missing-Seconds``, and the
    first of them in ``X-Missing``; all of them, and the true times of every stretch, are at the
    addresses in ``Link``.  A range that goes on after now has what is there by then, and ends with
    ``not-yet``; where nothing is there yet the answer is 503 with ``Retry-After``, where nothing
    will be it is 404.  ``wait`` waits for it.
    """
    named = gate.named(camera, stream, site, asked, masked=asker.burnt.masked)
    burn = burn_for(gate, named.stream.camera_id, asker.burnt)
    return _clip(_Asked(gate.app, named, asked, asker, format, burn), readers, gaps)


@router.get(
    "/events/{event_id}/clip.mp4",
    response_class=Response,
    responses=CLIP,
    dependencies=[needs(P.FOOTAGE_EXPORT, scoped=True)],
)
@reads_footage
def read_event_clip(
    asked: EventRange,
    asker: AskerDep,
    readers: ReadersDep,
    stream: StreamQuery = None,
    gaps: GapsQuery = "skip",
    format: FormatQuery = "mp4",
    *,
    gate: GateDep,
) -> Response:
    """The clip of an event in one request: of what it touches, or ``before`` and ``after`` it.

    Answers as the clip of a camera does; ``wait`` waits for what comes after the event.
    """
    named = gate.named(str(asked.camera), stream, None, asked.range, masked=asker.burnt.masked)
    burn = burn_for(gate, named.stream.camera_id, asker.burnt)
    wanted = _Asked(gate.app, named, asked.range, asker, format, burn)
    return _clip(wanted, readers, gaps, EVENT_BASE)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for, and by whom."""

    app: App
    named: Named
    range: TimeRange
    asker: Asker
    format: str
    burn: Burn = NOTHING

    @property
    def request(self) -> Request:
        """The request."""
        return self.asker.request

    def note(self) -> None:
        """Write it into the audit log, before the first byte goes out.

        Raises: ``AuditUnavailable``.
        """
        action = "footage.export" if self.format == "zip" else "footage.clip"
        stream = self.named.stream
        burnt = {"masked": bool(self.burn.masks), "marked": bool(self.burn.mark)}
        said = {name: True for name, there in burnt.items() if there}
        self.app.book.look(
            self.asker.caller,
            action,
            stream,
            self.range,
            format=self.format,
            way=f"{action} {' '.join(said)}" if said else "",
            **said,
        )


def _clip(asked: _Asked, readers: Readers, gaps: str, base: str = "") -> Response:
    app, named, request = asked.app, asked.named, asked.request
    check_format(asked.burn, asked.format)
    name = named.stream
    headers = {"Link": links(name, asked.range, base and base + f"cameras/{name.camera}/")}
    if gaps == "fail" or asked.format == "zip" or _begins(request.headers.get("range")):
        missing = look(app.view, named, asked.range)
        if gaps == "fail":
            refuse_gaps(app.view, named, missing)
        headers |= missing_headers(missing)
        if asked.format == "zip":
            return _zip(asked, missing, headers)
    with explained(app.view, named, asked.range):
        found = app.view.find_some(name, asked.range)
    try:
        make = make_native if asked.format == "fmp4" else make_clip
        clip = readers.prepared.clip(make, app.view, found, asked.range)
    except BaseException:
        found.close()
        raise
    if asked.burn != NOTHING:
        return _burnt(clip, asked, headers, readers)
    return _answer(clip, asked, headers, readers)


def _burnt(clip: Clip, asked: _Asked, headers: dict[str, str], readers: Readers) -> Response:
    """Answer with a copy that is made for this one request."""
    name = _file_name(asked.named.stream, clip).replace(".mp4", "_copy.mp4")
    headers |= {"Cache-Control": "no-store", "Content-Disposition": f'inline; filename="{name}"'}
    try:
        if not is_head(asked.request):
            asked.note()
            return burnt_answer(asked.app, clip, asked.burn, readers, headers)
    finally:
        clip.close()
    return Response(headers=headers, media_type="video/mp4")


def _begins(wanted: str | None) -> bool:
    """Tell whether an answer may have the clip's first bytes; a player's seeks have not."""
    return wanted is None or re.match(r"bytes=(0*[1-9]|-)", wanted) is None


def _answer(clip: Clip, asked: _Asked, headers: dict[str, str], readers: Readers) -> Response:
    name, request = asked.named.stream, asked.request
    said = f'inline; filename="{_file_name(name, clip)}"'
    headers = {"Content-Disposition": said, **headers}
    part = part_of(request.headers, clip.file.size, clip.file.etag, headers)
    if part.empty:
        clip.close()
        return Response(status_code=part.status, headers=dict(part.headers))
    if is_head(request):
        clip.close()
        return Response(status_code=part.status, headers=dict(part.headers), media_type="video/mp4")
    try:
        asked.note()
    except BaseException:
        clip.close()
        raise
    blocks = first_checked(clip.blocks(part.start, part.end), clip.close)
    return Footage(blocks, readers, part.status, part.headers)


def _file_name(name: StreamId, clip: Clip) -> str:
    start = format_instant(clip.parts[0].range.start, 0).replace(":", "").replace("-", "")
    return f"{name.camera}_{start}.mp4"


def _zip(asked: _Asked, missing: Missing, headers: dict[str, str]) -> Response:
    app, name = asked.app, asked.named.stream
    with explained(app.view, asked.named, missing.asked):
        app.view.find_some(name, missing.asked).close()
    headers["Content-Disposition"] = f'attachment; filename="{name.camera}.zip"'
    if is_head(asked.request):
        return Response(headers=headers, media_type="application/zip")
    asked.note()
    blocks = first_checked(stream_zip(app.view, name, missing), lambda: None)
    return StreamingResponse(blocks, headers=headers, media_type="application/zip")


@router.get(
    "/cameras/{camera}/clip.json",
    dependencies=[needs(P.FOOTAGE_VIEW, P.FOOTAGE_EXPORT, scoped=True)],
)
@reads_footage
def read_clip_times(
    camera: str,
    asked: WaitedRange,
    app: AppDep,
    stream: StreamQuery = None,
    site: SiteQuery = None,
    format: Annotated[Literal["mp4", "fmp4"], Query(description="As of the clip.")] = "mp4",
    *,
    gate: GateDep,
) -> ShownClip:
    """The true times of a clip: which stretch of the file shows which stretch of time."""
    make = make_native if format == "fmp4" else make_clip
    named = gate.named(camera, stream, site, asked)
    name = named.stream
    missing = look(app.view, named, asked)
    with explained(app.view, named, asked), app.view.find_some(name, asked) as found:
        clip = make(app.view, found, asked)
    parts = clip.parts
    return {
        "camera": name.camera,
        "stream": name.stream,
        "site": name.site,
        "asked": show_range(asked),
        "first_frame": format_instant(parts[0].range.start),
        "end": format_instant(parts[-1].range.end),
        "bytes": clip.file.size,
        "etag": clip.file.etag,
        "parts": [show_part(part) for part in parts],
        "sources": show_sources(clip.file.segments),
        "sources_sha256": sources_digest(clip.file.segments).strip(),
        **show_missing(missing),
    }
