"""Why somebody may do something; what each role may."""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Query, Request

from recorder.access.decide import Circumstances, Everything
from recorder.access.permissions import Permission as P
from recorder.access.permissions import show_roles
from recorder.accounts.explained import explain
from recorder.accounts.known import subject_of
from recorder.api.accounts import UserQuery
from recorder.api.deps import AppDep, SiteQuery
from recorder.api.gate import Gate, GateDep, needs
from recorder.api.meant import cameras_meant
from recorder.api.routing import Routes
from recorder.api.shown_people import ShownDecision, ShownRole
from recorder.errors import RequestError

router = Routes(prefix="/api/v1/access", tags=("access",))


@router.get("/roles", dependencies=[needs(P.PUBLIC)])
def list_roles() -> list[ShownRole]:
    """List the roles, and the permissions of each."""
    return [{"role": role, "permissions": found} for role, found in show_roles().items()]


@router.get("/explain", dependencies=[needs(P.OWN)])
def explain_access(
    request: Request,
    app: AppDep,
    gate: GateDep,
    user: UserQuery = None,
    action: Annotated[
        str | None, Query(description="A permission, such as footage.view; by default each.")
    ] = None,
    camera: Annotated[str | None, Query(description="On which camera; by default on all.")] = None,
    site: SiteQuery = None,
    purpose: Annotated[str, Query(description="What is said that it is for.")] = "",
) -> list[ShownDecision]:
    """Say whether somebody may do something now, and why."""
    if site is not None and camera is None:
        raise RequestError("site: goes with camera", hint=f"such as ?camera=gate&site={site}")
    meant, subject = None, gate.entry.subject
    if user not in (None, gate.entry.caller.name):
        gate.refuse(gate.decide(Everything(), P.ACCESS_READ))
        subject = subject_of(app.people.get(str(user)))
        meant = app.finder.cameras_of([camera], site)[0] if camera is not None else None
    elif camera is not None:  # of others' cameras not even a name
        (meant,) = cameras_meant(Gate(request, P.CAMERA_READ), [camera], site)
    when = Circumstances(app.clock.now(), purpose)
    found = explain(subject, app.catalog.cameras, action, meant, when)
    return cast(list[ShownDecision], found)
