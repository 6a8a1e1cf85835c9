"""May they: one function of who, what, on what and when; its answer says why.  Pure.

Nothing is allowed that no grant allows.  A grant's conditions all hold at once; of several
grants one is enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recorder.access.approvals import Approval, Ends
from recorder.access.permissions import FOOTAGE, FREE, Permission
from recorder.model.keys import ANY_SITE, CameraId
from recorder.model.masks import PLAIN, Privacy
from recorder.model.schedule import Timetable
from recorder.model.timebase import Instant, TimeRange, format_duration


@dataclass(frozen=True, slots=True)
class Grant:
    """Permissions under conditions; what is empty, 0 or ``None`` is no condition.

    ``source``: as what it was given, such as ``officer``.  ``back_ns``: how far back footage may
    be seen; ``clip_ns``: how long a clip may be; ``times``: when; ``purpose``: one must be said;
    ``until``: it ends; ``four_eyes``: what another person must have approved, each time;
    ``masked``: footage only as copies in which the camera's masks are burnt in.
    """

    source: str
    permissions: frozenset[Permission]
    sites: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    cameras: frozenset[CameraId] = frozenset()
    back_ns: int = 0
    clip_ns: int = 0
    times: Timetable | None = None
    purpose: bool = False
    until: Instant | None = None
    four_eyes: frozenset[Permission] = frozenset()
    masked: bool = False

    @property
    def limited(self) -> bool:
        """Whether it is for some cameras alone."""
        return bool(self.sites or self.groups or self.cameras)


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks, as far as it matters here.

    ``only``: what the token that was shown is limited to; ``None``: to nothing.  ``relays``: a
    site or node that asks for people of its own, about whom it has decided itself.
    """

    name: str
    grants: tuple[Grant, ...] = ()
    only: frozenset[Permission] | None = None
    known: bool = True
    relays: bool = False

    def grants_of(self, permission: Permission) -> list[Grant]:
        """Return the grants that name a permission."""
        if self.only is not None and permission not in self.only:
            return []
        return [one for one in self.grants if permission in one.permissions]


@dataclass(frozen=True, slots=True)
class Camera:
    """One camera, and what of its footage; ``range`` is ``None`` where no footage is meant.

    ``ends``: where fragments of a stored object are meant, the first and the last of them.
    ``privacy``: what the camera's document says; ``masked``: a copy is meant in which all its
    masks are burnt in.
    """

    camera: CameraId
    group: str = ""
    range: TimeRange | None = None
    ends: Ends | None = None
    privacy: Privacy = PLAIN
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Everything:
    """What is of no camera, or of all of them: a policy, nodes, metrics."""


@dataclass(frozen=True, slots=True)
class Something:
    """Some camera or other: which is looked at next."""


On = Camera | Everything | Something


@dataclass(frozen=True, slots=True)
class Circumstances:
    """When, for which purpose, and what others have approved of who asks."""

    now: Instant
    purpose: str = ""
    approvals: tuple[Approval, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Yes or no, and why.

    ``hidden``: so little may be known that it should seem not to exist.  ``approvable``: nothing
    is missing but another person's approval.  ``approved``: it was allowed by one alone.
    """

    allowed: bool
    reason: str
    hidden: bool = False
    approvable: bool = False
    approved: bool = False


def decide(who: Subject, action: Permission, on: On, when: Circumstances) -> Decision:
    """Decide whether somebody may do something.

    >>> decide(Subject("user:ana"), Permission.POLICY_WRITE, Everything(), Circumstances(0)).reason
    'no grant of user:ana has policy.write'
    """
    if action is Permission.PUBLIC:
        return Decision(True, "everybody may")
    if action is Permission.OWN:
        return Decision(who.known, f"{who.name} is {'known' if who.known else 'not known'}")
    if who.only is not None and action not in who.only:
        return Decision(False, f"the token that was shown is not for {action}")
    grants = who.grants_of(action)
    if not grants:
        return Decision(False, f"no grant of {who.name} has {action}")
    found = [_by(grant, who, action, on, when) for grant in grants]
    # what another must approve comes behind what nobody need, before what is refused; and what
    # speaks of a grant that reaches as far says more than one that does not
    return min(
        found, key=lambda one: (not one.allowed, one.approved, not one.approvable, one.hidden)
    )


def _by(grant: Grant, who: Subject, action: Permission, on: On, when: Circumstances) -> Decision:
    """Decide by one grant."""
    why = _outside(grant, on)
    if why:
        return Decision(False, why, hidden=isinstance(on, Camera))
    privacy = _privacy(who, action, on)
    broken = next(_broken(grant, action, on, when, privacy), "")
    if broken:
        return Decision(False, broken)
    said = f"{who.name} has {action} as {grant.source}"
    eyes = action in grant.four_eyes or privacy.wants_approval
    if not isinstance(on, Camera) or on.range is None:
        each = list(_each_time(grant, action, when, privacy))
        text = f"{said}, each time {' and '.join(each)}" if each else said
        return Decision(True, text, approved=eyes)
    if not eyes:
        return Decision(True, said)
    for one in when.approvals:
        if one.covers(action, on.camera, on.range, on.ends, when.now):
            return Decision(True, f"{said}, and {one.by} has approved it", approved=True)
    why = f"the grant as {grant.source} wants another person's approval for this"
    if privacy.wants_approval:
        why = f"camera {on.camera} is sensitive: this wants another person's approval"
    return Decision(False, why, approvable=True)


def _privacy(who: Subject, action: Permission, on: On) -> Privacy:
    """Return what the camera wants of who asks for its footage."""
    plain = who.relays or action not in FOOTAGE or not isinstance(on, Camera)
    return PLAIN if plain or not isinstance(on, Camera) else on.privacy


def _each_time(
    grant: Grant, action: Permission, when: Circumstances, privacy: Privacy
) -> Iterator[str]:
    """Yield what will be wanted whenever footage is meant."""
    if privacy.wants_purpose and not when.purpose.strip():
        yield "with a purpose that is said"
    if grant.masked and action in FOOTAGE:
        yield "as a masked copy"
    if action in grant.four_eyes or privacy.wants_approval:
        yield "once another person has approved it"


def _outside(grant: Grant, on: On) -> str:
    """Say why a grant does not reach so far; nothing where it does."""
    if isinstance(on, Something):
        return ""
    if isinstance(on, Everything):
        return f"the grant as {grant.source} is for some cameras alone" if grant.limited else ""
    if grant.sites and on.camera.site not in grant.sites:
        return f"the grant as {grant.source} is not for site {on.camera.site}"
    if grant.groups and on.group not in grant.groups:
        return f"the grant as {grant.source} is not for group {on.group or 'none'}"
    named = {on.camera, CameraId(ANY_SITE, on.camera.camera)}
    if grant.cameras and not named & grant.cameras:
        return f"the grant as {grant.source} is not for camera {on.camera}"
    return ""


def _broken(
    grant: Grant, action: Permission, on: On, when: Circumstances, privacy: Privacy
) -> Iterator[str]:
    """Yield which conditions of a grant do not hold."""
    as_ = f"the grant as {grant.source}"
    if grant.until is not None and when.now >= grant.until:
        yield f"{as_} has ended"
    if grant.times is not None and not grant.times.is_on(when.now):
        yield f"{as_} is not for this time of day"
    if action not in FOOTAGE:
        return
    if grant.purpose and not when.purpose.strip():
        yield f"{as_} wants a purpose to be said"
    asked = on.range if isinstance(on, Camera) else None
    if asked is None or not isinstance(on, Camera):
        return
    if privacy.wants_purpose and not when.purpose.strip():
        yield f"camera {on.camera} is sensitive: a purpose must be said (--purpose, X-Purpose)"
    if grant.masked and not on.masked:
        yield f"{as_} is for masked copies alone, {_way_of(on.camera, privacy)}"
    if grant.back_ns and asked.start < when.now - grant.back_ns:
        yield f"{as_} reaches back {format_duration(grant.back_ns)}"
    long = action is Permission.FOOTAGE_EXPORT and grant.clip_ns
    if long and asked.duration_ns > grant.clip_ns:
        yield f"{as_} is for clips of {format_duration(grant.clip_ns)} at most"


def _way_of(camera: CameraId, privacy: Privacy) -> str:
    """Say how a masked copy is got, as playback is none."""
    if not privacy.masks:
        return f"and camera {camera} has no masks: nothing of it is given"
    return (
        "not for playback: clip.mp4 or frame.jpg with masked=true (recorder clip, frame --masked), "
        "or a bundle (recorder export create --masked)"
    )


ALL = Grant("the machine's own", frozenset(Permission) - FREE)
OPEN = Subject("everybody", (ALL,))
"""Whoever asks while access is off."""
NOBODY = Subject("nobody", known=False)
