"""What entries of the log say of holds, events and documents."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from recorder.audit.entry import Subject, canonical
from recorder.model.events import Event
from recorder.model.holds import Hold
from recorder.model.keys import read_camera_id

MOST_NAMED = 200
"""So many cameras are named."""


def hold_subject(hold: Hold) -> Subject:
    """Return what a hold is on: its one camera, or none in particular."""
    return _subject(hold.cameras, hold.range, hold.hold_id)


def hold_details(hold: Hold) -> dict[str, Any]:
    """Say why a hold is placed."""
    return {
        "cameras": list(hold.cameras[:MOST_NAMED]),
        "count": len(hold.cameras),
        "case": hold.case,
        "reason": hold.reason,
        "owner": hold.owner,
    }


def event_subject(event: Event) -> Subject:
    """Return what an event touches."""
    return _subject(event.cameras, event.range, event.event_id, event.site)


def _subject(cameras: tuple[str, ...], range_: Any, name: str, site: str = "") -> Subject:
    if len(cameras) != 1:
        return Subject(range=range_, name=name)
    one = read_camera_id(cameras[0], site)
    return Subject(one.site, one.camera, range=range_, name=name)


def document_details(body: Mapping[str, object]) -> dict[str, object]:
    """Say which document it is, by its bytes."""
    return {"sha256": hashlib.sha256(canonical(dict(body))).hexdigest()}
