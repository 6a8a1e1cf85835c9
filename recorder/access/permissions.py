"""Permissions, and the roles that are sets of them.  Pure.

The table in ``docs/design/access.md`` says the same; a test holds one to the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Permission(StrEnum):
    """What may be allowed: a noun, and what is done with it."""

    PUBLIC = "public"
    """Nobody is asked who he is: health, the way in."""
    OWN = "own"
    """One's own password, sessions and tokens: everybody who is known."""
    CAMERA_READ = "camera.read"
    CAMERA_WRITE = "camera.write"
    FOOTAGE_VIEW = "footage.view"
    FOOTAGE_EXPORT = "footage.export"
    FOOTAGE_APPROVE = "footage.approve"
    """To let another see or export what that one may only with a second pair of eyes."""
    EVENT_READ = "event.read"
    EVENT_WRITE = "event.write"
    POINT_WRITE = "point.write"
    HOLD_READ = "hold.read"
    HOLD_WRITE = "hold.write"
    HOLD_RELEASE = "hold.release"
    POLICY_READ = "policy.read"
    POLICY_WRITE = "policy.write"
    SITE_READ = "site.read"
    SITE_WRITE = "site.write"
    SITE_SPEAK = "site.speak"
    """The feed and footage up: for sites below alone, by their keys."""
    SYSTEM_READ = "system.read"
    SYSTEM_WRITE = "system.write"
    ACCESS_READ = "access.read"
    ACCESS_WRITE = "access.write"
    AUDIT_READ = "audit.read"


class Role(StrEnum):
    """What somebody is here."""

    VIEWER = "viewer"
    OFFICER = "officer"
    PLATFORM = "platform"
    """Another system that takes footage and reports events: a service."""
    ADMIN = "admin"
    AUDITOR = "auditor"
    OPERATOR = "operator"
    """Keeps the system running, and sees no footage."""
    APPROVER = "approver"
    """Lets others see or export footage, and sees none by that."""


FOOTAGE = frozenset({Permission.FOOTAGE_VIEW, Permission.FOOTAGE_EXPORT})
"""What a grant's limits on how far back and for which purpose hold for."""
FREE = frozenset({Permission.PUBLIC, Permission.OWN})
"""Of no role: who needs them has them."""

_P = Permission
_VIEWER = frozenset({_P.CAMERA_READ, _P.FOOTAGE_VIEW, _P.EVENT_READ})
ROLES: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: _VIEWER,
    Role.OFFICER: _VIEWER
    | {_P.FOOTAGE_EXPORT, _P.EVENT_WRITE, _P.HOLD_READ, _P.HOLD_WRITE, _P.HOLD_RELEASE},
    Role.PLATFORM: _VIEWER | {_P.FOOTAGE_EXPORT, _P.EVENT_WRITE},
    Role.APPROVER: frozenset({_P.CAMERA_READ, _P.FOOTAGE_APPROVE}),
    Role.ADMIN: frozenset(Permission) - FREE - {_P.SITE_SPEAK},
    Role.AUDITOR: frozenset(
        {
            _P.CAMERA_READ,
            _P.EVENT_READ,
            _P.HOLD_READ,
            _P.POLICY_READ,
            _P.SITE_READ,
            _P.SYSTEM_READ,
            _P.ACCESS_READ,
            _P.AUDIT_READ,
        }
    ),
    Role.OPERATOR: frozenset(
        {
            _P.CAMERA_READ,
            _P.CAMERA_WRITE,
            _P.EVENT_READ,
            _P.POINT_WRITE,
            _P.POLICY_READ,
            _P.SITE_READ,
            _P.SITE_WRITE,
            _P.SYSTEM_READ,
            _P.SYSTEM_WRITE,
        }
    ),
}


def show_roles() -> dict[str, list[str]]:
    """Show each role with its permissions.

    >>> show_roles()["viewer"]
    ['camera.read', 'event.read', 'footage.view']
    """
    return {role.value: sorted(one.value for one in found) for role, found in ROLES.items()}
