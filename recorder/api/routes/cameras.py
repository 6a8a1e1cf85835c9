"""Cameras: what should be recorded, and how it is doing."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response

from recorder.access.permissions import Permission as P
from recorder.api.clean_json import CleanJson
from recorder.api.deps import AppDep, AuthorDep, IfMatch, NewOnly, SiteQuery, quick
from recorder.api.described import VERSIONED, Answers
from recorder.api.gate import Gate, GateDep, needs
from recorder.api.paging import MOST, PAGED, CursorQuery, LimitQuery, linked, page_of
from recorder.api.routing import Routes
from recorder.api.sent import CameraBody, CameraPatchBody
from recorder.api.shown_cameras import ShownCamera, ShownChanged
from recorder.app import App
from recorder.audit.entry import Subject
from recorder.errors import NotFound, RequestError
from recorder.model.camera_document import parse_camera, show_camera
from recorder.model.keys import CameraId, check_name
from recorder.model.versions import Expected, meant_for
from recorder.reading.named import read_asked
from recorder.sites import listing, survey
from recorder.sites.below import put_below, read_below, remove_below
from recorder.sites.changing import change_below, show_changed
from recorder.sites.shown import show_seen

WRITTEN: Answers = {
    **VERSIONED,
    201: {"model": ShownChanged, "description": "It is new."},
}

router = Routes(prefix="/api/v1", tags=("cameras",))

State = Literal["dark", "failing", "stopped", "unknown", "connecting", "recording", "off"]


async def filter_of(
    site: Annotated[str | None, Query(description="Only cameras of this site.")] = None,
    group: Annotated[str | None, Query(description="Only cameras of this group.")] = None,
    state: Annotated[State | None, Query(description="Only cameras in this state.")] = None,
    q: Annotated[str | None, Query(max_length=256, description="Text that is searched.")] = None,
    below: Annotated[bool, Query(description="Also those of sites below this one.")] = True,
) -> listing.Filter:
    """Read which cameras a request asks for."""
    return listing.Filter(site, group, state, q, below)


@router.get(
    "/cameras",
    response_model=list[ShownCamera],
    responses=PAGED,
    dependencies=[needs(P.CAMERA_READ, scoped=True)],
)
@quick
def list_cameras(
    request: Request,
    response: Response,
    app: AppDep,
    asked: Annotated[listing.Filter, Depends(filter_of)],
    limit: LimitQuery = MOST,
    cursor: CursorQuery = None,
    *,
    gate: GateDep,
) -> CleanJson:
    """List the cameras of this site and of all sites below it, each with how it does.

    ``present`` says ``state``, ``since``, ``cause``, and ``dark``: it should be recorded now and
    is not.  Where a site is not heard its cameras are ``unknown``.  Those of sites below have no
    document here.  The header ``Link`` with ``rel="next"`` leads to the rest of a long list.
    """
    own = app.settings.site
    found = survey.survey(app.catalog, own, app.site_clock.now())
    chosen = listing.choose(seen_of(gate, found), own, asked)
    if cursor is not None:
        chosen = listing.after(chosen, own, read_asked(cursor, None))
    page = page_of(chosen, limit, lambda one: str(one.camera), request, response)
    return CleanJson([show_seen(one) for one in page], headers=linked(response))


@router.get(
    "/cameras/{camera}",
    response_model=ShownCamera,
    responses=VERSIONED,
    dependencies=[needs(P.CAMERA_READ, scoped=True)],
)
@quick
def read_camera(camera: str, app: AppDep, gate: GateDep, site: SiteQuery = None) -> CleanJson:
    """Read one camera; its version is the ETag."""
    own = app.settings.site
    found = seen_of(gate, survey.survey(app.catalog, own, app.site_clock.now()))
    one = listing.find(found, own, read_asked(camera, site))
    headers = {"ETag": f'"{one.document.version}"'} if one.document is not None else {}
    return CleanJson(show_seen(one), headers=headers)


@router.put(
    "/cameras/{camera}",
    response_model=ShownChanged,
    responses=WRITTEN,
    dependencies=[needs(P.CAMERA_WRITE, scoped=True)],
)
def write_camera(
    camera: str,
    body: CameraBody,
    app: AppDep,
    response: Response,
    author: AuthorDep,
    gate: GateDep,
    site: SiteQuery = None,
    if_match: IfMatch = None,
    if_none_match: NewOnly = None,
) -> dict[str, object]:
    """Add a camera, or replace its document; recording follows within seconds.

    ``If-Match`` with the ETag that was read refuses to overwrite another's change,
    ``If-None-Match: *`` a camera that there is (412).  ``changes`` says what differs,
    ``retention`` how this site's footage of it is kept then.  A secret sent as ``********`` stays
    as it is.  With the ``site`` of another one below, that site is asked to record it.
    """
    _check_site(body, site or app.settings.site)
    check_change(gate, app, camera, site, body)
    if site not in (None, app.settings.site):
        asked, now = CameraId(str(site), camera), app.clock.now()
        own, new = app.settings.site, if_none_match is not None
        one = read_below(app.catalog, own, asked, body, now, new=new)
        about, shown = Subject(asked.site, camera), show_camera(one)
        with app.book.doing(gate.caller, "camera.ask", about, author=author, document=shown):
            below = put_below(app.catalog, asked.site, one, author, now, Expected(if_match))
        return {**below, "changes": [], "retention": []}
    old = app.catalog.cameras.get(camera)
    parsed = parse_camera(camera, body, old)
    action = "camera.add" if old is None else "camera.change"
    about, shown = Subject(app.settings.site, camera), show_camera(parsed)
    with app.book.doing(gate.caller, action, about, author=author, document=shown):
        at = meant_for(if_match, old.version if old is not None else 0, f"put camera {camera}")
        new = if_none_match is not None
        said = app.changer.put(parsed, author, app.clock.now(), at, replacing=not new)
    response.status_code = 200 if said.before is not None else 201
    response.headers["ETag"] = f'"{said.after.version}"'
    return {**show_camera(said.after), **show_changed(said)}


def _check_site(body: dict[str, object], meant: str) -> None:
    """Refuse a document of another site's camera, as a list shows it.

    Raises: ``RequestError``.
    """
    said = body.get("site")
    if said not in (None, meant):
        raise RequestError(
            f"site: the document is of {str(said)[:63]!r}, and is sent to {meant}",
            hint="say ?site=SITE, or leave it out of the document",
        )


def seen_of(gate: Gate, found: Iterable[survey.CameraSeen]) -> list[survey.CameraSeen]:
    """Return the cameras that a caller may know of."""
    return [one for one in found if gate.sees(one.camera, one.group)]


def check_change(
    gate: Gate, app: App, camera: str, site: str | None, body: dict[str, object]
) -> None:
    """Refuse a change of a camera that is out of reach, or would be then.

    Raises: ``NotFound``; ``NotAllowed``.
    """
    if gate.everywhere:
        return
    own = app.settings.site
    known = app.catalog.cameras.get(camera) if site in (None, own) else None
    meant = CameraId(site or own, camera)
    if known is not None:
        gate.check(meant, group=known.group, missing=f"no camera {camera!r}")
    if known is None or "group" in body:
        group = str(body.get("group") or "")
        gate.check(meant, group=group, missing=f"no camera {camera!r}")


@router.patch(
    "/cameras/{camera}",
    response_model=ShownChanged,
    responses=VERSIONED,
    dependencies=[needs(P.CAMERA_WRITE, scoped=True)],
)
def change_camera(
    camera: str,
    body: CameraPatchBody,
    app: AppDep,
    response: Response,
    author: AuthorDep,
    gate: GateDep,
    site: SiteQuery = None,
    dry_run: Annotated[bool, Query(description="Only say what would change.")] = False,
    if_match: IfMatch = None,
) -> dict[str, object]:
    """Change what is named and nothing else (RFC 7396, JSON Merge Patch).

    ``null`` takes a field back to its default; a stream's fields at the top mean ``main``.
    ``changes`` says what differs, ``retention`` how this site's footage of it is kept then.
    """
    now, patch = app.clock.now(), body
    _check_site(patch, site or app.settings.site)
    check_change(gate, app, camera, site, patch)
    if site not in (None, app.settings.site):
        asked, about = app.catalog.child_cameras, Subject(str(site), camera)
        with _changing(gate, about, patch, author, dry_run):
            said, version = change_below(
                asked, str(site), camera, patch, author, now, Expected(if_match), dry=dry_run
            )
        return {**show_camera(said.after), **show_changed(said), "version": version}
    about = Subject(app.settings.site, camera)
    with _changing(gate, about, patch, author, dry_run), _saying_where(gate, camera):
        old = app.catalog.cameras.get(camera) if if_match is not None else None
        at = meant_for(if_match, old.version, f"change camera {camera}") if old else None
        said = app.changer.change(camera, patch, author, now, at, dry=dry_run)
    if not dry_run:
        response.headers["ETag"] = f'"{said.after.version}"'
    return {**show_camera(said.after), **show_changed(said)}


def _saying_where(gate: Gate, camera: str) -> AbstractContextManager[None]:
    app = gate.app

    def found() -> list[survey.CameraSeen]:
        now = app.site_clock.now()
        return seen_of(gate, survey.survey(app.catalog, app.settings.site, now))

    return listing.saying_where(found, camera)


def _changing(
    gate: Gate, about: Subject, patch: dict[str, object], author: str, dry: bool
) -> AbstractContextManager[None]:
    """Write a change into the audit log: which fields, not what they say, for some are secrets."""
    if dry:
        return nullcontext()
    book, fields = gate.app.book, sorted(patch)
    return book.doing(gate.caller, "camera.change", about, author=author, fields=fields)


@router.delete(
    "/cameras/{camera}", status_code=204, dependencies=[needs(P.CAMERA_WRITE, scoped=True)]
)
def remove_camera(
    camera: str,
    app: AppDep,
    author: AuthorDep,
    gate: GateDep,
    site: SiteQuery = None,
    if_match: IfMatch = None,
) -> None:
    """Stop recording a camera and forget its document; its footage stays.

    ``If-Match`` with the ETag that was read refuses to remove what another changed (412).
    """
    check_name(camera, "camera")
    check_change(gate, app, camera, site, {})
    if site not in (None, app.settings.site):
        about = Subject(str(site), camera)
        with app.book.doing(gate.caller, "camera.ask-remove", about, author=author):
            below = CameraId(str(site), camera)
            remove_below(app.catalog, below, author, app.clock.now(), Expected(if_match))
        return
    about = Subject(app.settings.site, camera)
    doing = app.book.doing(gate.caller, "camera.remove", about, author=author)
    with doing, _saying_where(gate, camera):
        if not app.catalog.cameras.delete(camera, Expected(if_match)):
            raise NotFound(f"no camera {camera!r} at this site")
