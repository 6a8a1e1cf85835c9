"""What entries of the log say of requests for another's approval."""

from __future__ import annotations

from recorder.access.approvals import Request
from recorder.audit.entry import Subject


def request_subject(request: Request) -> Subject:
    """Return what a request is on."""
    one = request.camera
    return Subject(one.site, one.camera, range=request.range, name=request.request_id)


def request_details(request: Request) -> dict[str, object]:
    """Say who asks, what and what for."""
    return {"who": request.who, "what": request.action.value, "for": request.purpose}
