"""The audit log: who looked at what and changed what, and its signed checkpoint."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Literal

from fastapi import Depends, Path, Query, Request, Response

from recorder.access.permissions import Permission as P
from recorder.api.clean_json import CleanJson
from recorder.api.deps import TIME, AppDep, SiteQuery, ZoneQuery, instant_at, quick
from recorder.api.described import media
from recorder.api.gate import needs
from recorder.api.paging import (
    MOST,
    PAGED,
    CursorQuery,
    LimitQuery,
    PagedDep,
    linked,
    of_key,
    page_of,
)
from recorder.api.routing import Routes
from recorder.api.shown_log import ShownKey, ShownLogged
from recorder.app import App
from recorder.errors import NotFound
from recorder.logbook.shelf import Shelf
from recorder.logbook.shown import newest_checkpoint, show_logged, show_logs, when
from recorder.model.checks import read_integer
from recorder.model.keys import read_camera_id
from recorder.model.shown import ShownLog
from recorder.ports import AskedEntries

router = Routes(prefix="/api/v1", tags=("audit",))

NOTE = media("The checkpoint, a C2SP signed note.", "text/plain")
TILE = media("The tile, or the bundle.", "application/octet-stream")
TEXT = "text/plain; charset=utf-8"
TILE_PATH = re.compile(r"(entries|[0-9]{1,2})(/x[0-9]{3}){0,6}/[0-9]{3}(\.p/[0-9]{1,3})?")
"""Of a log's objects these are served, and nothing else that lies in the store."""


def asked_entries(
    app: AppDep,
    camera: Annotated[str | None, Query(description="Only what is about this camera.")] = None,
    site: SiteQuery = None,
    since: Annotated[str | None, Query(description=f"Only from then on. {TIME}")] = None,
    until: Annotated[str | None, Query(description=f"Only before then. {TIME}")] = None,
    who: Annotated[str, Query(description="Only of this caller, such as user:ana.")] = "",
    action: Annotated[str, Query(description="Only this, such as footage or hold.add.")] = "",
    result: Annotated[
        Literal["", "allowed", "refused", "failed"], Query(description="Only what ended so.")
    ] = "",
    zone: ZoneQuery = None,
) -> AskedEntries:
    """Read which entries a request asks for; the catalog says which camera a name means."""
    now = app.clock.now()
    begin = instant_at(since, "since", now, zone) if since is not None else None
    end = instant_at(until, "until", now, zone) if until is not None else None
    named = None
    if camera is not None:
        named = read_camera_id(app.finder.cameras_of([camera], site, ahead=True)[0])
    return AskedEntries(named, when(begin, end), None, who, action, result)


@router.get(
    "/audit",
    response_model=list[ShownLogged],
    responses=PAGED,
    dependencies=[needs(P.AUDIT_READ)],
)
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
    shown = [show_logged(one, origins) for one in page]
    return CleanJson(shown, headers=linked(response))  # its words in their order: as hashed


@router.get(
    "/audit/checkpoint",
    response_class=Response,
    responses=NOTE,
    dependencies=[needs(P.AUDIT_READ)],
)
@quick
def read_checkpoint(app: AppDep) -> Response:
    """The newest checkpoint: keep it, and ``recorder audit verify --since`` proves what follows."""
    return Response(newest_checkpoint(app.catalog.audit_tree), media_type=TEXT)


@router.get(
    "/audit/logs",
    response_model=list[ShownLog],
    responses=PAGED,
    dependencies=[needs(P.AUDIT_READ)],
)
@quick
def list_logs(app: AppDep, paged: PagedDep) -> CleanJson:
    """List the logs of this site, the present one last, each with its key: keep that elsewhere."""
    return paged.json(show_logs(app.catalog.audit_tree), of_key("log"))


@router.get("/audit/witness", dependencies=[needs(P.AUDIT_READ)])
def read_witness(app: AppDep) -> ShownKey:
    """The key by which this site vouches for the logs of sites below."""
    return {"key": str(app.witness.key())}


LogPath = Annotated[str, Path(pattern="^[0-9a-z-]{1,64}$", description="The log's ID.")]


@router.get(
    "/audit/logs/{log}/checkpoint",
    response_class=Response,
    responses=NOTE,
    dependencies=[needs(P.AUDIT_READ)],
)
def read_log_checkpoint(log: LogPath, app: AppDep) -> Response:
    """The checkpoint of one log as its store has it.  Source: C2SP tlog-tiles."""
    return Response(_object(app, log, "checkpoint"), media_type=TEXT)


@router.get(
    "/audit/logs/{log}/tile/{tile:path}",
    response_class=Response,
    responses=TILE,
    dependencies=[needs(P.AUDIT_READ)],
)
def read_tile(log: LogPath, tile: str, app: AppDep) -> Response:
    """A tile of a log, or with ``entries`` a bundle, as its store has it.

    Whoever has the log's key proves by these alone what was written.  Source: C2SP tlog-tiles.
    """
    if TILE_PATH.fullmatch(tile) is None:
        raise NotFound("no such tile", hint="such as 0/000, or entries/x001/234.p/7")
    return Response(_object(app, log, f"tile/{tile}"), media_type="application/octet-stream")


def _object(app: App, log: str, path: str) -> bytes:
    """Return what the store has of a log of this site."""
    found = Shelf(app.log_store, f"spanstore/{app.settings.site}/{log}").read(path)
    if found is None:
        raise NotFound(f"log {log} has no {path}", hint="GET /api/v1/audit/logs lists them")
    return found
