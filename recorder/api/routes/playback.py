"""Playback: HLS playlists, and the objects they point to."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import Query, Request, Response

from recorder.access.permissions import Permission as P
from recorder.api.deps import (
    AppDep,
    CallerDep,
    RangeDep,
    ReadersDep,
    SiteQuery,
    StreamQuery,
    reads_footage,
)
from recorder.api.described import footage, media
from recorder.api.footage import Footage, first_checked
from recorder.api.gate import GateDep, needs
from recorder.api.heads import is_head
from recorder.api.ranges import parse_range
from recorder.api.routing import Routes
from recorder.app import App
from recorder.errors import NotFound
from recorder.logbook.book import PLAYBACK
from recorder.model.keys import parse_key, stream_of_prefix
from recorder.model.media import Segment
from recorder.model.timebase import (
    HOUR,
    MINUTE,
    SECOND,
    TimeRange,
)
from recorder.playback.hls import Address, Present, playlist, shown_by
from recorder.reading.absent import comes, explained, look
from recorder.reading.found import Found
from recorder.reading.named import Named

router = Routes(prefix="/api/v1", tags=("fetch",))

LAST_BEGIN_S = (2**63 - 1) // SECOND - 60
LATE = 5 * SECOND
"""So long after a range is over the last of it may still come."""
STEADY = 10 * MINUTE
"""So long after it a list names each file as it did while that was growing: hls.js breaks off where
a name has changed."""
PRESIGN_S = 6 * 3600
HLS = "application/vnd.apple.mpegurl"
LIST = media("A media playlist.", HLS)
OBJECT = footage("The object.", ("video/mp4",), {})


@router.get(
    "/cameras/{camera}/playback.m3u8",
    response_class=Response,
    responses=LIST,
    dependencies=[needs(P.FOOTAGE_VIEW, scoped=True)],
)
@reads_footage
def read_playlist(
    camera: str,
    asked: RangeDep,
    app: AppDep,
    caller: CallerDep,
    stream: StreamQuery = None,
    site: SiteQuery = None,
    via: Annotated[
        Literal["proxy", "presigned"],
        Query(
            description="proxy: bytes come through this API; presigned: from the store, of a range "
            "that is over (who follows one that is not asks for proxy: names change as it ends)."
        ),
    ] = "proxy",
    *,
    gate: GateDep,
) -> Response:
    """An HLS playlist over the stored segments; a range that ends in the future stays open.

    It names groups of pictures, each from a clean point to the next; the one that is being
    recorded is named when it is whole.  Each has a URL of its own: new ffmpegs lose frames, and
    do not say so, where a playlist names byte ranges of one URL, as it must where the store is
    asked (``presigned``).
    """
    named = gate.named(camera, stream, site, asked)
    if via == "presigned":  # whoever has such an address may fetch it for hours
        gate.check(named.stream.camera_id, asked, permission=P.FOOTAGE_EXPORT, approvable=False)
    with explained(app.view, named, asked), app.view.find_some(named.stream, asked) as found:
        over = app.clock.now() - asked.end
        live = over < LATE or (over < STEADY and _comes(app, named, asked))
        app.book.look(caller, PLAYBACK, named.stream, asked, live=live, via=via)

        sealed = [one for one in found.segments if one.key not in found.growing]
        signed = _presigned(app, sealed) if via == "presigned" and not live else {}

        def address(segment: Segment, offset: int, size: int) -> Address:
            if segment.key in signed:
                return Address(signed[segment.key])
            # relative: a proxy may put a prefix before all of it
            steady = over < STEADY or segment.key in found.growing
            named = _lasting_name(segment) if steady else f"{quote(segment.key)}?"
            return Address(f"../../objects/{named}bytes={offset}-{offset + size - 1}", own=True)

        growing = found.growing
        segments = [
            growing[one.key].lasting if one.key in growing else one for one in found.segments
        ]
        present = _present(app, named, asked, found) if over < STEADY else None
        text = playlist(segments, asked, address, live, found.before, found.away, present)
    return Response(text, media_type=HLS, headers={"Cache-Control": "no-cache"})


def _comes(app: App, named: Named, asked: TimeRange) -> bool:
    """Tell whether more of a range may come, though it is over: another node has not sealed it."""
    return comes(app.view, named, look(app.view, named, asked))


def _present(app: App, named: Named, asked: TimeRange, found: Found) -> Present:
    """Say what is known of what a list may still be lacking."""
    now, node = app.clock.now(), app.settings.node
    usual_ns = app.settings.capture.segment * SECOND
    late_ns = LATE + max(usual_ns, *(one.range.duration_ns for one in found.segments))
    several = named.document is not None and named.document.critical
    since = min(now, asked.end) - late_ns
    here = app.settings.shared and any(
        one.node == node and one.end > since for one in found.segments
    )
    return Present(now, found.growing.keys(), late_ns, several, node if here else "")


def _lasting(segment: Segment) -> tuple[str, int, int]:
    """Return what of a segment stays when its file is sealed.

    Its start does not: it is known better with all that comes.
    """
    return segment.writer, segment.media_start, segment.init_bytes


def _lasting_name(segment: Segment) -> str:
    path = "/".join(("open", str(segment.stream), *map(str, _lasting(segment))))
    return f"{quote(path)}.mp4?near={segment.start // SECOND}&"  # by that new ffmpegs know media


def _presigned(app: App, segments: Sequence[Segment]) -> dict[str, str]:
    """Return addresses in stores, by key: of copies that are whole, and that stay.

    What has none is read through here, from wherever it is whole.
    """
    found: dict[str, str] = {}
    for key, copies in app.catalog.footage.copies(segments).items():
        well = (one for one in copies if one.damaged_at is None and one.condemned_at is None)
        stored = (app.stores[one.place] for one in well if one.place in app.stores)
        address = next((store.presign(key, PRESIGN_S) for store in stored), None)
        if address is not None:
            found[key] = address
    return found


@router.get(
    "/objects/{key:path}",
    response_class=Response,
    responses=OBJECT,
    dependencies=[needs(P.FOOTAGE_VIEW, scoped=True)],
)
@reads_footage
def read_object(
    key: str,
    app: AppDep,
    request: Request,
    readers: ReadersDep,
    caller: CallerDep,
    avoid: Annotated[str, Query(description="A site that is not to be asked in turn.")] = "",
    bytes_: Annotated[
        str,
        Query(
            alias="bytes",
            pattern=r"^[0-9]{1,18}-[0-9]{1,18}$",
            description="Of these bytes alone, first and last: a fragment with a URL of its own.",
        ),
    ] = "",
    near: Annotated[
        int,
        Query(
            ge=0,
            le=LAST_BEGIN_S,
            description="When it begins, in seconds since 1970, where "
            "it is named as when its file was growing (`open/…`).",
        ),
    ] = 0,
    *,
    gate: GateDep,
) -> Response:
    """Bytes of one segment object, by range, from wherever this site has it."""
    segment, found = _object(app, key, near)
    try:
        name, missing = segment.stream.camera_id, f"no segment {key!r}"
        gate.check(name, missing=missing)  # before anything is said of its size
        begin, size = _slice(bytes_, segment.size_bytes)
        ends = shown_by(segment, begin, begin + size - 1) if bytes_ else None
        gate.check(name, segment.range, ends=ends, missing=missing)
    except BaseException:
        found.close()
        raise
    chosen = parse_range(request.headers.get("range"), size)
    headers = {"Accept-Ranges": "bytes"}
    if chosen == "unsatisfiable":
        found.close()
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    start, end = chosen if isinstance(chosen, tuple) else (0, size)
    status = 206 if isinstance(chosen, tuple) else 200
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    if is_head(request):
        found.close()
        return Response(status_code=status, headers=headers, media_type="video/mp4")
    try:
        around = _hour(segment)
        app.book.look_within(caller, "footage.object", segment.stream, segment.range, around)
    except BaseException:
        found.close()
        raise
    blocks = app.view.blocks(segment, begin + start, end - start, found, avoid)
    return Footage(first_checked(blocks, found.close), readers, status, headers)


def _hour(segment: Segment) -> TimeRange:
    """Return the hours that a segment lies in: its stream's are one look."""
    start = segment.range.start // HOUR * HOUR
    return TimeRange(start, max(start + HOUR, segment.range.end))


def _slice(wanted: str, size: int) -> tuple[int, int]:
    """Return offset and length of the part of an object that a URL names, or all of it.

    Raises: ``NotFound`` where the object has no such part.
    """
    if not wanted:
        return 0, size
    first, last = map(int, wanted.split("-"))
    if not first <= last < size:
        raise NotFound(f"the object has no bytes {wanted}: it has {size}")
    return first, last - first + 1


_NUMBER = re.compile(r"-?[0-9]{1,19}")


def _object(app: App, key: str, near_s: int):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """Find a segment by key, or by the name that a playlist gave it while its file was growing."""
    if key.startswith("open/"):
        pieces = key.removesuffix(".mp4").split("/")
        if len(pieces) == 7 and all(map(_NUMBER.fullmatch, pieces[5:])):
            stream = stream_of_prefix("/".join(pieces[1:4]), app.settings.site)
            begin = near_s * SECOND
            found = app.view.find(stream, TimeRange(max(0, begin - MINUTE), begin + MINUTE))
            which = (pieces[4], int(pieces[5]), int(pieces[6]))
            same = [one for one in found.segments if _lasting(one) == which]
            if same:
                return min(same, key=lambda one: abs(one.start - begin)), found
            found.close()
        raise NotFound("no such object")
    parts = parse_key(key)
    if parts is None or parts.is_end:
        raise NotFound(f"{key!r} is not the key of a segment")
    stream = stream_of_prefix(parts.prefix, app.settings.site)
    known = app.catalog.footage.segment_by_key(stream, parts.start, key)
    if known is not None:
        return known, Found([known])
    found = app.view.find(stream, TimeRange(parts.start, parts.start + 1))
    for segment in found.segments:  # a playlist may name what waits for the catalog
        if segment.key == key:
            return segment, found
    found.close()
    raise NotFound(f"no segment {key!r}")
