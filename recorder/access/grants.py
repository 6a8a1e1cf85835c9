"""Grants as people write them, and back.  Pure.

{"role": "officer", "groups": ["gates"], "back": "7d", "clip": "30m",
 "times": {"zone": "Europe/Berlin", "weekly": {"mon-fri": "08:00-18:00"}}, "purpose": true,
 "four_eyes": ["footage.export"]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recorder.access.approvals import read_action
from recorder.access.decide import Grant
from recorder.access.permissions import ROLES, Permission, Role
from recorder.errors import BadDocument, RequestError
from recorder.model.checks import check_text
from recorder.model.keys import check_name, read_camera_id
from recorder.model.schedule import parse_timetable
from recorder.model.timebase import parse_duration, parse_instant
from recorder.model.unknown import meant

MOST = 100
"""Grants of one, and names in one grant's list: more is what groups are for."""
_LISTS = ("sites", "groups", "cameras")
_KNOWN = ("role", *_LISTS, "back", "clip", "times", "purpose", "until", "four_eyes", "masked")


def read_role(text: object) -> Role:
    """Read a role.

    Raises: ``BadDocument``.
    """
    try:
        return Role(str(text))
    except ValueError as exc:
        hint = "there are " + ", ".join(Role)
        raise BadDocument(f"role {str(text)[:64]!r}: there is none such", hint=hint) from exc


def read_permission(text: object) -> Permission:
    """Read a permission that can be given.

    Raises: ``BadDocument``.
    """
    given = sorted(ROLES[Role.ADMIN])
    if text not in given:
        hint = "there are " + ", ".join(given)
        raise BadDocument(f"permission {str(text)[:64]!r}: there is none such", hint=hint)
    return Permission(str(text))


def parse_grant(body: object, at: str = "grant") -> Grant:
    """Read one grant.

    Raises: ``BadDocument`` naming the path of the mistake.
    """
    if not isinstance(body, Mapping):
        raise BadDocument(f"{at}: must be an object", hint='such as {"role": "viewer"}')
    unknown = sorted(set(body) - {*_KNOWN})
    if unknown:
        raise BadDocument(
            f"{at}.{str(unknown[0])[:64]}: no such field",
            hint=meant(unknown[0], sorted(_KNOWN)),
        )
    role = read_role(body.get("role"))
    sites, groups, cameras = (_names(body, one, at) for one in _LISTS)
    try:
        return Grant(
            role.value,
            ROLES[role],
            frozenset(check_name(one, f"{at}.sites") for one in sites),
            frozenset(check_text(one, f"{at}.groups", 64) for one in groups),
            frozenset(read_camera_id(one, what=f"{at}.cameras") for one in cameras),
            parse_duration(str(body.get("back", "0s")), f"{at}.back"),
            parse_duration(str(body.get("clip", "0s")), f"{at}.clip"),
            parse_timetable(body["times"], f"{at}.times") if body.get("times") else None,
            _flag(body.get("purpose", False), f"{at}.purpose"),
            parse_instant(str(body["until"])) if body.get("until") else None,
            frozenset(map(read_action, _names(body, "four_eyes", at))),
            _flag(body.get("masked", False), f"{at}.masked"),
        )
    except BadDocument:
        raise
    except RequestError as exc:
        raise BadDocument(str(exc), hint=exc.hint) from exc


def _names(body: Mapping[str, object], name: str, at: str) -> list[object]:
    found = body.get(name, [])
    if not isinstance(found, Sequence) or isinstance(found, str) or len(found) > MOST:
        raise BadDocument(f"{at}.{name}: must be a list of at most {MOST} names")
    if name in body and not found:  # nobody means all by none
        raise BadDocument(f"{at}.{name}: is empty", hint="leave it out for all of them")
    return list(found)


def _flag(value: object, at: str) -> bool:
    if not isinstance(value, bool):
        raise BadDocument(f"{at}: must be true or false")
    return value


def parse_grants(bodies: object) -> tuple[Grant, ...]:
    """Read the grants of one.

    Raises: ``BadDocument``.
    """
    if not isinstance(bodies, Sequence) or isinstance(bodies, str) or len(bodies) > MOST:
        raise BadDocument(f"grants: must be a list of at most {MOST}")
    return tuple(parse_grant(one, f"grants[{i}]") for i, one in enumerate(bodies))


def show_grants(bodies: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Show grants as they were given, their fields in one order.

    >>> show_grants([{"back": "7d", "role": "viewer"}])
    [{'role': 'viewer', 'back': '7d'}]
    """
    return [{name: one[name] for name in _KNOWN if name in one} for one in bodies]
