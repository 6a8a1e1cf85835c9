"""Which permission each command needs of whoever gives it from elsewhere.

On the node itself file permissions decide: who may read the catalog may do all of it.  ``None``:
the command concerns this machine alone, and nobody gives it from elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from recorder.access.permissions import Permission as P

ON_NODE = frozenset({
    "audit begin", "backup", "check", "doctor", "export create", "export key", "rebuild",
    "restore", "scrub", "serve", "settings show", "site join", "store adopt", "store list",
    "store probe",
})  # fmt: skip
"""What has to do with a node's own disks, settings and processes: refused from afar (64)."""
HERE = frozenset(
    {
        "demo",
        "login",
        "logout",
        "policy preset",
        "policy schema",
        "settings sample",
        "unit",
        "verify",
    }
)
"""What needs neither a node nor a server, or chooses itself."""

NEEDED: Mapping[str, P | None] = {
    "access explain": P.ACCESS_READ,
    "access roles": P.PUBLIC,
    "approval approve": P.FOOTAGE_APPROVE,
    "approval ask": P.CAMERA_READ,
    "approval list": P.CAMERA_READ,
    "approval refuse": P.FOOTAGE_APPROVE,
    "audit begin": None,
    "audit checkpoint": P.AUDIT_READ,
    "audit export": P.AUDIT_READ,
    "audit key": P.AUDIT_READ,
    "audit show": P.AUDIT_READ,
    "audit verify": P.AUDIT_READ,
    "backup": P.SYSTEM_WRITE,
    "camera add": P.CAMERA_WRITE,
    "camera export": P.CAMERA_READ,
    "camera import": P.CAMERA_WRITE,
    "camera list": P.CAMERA_READ,
    "camera probe": P.CAMERA_WRITE,
    "camera remove": P.CAMERA_WRITE,
    "camera set": P.CAMERA_WRITE,
    "camera show": P.CAMERA_READ,
    "check": P.SYSTEM_READ,
    "clip": P.FOOTAGE_EXPORT,
    "coverage": P.CAMERA_READ,
    "demo": None,
    "doctor": None,
    "event add": P.EVENT_WRITE,
    "event list": P.EVENT_READ,
    "export create": P.FOOTAGE_EXPORT,
    "export key": P.PUBLIC,
    "frame": P.FOOTAGE_VIEW,
    "hold add": P.HOLD_WRITE,
    "hold list": P.HOLD_READ,
    "hold release": P.HOLD_RELEASE,
    "login": None,
    "logout": None,
    "node drain": P.SYSTEM_WRITE,
    "node list": P.SYSTEM_READ,
    "node undrain": P.SYSTEM_WRITE,
    "point add": P.POINT_WRITE,
    "point list": P.EVENT_READ,
    "point remove": P.POINT_WRITE,
    "policy apply": P.POLICY_WRITE,
    "policy check": P.POLICY_READ,
    "policy explain": P.CAMERA_READ,
    "policy forecast": P.POLICY_READ,
    "policy log": P.AUDIT_READ,
    "policy plan": P.POLICY_READ,
    "policy preset": P.POLICY_WRITE,
    "policy schema": P.POLICY_READ,
    "policy set": P.POLICY_WRITE,
    "policy show": P.POLICY_READ,
    "rebuild": P.SYSTEM_WRITE,
    "restore": None,
    "scrub": P.SYSTEM_WRITE,
    "secrets begin": None,
    "secrets check": None,
    "secrets new": None,
    "secrets rotate": None,
    "serve": None,
    "settings sample": None,
    "settings show": None,
    "site": P.SITE_READ,
    "site admit": P.SITE_WRITE,
    "site expel": P.ACCESS_WRITE,
    "site invite": P.ACCESS_WRITE,
    "site join": None,
    "store adopt": P.SYSTEM_WRITE,
    "store list": P.SYSTEM_READ,
    "store probe": P.SYSTEM_READ,
    "store usage": P.SYSTEM_READ,
    "timeline": P.CAMERA_READ,
    "token add": P.ACCESS_WRITE,
    "token end": P.ACCESS_WRITE,
    "token list": P.ACCESS_READ,
    "token rotate": P.ACCESS_WRITE,
    "unit": None,
    "user add": P.ACCESS_WRITE,
    "user close": P.ACCESS_WRITE,
    "user grant": P.ACCESS_WRITE,
    "user invite": P.ACCESS_WRITE,
    "user list": P.ACCESS_READ,
    "user redeem": P.PUBLIC,
    "verify": None,
}
