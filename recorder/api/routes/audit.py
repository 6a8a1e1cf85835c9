"""The audit log: who looked at what and changed what, and its signed checkpoint."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from recorder.access.permissions import Permission as P
from recorder.api.deps import TIME, AppDep, SiteQuery, ZoneQuery, instant_at, quick
from recorder.api.described import media
from recorder.api.gate import needs
from recorder.api.paging import MOST, PAGED, CursorQuery, LimitQuery, page_of
from recorder.api.schemas import CleanJson
from recorder.api.shown import ShownLogged
from recorder.errors import NotFound
from recorder.logbook.shown import show_logged, when
from recorder.model.checks import read_integer
from recorder.model.keys import read_camera_id
from recorder.ports import AskedEntries

router = APIRouter(prefix="/api/v1", tags=["audit"])

NOTE = media("The checkpoint, a C2SP signed note.", "text/plain")


def asked_entries(
    app: AppDep,
    camera: Annotated[str | None, Query(description="Only what is about this camera.")] = None,
    site: SiteQuery = None,
    since: Annotated[str | None, Query(description=f"Only from then on. {TIME}")] = None,
    until: Annotated[str | None, Query(description=f"Only before then. {TIME}")] = None,
    who: Annotated[str, Query(description="Only of this caller, such as user:ana.")] = "",
    action: Annotated[str, Query(description="Only this, such as footage or hold.add.")] = "",
    result: Annotated[Literal["", "allowed", "refused", "failed"], Query()] = "",
    zone: ZoneQuery = None,
) -> AskedEntries:
    """Read which entries a request asks for; the catalog says which camera a name means."""
    now = app.clock.now()
    begin = instant_at(since, "since", now, zone) if since is not None else None
    end = instant_at(until, "until", now, zone) if until is not None else None
    named = None
    if camera is not None:
        named = read_camera_id(app.cameras_of([camera], site, ahead=True)[0])
    return AskedEntries(named, when(begin, end), None, who, action, result)


@router.get(
    "/audit",
    response_model=list[ShownLogged],
    responses=PAGED,
    dependencies=[needs(P.AUDIT_READ)],
)
@quick
def list_entries(
    request: Request,
    response: Response,
    app: AppDep,
    asked: Annotated[AskedEntries, Depends(asked_entries)],
    limit: LimitQuery = MOST,
    cursor: CursorQuery = None,
    oldest: Annotated[bool, Query(description="The oldest first.")] = False,
) -> CleanJson:
    """List entries of the audit log, the newest first; the next page is in ``Link``.

    ``entry`` is what stands in the log, word for word; ``hash`` that of its leaf (RFC 6962);
    ``log`` and ``leaf`` say where it stands, ``null`` until it is signed, within a minute.
    """
    at = read_integer(cursor, "cursor") if cursor is not None else None
    query = replace(asked, after=at or 0) if oldest else replace(asked, before=at)
    found = app.catalog.audit_log.search(query, limit + 1)
    page = page_of(found, limit, lambda one: str(one.number), request, response)
    origins = {one.number: one.origin for one in app.catalog.audit_tree.logs()}
    link = response.headers.get("Link")  # the words in their own order: what was hashed
    headers = {"Link": link} if link is not None else {}
    return CleanJson([show_logged(one, origins) for one in page], headers=headers)


@router.get(
    "/audit/checkpoint",
    response_class=Response,
    responses=NOTE,
    dependencies=[needs(P.AUDIT_READ)],
)
@quick
def read_checkpoint(app: AppDep) -> Response:
    """The newest checkpoint: keep it, and ``recorder audit verify --since`` proves what follows."""
    logs = app.catalog.audit_tree.logs()
    if not logs or not logs[-1].checkpoint:
        raise NotFound("nothing is signed yet", hint="a running node signs each minute")
    return Response(logs[-1].checkpoint, media_type="text/plain; charset=utf-8")
