"""Exports: bundles of evidence that are asked for, made by and by, and fetched."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from fastapi import Request, Response

from recorder.access.decide import Decision, Everything
from recorder.access.permissions import Permission as P
from recorder.api.deps import AppDep, ReadersDep, bounded, instant_at
from recorder.api.described import Answers, Headers, footage, header
from recorder.api.footage import Footage, Readers, first_checked
from recorder.api.gate import Gate, GateDep, needs
from recorder.api.heads import is_head
from recorder.api.paging import PAGED, PagedDep
from recorder.api.ranges import Part, part_of
from recorder.api.routing import Routes
from recorder.api.sent import ExportBody
from recorder.app import App
from recorder.errors import NotFound, RequestError, StateError
from recorder.exports import asking
from recorder.model.caller import CallerKind
from recorder.model.checks import check_text
from recorder.model.exports import Export, read_wanted
from recorder.model.keys import CameraId, StreamId
from recorder.model.masks import masks_digest, show_mask
from recorder.model.places import spool_of
from recorder.model.shown_exports import ShownExport, ShownExportKey
from recorder.model.timebase import TimeRange
from recorder.reading.extent import Block, lend

router = Routes(prefix="/api/v1/exports", tags=("exports",))

ZIP = "application/zip"
EXAMPLE = {
    "id": "4d5eff7e-020f-4500-a9eb-f601cf4250bd",
    "state": "waiting",
    "cameras": ["north/gate"],
    "labels": {"north/gate": "East gate"},
    "stream": None,
    "start": "2026-01-05T14:00:00.000000000Z",
    "end": "2026-01-05T15:00:00.000000000Z",
    "case": "12/2026",
    "purpose": "robbery at the east gate",
    "masked": False,
    "mark": False,
    "onvif": False,
    "c2pa": False,
    "timestamp": True,
    "who": "user:ana",
    "node": None,
    "asked": "2026-01-05T14:59:30Z",
    "deadline": "2026-01-06T14:59:30Z",
    "began": None,
    "ended": None,
    "expires": None,
    "done_bytes": 0,
    "all_bytes": None,
    "waits_for": "north/gate/main: the end of the range is still being recorded",
    "failed_for": None,
    "failed_as": None,
    "problems": [],
    "bytes": None,
    "sha256": None,
    "fingerprint": None,
}
_SHOWN: dict[str, object] = {"content": {"application/json": {"example": EXAMPLE}}}
ASKED: Answers = {202: {**_SHOWN, "headers": {"Location": header("Where it says how far it is.")}}}
DIGESTED: Headers = {"ETag": header("Strong: the SHA-256 of the zip.")}
BUNDLE = footage("The bundle.", (ZIP,), DIGESTED)


@router.post(
    "",
    status_code=202,
    responses=ASKED,
    dependencies=[needs(P.FOOTAGE_EXPORT, scoped=True, later=True)],
)
def ask_export(body: ExportBody, app: AppDep, gate: GateDep, response: Response) -> ShownExport:
    """Ask for a bundle of evidence: it is made by and by, and then lies there to be fetched.

    Its footage is held from now on.  What is still to come, or lies in a store or at a site that
    is away, is waited for, as long as ``wait`` says: ``waits_for`` says what it is.
    """
    wanted = read_wanted(body, _range(app, body))
    site = body.get("site")
    site = check_text(site, "site", 63) if site is not None else None
    gate.saying(wanted.purpose)
    found = [
        gate.named(one, wanted.stream or None, site, wanted.range, masked=wanted.form.masked)
        for one in wanted.cameras
    ]
    cameras = tuple(dict.fromkeys(str(one.stream.camera_id) for one in found))
    made = asking.ask(app, gate.caller, replace(wanted, cameras=cameras))
    response.headers["Location"] = f"/api/v1/exports/{made.export_id}"
    return asking.shown(app, [made])[0]


def _range(app: App, body: dict[str, object]) -> TimeRange:
    now = app.clock.now()
    start, end = (
        instant_at(check_text(body.get(name), name, 64), name, now) for name in ("start", "end")
    )
    if end <= start:
        raise RequestError("end: is not after start")
    return bounded(TimeRange(start, end))


@router.get("", responses=PAGED, dependencies=[needs(P.FOOTAGE_EXPORT, scoped=True, later=True)])
def list_exports(app: AppDep, gate: GateDep, paged: PagedDep) -> list[ShownExport]:
    """List one's own exports, and those of cameras that one may export; the newest first."""
    seen = [one for one in asking.all_of(app) if _sees(gate, one)]
    return asking.shown(app, paged.of(seen, lambda one: one.export_id))


@router.get("/key", dependencies=[needs(P.PUBLIC)])
def read_export_key(app: AppDep) -> ShownExportKey:
    """Read the key that signs this site's bundles; tell its fingerprint some other way, too."""
    return asking.show_key(app)


@router.get(
    "/{export_id}",
    responses={200: _SHOWN},
    dependencies=[needs(P.FOOTAGE_EXPORT, scoped=True, later=True)],
)
def read_export(export_id: str, app: AppDep, gate: GateDep) -> ShownExport:
    """Read how far an export is: what it waits for, or why it failed."""
    return asking.shown(app, [_found(app, gate, export_id)])[0]


@router.delete(
    "/{export_id}", status_code=204, dependencies=[needs(P.FOOTAGE_EXPORT, scoped=True, later=True)]
)
def remove_export(export_id: str, app: AppDep, gate: GateDep) -> None:
    """Take an export back: it is made no further, its bundle goes; the log has the record."""
    found = _found(app, gate, export_id)
    if not _owns(gate, found) and not gate.decide(Everything(), P.SYSTEM_WRITE).allowed:
        gate.refuse(Decision(False, "only who asked for an export takes it back, or an admin"))
    asking.remove(app, gate.caller, found)


@router.get(
    "/{export_id}/bundle.zip",
    response_class=Response,
    responses=BUNDLE,
    dependencies=[needs(P.FOOTAGE_EXPORT, scoped=True, later=True)],
)
def read_bundle(
    export_id: str, request: Request, app: AppDep, gate: GateDep, readers: ReadersDep
) -> Response:
    """Fetch a bundle, as a zip: grants are looked at again, and it stands in the log.

    ``Range`` goes on where a line broke.  Any node of the site answers; one that does not have
    it asks the one that does.
    """
    found = _found(app, gate, export_id)
    if _owns(gate, found) and not gate.caller.purpose:
        gate.saying(found.wanted.purpose)
    for camera in found.wanted.camera_ids:
        _check(gate, found, camera)
    ready = asking.ready(found)
    part = _part(request, ready)
    if part.empty or is_head(request):
        return Response(status_code=part.status, headers=dict(part.headers), media_type=ZIP)
    blocks = first_checked(_blocks(app, ready, part), lambda: None)
    try:
        _note(app, gate, ready)
    except BaseException:
        blocks.close()
        raise
    return _answer(blocks, readers, part)


@router.get(
    "/{export_id}/bytes",
    response_class=Response,
    include_in_schema=False,
    dependencies=[needs(P.FOOTAGE_VIEW)],
)
def read_bundle_bytes(
    export_id: str, request: Request, app: AppDep, gate: GateDep, readers: ReadersDep
) -> Response:
    """Read bytes of a bundle of this node: for other nodes of its site, which let people in."""
    if gate.caller.kind is not CallerKind.NODE:
        raise NotFound(asking.missing(export_id))
    ready = asking.ready(asking.find(app, export_id))
    part = _part(request, ready)
    if part.empty or is_head(request):
        return Response(status_code=part.status, headers=dict(part.headers), media_type=ZIP)
    blocks = first_checked(_here(app, ready, part), lambda: None)
    return _answer(blocks, readers, part)


def _check(gate: Gate, found: Export, camera: CameraId) -> None:
    """Refuse a bundle to who may not, by its grants of now, have the footage of a camera in it.

    Who may have masked copies alone gets what hides as much as a copy would that is made now.
    """
    masked, asked = found.wanted.form.masked, found.wanted.range
    gate.check(camera, asked, missing=asking.missing(found.export_id), masked=masked)
    hides = masks_digest([show_mask(one) for one in gate.privacy(camera).masks])
    burnt = dict(found.made.masks).get(str(camera)) if found.made is not None else hides
    if masked and burnt != hides and not gate.decide(gate.of(camera, asked)).allowed:
        said = f"camera {camera} has other masks now than are burnt into this: ask for it anew"
        gate.refuse(Decision(False, said))


def _answer(blocks: Generator[Block, None, None], readers: Readers, part: Part) -> Footage:
    return Footage(blocks, readers, part.status, {**part.headers, "Content-Type": ZIP})


def _part(request: Request, ready: Export) -> Part:
    assert ready.made is not None  # noqa: S101 - else it is not ready
    said = f'attachment; filename="{ready.export_id}.zip"'
    etag = f'"{ready.made.digest}"'
    headers = {"Content-Disposition": said}
    return part_of(request.headers, ready.made.size_bytes, etag, headers)


def _blocks(app: App, ready: Export, part: Part) -> Generator[Block, None, None]:
    """Yield bytes of a bundle, from wherever it lies.

    Raises: ``StateError`` where nobody says how that node is reached.
    """
    if ready.node == app.settings.node:
        yield from _here(app, ready, part)
        return
    there = app.remote_site(spool_of(ready.node))
    if there is None:
        raise StateError(
            f"export {ready.export_id}: lies at node {ready.node}, whose address is not known here",
            hint="ask that node, or set its node_url",
        )
    yield from there.export(ready.export_id, part.start, part.end - part.start)


def _here(app: App, ready: Export, part: Part) -> Generator[Block, None, None]:
    path = app.bundles.zip(ready.export_id)
    if path is None:
        raise NotFound(
            f"export {ready.export_id}: its bundle is not in {app.bundles.root} any more",
            hint="ask for it anew",
        )
    yield from lend(path.open("rb"), part.start, part.end - part.start, path.name)


def _note(app: App, gate: Gate, ready: Export) -> None:
    """Write into the log that somebody takes a bundle: of each camera, once for a look."""
    wanted, id_ = ready.wanted, ready.export_id
    for one in wanted.camera_ids:
        stream = StreamId(one.site, one.camera, wanted.stream or "main")
        way = f"export.download {id_}"
        app.book.look(
            gate.caller,
            "export.download",
            stream,
            wanted.range,
            way=way,
            export=id_,
            case=wanted.case,
        )


def _owns(gate: Gate, export: Export) -> bool:
    """Tell whether it is the caller's own."""
    return export.who == str(gate.caller)


def _sees(gate: Gate, export: Export) -> bool:
    """Tell whether a caller may know of an export: his own, or of cameras that he may export."""
    return gate.everywhere or _owns(gate, export) or all(map(gate.sees, export.wanted.camera_ids))


def _found(app: App, gate: Gate, export_id: str) -> Export:
    found = asking.find(app, export_id)
    if not _sees(gate, found):
        raise NotFound(
            asking.missing(export_id),
            hint=asking.EXPORTS_LISTED,
        )
    return found
