"""What a route needs, and whether its caller has it: for all, or for the cameras it is about.

A route says what it needs (``needs``).  One that is about cameras is ``scoped``: it asks the gate
about each.  Any other is only for those who may it everywhere.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from fastapi.params import Depends as Dependency

from recorder import telemetry
from recorder.access.approvals import Approval, Ends, State
from recorder.access.decide import Camera, Circumstances, Decision, Everything, Something, decide
from recorder.access.permissions import FOOTAGE, Permission
from recorder.api.deps import ANSWERS
from recorder.api.entry import Entry
from recorder.app import App
from recorder.audit.entry import Result, Subject
from recorder.errors import NotAllowed, NotFound, NotKnown, StateError
from recorder.model.caller import Caller, CallerKind
from recorder.model.keys import CameraId, group_of, read_camera_id
from recorder.model.masks import Privacy
from recorder.model.timebase import TimeRange
from recorder.reading.named import LISTED, Named, known_cameras

SIGN_IN = (
    "recorder --server URL login NAME, or POST /api/v1/access/login; services send a token: "
    "Authorization: Bearer spanstore_t_…"
)


class Needs:
    """What a route needs, one of these; ``later``: it looks itself at what it is for."""

    def __init__(self, first: Permission, *others: Permission, scoped: bool, later: bool) -> None:
        self.permission, self.ways = first, (first, *others)
        self.scoped, self.later = scoped, later

    async def __call__(self, request: Request) -> None:
        """Refuse who has it nowhere; or, where it is not scoped, not everywhere."""
        on = Something() if self.scoped else Everything()
        for permission in self.ways:
            gate = request.scope["gate"] = Gate(request, permission)
            found = gate.begin(on, later=self.later)
            if found.allowed:
                return
        await ANSWERS.run(gate.refuse, found)  # the log is written in a thread: not in this loop


def needs(*permissions: Permission, scoped: bool = False, later: bool = False) -> Dependency:
    """Declare what a route needs: one of these, the first that its caller has."""
    return cast(Dependency, Depends(Needs(*permissions, scoped=scoped, later=later)))


class Gate:
    """What the caller of one request may."""

    def __init__(self, request: Request, permission: Permission) -> None:
        self._request = request
        self.app: App = request.app.state.app
        self.entry: Entry = request.scope["access"]
        self.permission = permission
        self._when = Circumstances(self.app.clock.now(), self.entry.caller.purpose)
        self._private: dict[CameraId, Privacy] = {}

    @property
    def caller(self) -> Caller:
        """Who asks."""
        return self.entry.caller

    # -- decisions -----------------------------------------------------------------------------

    def begin(self, on: Something | Everything, *, later: bool) -> Decision:
        """Decide whether a request gets as far as its route; ``later``: its purpose is said there.

        Of a camera nothing is decided by it.
        """
        when = self._when
        if later and not when.purpose:
            when = replace(when, purpose="said later")
        return decide(self.entry.subject, self.permission, on, when)

    def decide(self, on: Any, permission: Permission | None = None) -> Decision:
        """Decide about something."""
        action, who, when = permission or self.permission, self.entry.subject, self._when
        if isinstance(on, Camera) and on.range is not None and action in FOOTAGE:
            on = replace(on, privacy=self.privacy(on.camera))
            eyes = any(action in one.four_eyes for one in who.grants)
            if eyes or on.privacy.wants_approval:
                when = replace(when, approvals=self._approvals)
        return decide(who, action, on, when)

    def privacy(self, camera: CameraId) -> Privacy:
        """Return what of a camera's pictures is not for everybody."""
        if camera not in self._private:
            self._private[camera] = self.app.catalog.cameras.privacy(camera)
        return self._private[camera]

    @functools.cached_property
    def _approvals(self) -> tuple[Approval, ...]:
        """What others have approved of the caller."""
        name, now = self.entry.subject.name, self._when.now
        found = self.app.catalog.approvals.of(name, State.APPROVED, now)
        return tuple(one.approval for one in found)

    def refuse(self, found: Decision, missing: str = "") -> None:
        """Refuse what is not allowed; ``missing``: what is said of what may not be known.

        Raises: ``NotKnown``; ``NotFound``; ``NotAllowed``.
        """
        if found.allowed:
            return
        # where nobody is asked who he is there is nothing to sign in for
        nobody = self.entry.on and self.entry.caller.kind is CallerKind.NOBODY
        status = "401" if nobody else "404" if found.hidden and missing else "403"
        telemetry.ACCESS_REFUSED.labels(self.permission.value, status).inc()
        if not nobody:  # who is not known is counted, and could fill the log
            about = {"permission": self.permission.value, "reason": found.reason}
            self.app.book.note(self.caller, "access.refused", self._about, Result.REFUSED, **about)
        if nobody:
            said, advice = self.entry.bad, self.entry.advice
            raise NotKnown(said or "nobody is known by this request", hint=advice or SIGN_IN)
        if found.hidden and missing:
            raise NotFound(missing, hint=LISTED if missing.startswith("no camera") else "")
        ask = "ask for it: recorder approval ask, or POST /api/v1/approvals"
        why = "`recorder access explain`, or GET /api/v1/access/explain, says why"
        if self.permission not in (self.entry.subject.only or (self.permission,)):
            why = f"show one that is: recorder token add NAME --only {self.permission}"
        raise NotAllowed(found.reason, hint=ask if found.approvable else why)

    @property
    def _about(self) -> Subject:
        """What the request's address names."""
        path, query = self._request.path_params, self._request.query_params
        camera = str(path.get("camera", ""))
        site = str(path.get("site", query.get("site", "")))
        return Subject(site, camera, name=f"{self._request.method} {self._request.url.path}"[:200])

    @functools.cached_property
    def everywhere(self) -> bool:
        """Whether the caller may it for all cameras."""
        return self.decide(Everything()).allowed

    @functools.cached_property
    def _groups(self) -> dict[CameraId, str]:
        grants = self.entry.subject.grants
        return self.app.catalog.cameras.groups() if any(one.groups for one in grants) else {}

    def sees(self, camera: CameraId, group: str | None = None) -> bool:
        """Tell whether the caller may it for a camera."""
        return self.everywhere or self.decide(self._of(camera, group, None)).allowed

    def decide_for(
        self, purpose: str, camera: CameraId, range_: TimeRange, permission: Permission
    ) -> Decision:
        """Decide about a range as if a purpose were said."""
        masked = bool(self.privacy(camera).masks)  # who may have nothing else asks for such a copy
        on = replace(self.of(camera, range_), masked=masked)
        return self.saying(purpose).decide(on, permission)

    def saying(self, purpose: str) -> Gate:
        """Decide from now on as if a purpose were said."""
        self._when = replace(self._when, purpose=purpose)
        return self

    def of(self, camera: CameraId, range_: TimeRange | None = None) -> Camera:
        """Return a camera as decisions take it."""
        return self._of(camera, None, range_)

    def _of(self, camera: CameraId, group: str | None, range_: TimeRange | None) -> Camera:
        group = group_of(self._groups, camera) if group is None else group
        return Camera(camera, group, range_)

    def check(
        self,
        camera: CameraId,
        range_: TimeRange | None = None,
        *,
        group: str | None = None,
        missing: str = "",
        permission: Permission | None = None,
        ends: Ends | None = None,
        approvable: bool = True,
        masked: bool = False,
    ) -> None:
        """Refuse a camera that the caller may not; one it may not know of as if there were none.

        ``ends``: see :class:`recorder.access.decide.Camera`; ``approvable``: another's approval,
        which ends, is enough; ``masked``: a copy is meant in which the camera's masks are.
        Raises: ``NotFound``; ``NotAllowed``; ``NotKnown``.
        """
        on = replace(self._of(camera, group, range_), ends=ends)
        if masked:  # one without masks would be the footage as it was recorded
            on = replace(on, masked=bool(self.privacy(camera).masks))
        found = self.decide(on, permission)
        if found.approved and not approvable:
            found = Decision(False, "this would outlast the approval of another person")
        elif found.allowed and not approvable and range_ and self.privacy(camera).sensitive:
            found = Decision(False, f"camera {camera} is sensitive: nobody else may use this")
        self.refuse(found, missing or f"no camera {camera.camera!r}")

    def check_all(self, cameras: Iterable[CameraId], missing: str = "") -> None:
        """Refuse cameras of which the caller may not one.

        Raises: ``NotFound``; ``NotAllowed``; ``NotKnown``.
        """
        for one in cameras:
            self.check(one, missing=missing)

    # -- names ---------------------------------------------------------------------------------

    def named(
        self,
        camera: str,
        stream: str | None = None,
        site: str | None = None,
        range_: TimeRange | None = None,
        *,
        masked: bool = False,
    ) -> Named:
        """Find a camera's stream among those that the caller may know of.

        Raises: ``NotFound``; ``StateError`` when it may be one of several; ``NotAllowed``.
        """
        if self.everywhere and range_ is None:
            return self.app.finder.named(camera, stream, site)
        found = self._found(camera, stream, site)
        missing = f"no camera {camera!r}"
        self.check(found.stream.camera_id, range_, missing=missing, masked=masked)
        return replace(found, elsewhere=tuple(filter(self.sees, found.elsewhere)))

    def _found(self, camera: str, stream: str | None, site: str | None) -> Named:
        if self.everywhere:
            return self.app.finder.named(camera, stream, site)
        try:
            found = self.app.finder.named(camera, stream, site)
        except NotFound as exc:  # its hint may tell of others
            if self.knows(camera, site):
                raise
            raise NotFound(f"no camera {camera!r}", hint=LISTED) from exc
        except StateError:
            meant = self.of_name(camera, site)
            if len(meant) != 1:
                if not meant:
                    raise NotFound(f"no camera {camera!r}", hint=LISTED) from None
                said = " or ".join(map(str, meant))
                raise StateError(
                    f"there are several cameras {camera!r}", hint=f"say which: {said}"
                ) from None
            return self.app.finder.named(meant[0].camera, stream, meant[0].site)
        if not self.sees(found.stream.camera_id) and site is None and "/" not in camera:
            others = [one for one in found.elsewhere if self.sees(one)]
            if len(others) == 1:
                return self.app.finder.named(camera, stream, others[0].site)
        return found

    def knows(self, camera: str, site: str | None) -> bool:
        """Tell whether there is a camera of a name that the caller may know of."""
        return bool(self.of_name(camera, site))

    def of_name(self, camera: str, site: str | None) -> list[CameraId]:
        """Return the cameras of a name that the caller may know of."""
        try:
            found = self.app.finder.cameras_of([camera], site, every=True)
        except NotFound:
            return []
        return [one for one in map(read_camera_id, found) if self.sees(one)]

    def seen(self) -> list[CameraId]:
        """Return all cameras that the caller may."""
        known = known_cameras(self.app.catalog, self.app.settings.site)
        return [one for one in sorted(known) if self.sees(one)]


def gate_of(request: Request) -> Gate:
    """Return the gate of a request, which its route's ``needs`` made."""
    return cast(Gate, request.scope["gate"])


async def _gate(request: Request) -> Gate:
    return gate_of(request)


GateDep = Annotated[Gate, Depends(_gate)]


def needed_by(route: Any) -> Needs | None:
    """Return what a route declares."""
    found = (getattr(one, "dependency", None) for one in getattr(route, "dependencies", ()))
    return next((one for one in found if isinstance(one, Needs)), None)
