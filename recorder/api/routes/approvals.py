"""Four eyes: asking for another person's approval, and giving it."""

from __future__ import annotations

from typing import cast

from recorder.access.approvals import (
    LASTS_NS,
    Request,
    read_action,
    read_purpose,
    show_request,
)
from recorder.access.decide import Decision
from recorder.access.permissions import Permission as P
from recorder.accounts import approving
from recorder.api.accounts import ApprovalBody, ApproveBody, RefuseBody
from recorder.api.deps import AppDep, bounded, instant_at
from recorder.api.gate import Gate, GateDep, needs
from recorder.api.paging import PAGED, PagedDep
from recorder.api.routing import Routes
from recorder.api.shown import ShownApproval
from recorder.app import App
from recorder.clock import new_id
from recorder.errors import NotFound, RequestError, StateError
from recorder.logbook.asked import request_details, request_subject
from recorder.model.caller import CallerKind
from recorder.model.checks import check_text
from recorder.model.timebase import TimeRange, parse_duration

router = Routes(prefix="/api/v1/approvals", tags=("access",))


@router.post("", status_code=201, dependencies=[needs(P.CAMERA_READ, scoped=True)])
def ask_approval(body: ApprovalBody, app: AppDep, gate: GateDep) -> ShownApproval:
    """Ask another person to approve what one's own grants want approved.

    Whoever has ``footage.approve`` for the camera finds it in the list, and answers within a day.
    """
    action, asked = read_action(body.get("action")), _range(app, body)
    purpose = read_purpose(body.get("purpose"))
    name, site = check_text(body.get("camera"), "camera", 128), body.get("site")
    site = check_text(site, "site", 63) if site is not None else None
    camera = gate.named(name, None, site).stream.camera_id
    if gate.caller.kind is not CallerKind.USER:
        raise RequestError("people ask, and people approve", hint="sign in as a user")
    found = gate.decide_for(purpose, camera, asked, action)
    if found.allowed:
        raise StateError(f"this needs no approval, or has it: {found.reason}")
    if not found.approvable:
        gate.refuse(found, f"no camera {camera.camera!r}")
    now = app.clock.now()
    wanted = Request(new_id(), str(gate.caller), action, camera, asked, purpose, now, now)
    details = request_details(wanted)
    with app.book.doing(gate.caller, "approval.ask", request_subject(wanted), **details):
        return _shown(app, approving.ask(app.catalog, app.clock, wanted))


def _range(app: App, body: dict[str, object]) -> TimeRange:
    now = app.clock.now()
    start, end = (
        instant_at(check_text(body.get(name), name, 64), name, now) for name in ("start", "end")
    )
    if end <= start:
        raise RequestError("end: is not after start")
    return bounded(TimeRange(start, end))


@router.get("", responses=PAGED, dependencies=[needs(P.OWN)])
def list_approvals(app: AppDep, gate: GateDep, paged: PagedDep) -> list[ShownApproval]:
    """List one's own requests, and those that one may decide, the newest first."""
    own = str(gate.caller)
    found = app.catalog.approvals.all()
    seen = [one for one in found if one.who == own or _may(gate, one).allowed]
    return [_shown(app, one) for one in paged.of(seen, lambda one: one.request_id)]


def _may(gate: Gate, request: Request) -> Decision:
    """Decide whether the caller may approve of a camera; whose request it is aside."""
    return gate.decide(gate.of(request.camera), P.FOOTAGE_APPROVE)


@router.post("/{request_id}/approve", dependencies=[needs(P.FOOTAGE_APPROVE, scoped=True)])
def approve_request(
    request_id: str, body: ApproveBody, app: AppDep, gate: GateDep
) -> ShownApproval:
    """Approve what somebody else asks for: for that person, camera, range and act alone."""
    request = _to_decide(app, gate, request_id)
    lasts_ns = parse_duration(body["lasts"], "lasts") if "lasts" in body else LASTS_NS
    most_ns = app.settings.api.limits.approval_ns
    about, details = request_subject(request), request_details(request)
    with app.book.doing(gate.caller, "approval.approve", about, **details):
        by = str(gate.caller)
        made = approving.approve(app.catalog, app.clock, request, by, lasts_ns, most_ns)
    return _shown(app, made)


@router.post("/{request_id}/refuse", dependencies=[needs(P.FOOTAGE_APPROVE, scoped=True)])
def refuse_request(request_id: str, body: RefuseBody, app: AppDep, gate: GateDep) -> ShownApproval:
    """Refuse what somebody else asks for; what was approved ends at once."""
    request = _to_decide(app, gate, request_id)
    reason = check_text(body.get("reason", ""), "reason", 256)
    about, details = request_subject(request), request_details(request)
    with app.book.doing(gate.caller, "approval.refuse", about, **details, reason=reason):
        return _shown(
            app, approving.refuse(app.catalog, app.clock, request, str(gate.caller), reason)
        )


@router.post("/{request_id}/withdraw", dependencies=[needs(P.OWN)])
def withdraw_request(request_id: str, app: AppDep, gate: GateDep) -> ShownApproval:
    """Take one's own request back; what was approved ends at once."""
    request = approving.find(app.catalog, request_id)
    if str(gate.caller) != request.who:
        raise NotFound(
            f"no request {request_id[:64]!r} of yours",
            hint="only who asked takes a request back; who may decide it refuses it",
        )
    about, details = request_subject(request), request_details(request)
    with app.book.doing(gate.caller, "approval.withdraw", about, **details):
        return _shown(app, approving.withdraw(app.catalog, app.clock, request))


def _to_decide(app: App, gate: Gate, request_id: str) -> Request:
    """Return a request that the caller may decide: a person, of a camera in reach, not his own.

    Raises: ``NotFound``; ``NotAllowed``.
    """
    request = approving.find(app.catalog, request_id)
    gate.refuse(_may(gate, request), str(approving.missing(request_id)))
    if gate.caller.kind is not CallerKind.USER:
        gate.refuse(Decision(False, "a person approves, and no service"))
    if str(gate.caller) == request.who:
        gate.refuse(Decision(False, "nobody decides what he asks for himself"))
    return request


def _shown(app: App, request: Request) -> ShownApproval:
    label = app.finder.label(request.camera, None)
    return cast(ShownApproval, show_request(request, app.clock.now(), label))
