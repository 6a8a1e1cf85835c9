"""The policy: documents, dry runs, differences, reasons, forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Query, Request, Response

from policies.document import Policy, schema
from policies.doubts import notes
from policies.read import parse_policy
from recorder.access.permissions import Permission as P
from recorder.api.clean_json import CleanJson
from recorder.api.deps import (
    AppDep,
    AuthorDep,
    CallerDep,
    ExpectedDep,
    InstantDep,
    SiteQuery,
    StreamQuery,
)
from recorder.api.described import VERSIONED
from recorder.api.gate import GateDep, needs
from recorder.api.paging import PAGED, CursorQuery, Paged, PagedDep, linked, page_of
from recorder.api.routing import Routes
from recorder.api.sent import PolicyBody
from recorder.api.shown_policy import (
    ShownChecked,
    ShownDone,
    ShownDryRun,
    ShownForecast,
    ShownPolicy,
    ShownVersion,
)
from recorder.app import App
from recorder.audit.entry import Subject
from recorder.janitor import deciding, explained
from recorder.janitor.margins import room_said
from recorder.janitor.proposed import show_forecasts, show_plans
from recorder.jobs import retention
from recorder.logbook.subjects import document_details
from recorder.model.checks import read_integer
from recorder.model.shown import ShownEntry, ShownReasons
from recorder.model.timebase import format_instant
from recorder.ports import ObjectStore

router = Routes(prefix="/api/v1", tags=("policy",))


@router.get("/policy", responses=VERSIONED, dependencies=[needs(P.POLICY_READ)])
def read_policy(app: AppDep, response: Response) -> ShownPolicy:
    """Read the document in force."""
    deciding.policy_that_is_set(app.catalog.documents)
    document = app.catalog.documents.newest("policy")
    assert document is not None  # noqa: S101 - it is in force
    response.headers["ETag"] = f'"{document.version}"'
    return {
        "version": document.version,
        "author": document.author,
        "at": format_instant(document.at, 3),
        "body": dict(document.body),
    }


@router.put("/policy", responses=VERSIONED, dependencies=[needs(P.POLICY_WRITE)])
def write_policy(
    body: PolicyBody,
    app: AppDep,
    response: Response,
    expected: ExpectedDep,
    caller: CallerDep,
    author: AuthorDep,
) -> ShownVersion:
    """Put a document in force, as a new version; nothing happens before the next sweep.

    ``If-Match`` with the ETag that was read refuses to overwrite another's change.
    """
    parse_policy(body, law=app.settings.law)
    with app.book.doing(caller, "policy.set", Subject(name="policy"), **document_details(body)):
        stored = app.catalog.documents.put("policy", body, author, app.clock.now(), expected)
    response.headers["ETag"] = f'"{stored.version}"'
    return {"version": stored.version}


@router.get("/policy/schema", dependencies=[needs(P.POLICY_READ)])
def read_schema() -> dict[str, object]:
    """Read the JSON Schema of the document."""
    return schema()


Stores = Mapping[str, ObjectStore]


def _page(app: App, paged: Paged) -> Stores:
    """Return the stores that a page is about: no others are looked at."""
    return {one: app.planned_stores[one] for one in paged.of(list(app.planned_stores), str)}


def _plans(app: App, stores: Stores, proposed: Policy | None) -> list[dict[str, object]]:
    level, now = app.settings.level, app.clock.now()
    every = app.planned_stores
    return show_plans(app.catalog, stores, proposed, level, now, app.grace_ns, every)


def _forecasts(app: App, stores: Stores, policy: Policy) -> list[dict[str, object]]:
    level, now = app.settings.level, app.clock.now()
    every = app.planned_stores
    return show_forecasts(app.catalog, stores, policy, level, now, app.grace_ns, every)


@router.get(
    "/policy/plan",
    response_model=list[ShownDryRun],
    responses=PAGED,
    dependencies=[needs(P.POLICY_READ)],
)
def read_plan(app: AppDep, paged: PagedDep) -> CleanJson:
    """Show, per store, what the document in force would delete now; nothing is done."""
    deciding.policy_that_is_set(app.catalog.documents)
    shown = _plans(app, _page(app, paged), None)
    return CleanJson(shown, headers=linked(paged.response))


@router.post("/policy/plan", response_model=list[ShownDryRun], dependencies=[needs(P.POLICY_READ)])
def try_plan(body: PolicyBody, app: AppDep) -> CleanJson:
    """Show what a proposed document would delete, and what it changes; nothing is done."""
    proposed = parse_policy(body, law=app.settings.law)
    return CleanJson(_plans(app, app.planned_stores, proposed))


@router.post("/policy/check", dependencies=[needs(P.POLICY_READ)])
def check_document(body: PolicyBody, app: AppDep) -> ShownChecked:
    """Check a document, and whether the stores have room for it; nothing is changed.

    ``notes`` is what is right, and may surprise.
    """
    found, now = parse_policy(body, law=app.settings.law), app.clock.now()
    said = room_said(app.catalog, app.planned_stores, found, app.settings.level, now, app.grace_ns)
    rules, groups = [rule.name for rule in found.rules], app.catalog.cameras.groups()
    return {"ok": True, "rules": rules, "room": said, "notes": notes(found, app.levels, groups)}


@router.post(
    "/policy/apply", response_model=dict[str, ShownDone], dependencies=[needs(P.POLICY_WRITE)]
)
def apply_document(
    app: AppDep,
    caller: CallerDep,
    yes: Annotated[bool, Query(description="Also a plan that blast_radius stopped.")] = False,
) -> CleanJson:
    """Carry out the document in force now: condemn, make thin, delete what has had its grace."""
    app.settings.law.check(deciding.policy_that_is_set(app.catalog.documents))
    with app.book.doing(caller, "policy.apply", Subject(name="policy"), stopped_too=yes):
        return CleanJson(retention.apply_policy(app, stopped_too=yes))


@router.get("/policy/log", responses=PAGED, dependencies=[needs(P.AUDIT_READ)])
def read_log(
    request: Request,
    response: Response,
    app: AppDep,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Most on a page.")] = 50,
    cursor: CursorQuery = None,
) -> list[ShownEntry]:
    """The newest records of what was deleted, lost, damaged or repaired, and why."""
    before = read_integer(cursor, "cursor") if cursor is not None else None
    found = app.catalog.audit.newest(limit + 1, before)
    page = page_of(found, limit, lambda one: str(one.number), request, response)
    return [explained.show_entry(entry) for entry in page]


@router.get(
    "/policy/forecast",
    response_model=list[ShownForecast],
    responses=PAGED,
    dependencies=[needs(P.POLICY_READ)],
)
def read_forecast(app: AppDep, paged: PagedDep) -> CleanJson:
    """Say when each store is full, and which streams then miss their minimum."""
    policy = deciding.policy_that_is_set(app.catalog.documents)
    shown = _forecasts(app, _page(app, paged), policy)
    return CleanJson(shown, headers=linked(paged.response))


@router.post(
    "/policy/forecast",
    response_model=list[ShownForecast],
    dependencies=[needs(P.POLICY_READ)],
)
def try_forecast(body: PolicyBody, app: AppDep) -> CleanJson:
    """Say when each store would be full under a proposed document."""
    proposed = parse_policy(body, law=app.settings.law)
    return CleanJson(_forecasts(app, app.planned_stores, proposed))


@router.get("/cameras/{camera}/explain", dependencies=[needs(P.CAMERA_READ, scoped=True)])
def read_reasons(
    camera: str,
    at: InstantDep,
    app: AppDep,
    stream: StreamQuery = None,
    site: SiteQuery = None,
    *,
    gate: GateDep,
) -> ShownReasons:
    """Say why the footage of a moment is there and when it goes, or why it is not there."""
    name = gate.named(camera, stream, site).stream
    segment, said = explained.explain_moment(app, name.camera, name.stream, at, name.site)
    return {"camera": camera, "at": format_instant(at), "segment": segment, "said": said}
