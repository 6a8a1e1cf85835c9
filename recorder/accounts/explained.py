"""Why somebody may do something, or may not."""

from __future__ import annotations

from recorder.access.decide import Camera, Circumstances, Everything, Subject, decide
from recorder.access.grants import read_permission
from recorder.access.permissions import ROLES, Role
from recorder.model.keys import group_of, read_camera_id
from recorder.ports import Cameras


def explain(
    subject: Subject, cameras: Cameras, action: str | None, camera: str | None, when: Circumstances
) -> list[dict[str, object]]:
    """Say whether somebody may do something, and why; without an action: of all there are.

    ``camera``: as ``site/camera``.
    Raises: ``BadDocument``.
    """
    on: Camera | Everything = Everything()
    if camera is not None:
        meant = read_camera_id(camera)
        on = Camera(meant, group_of(cameras.groups(), meant), privacy=cameras.privacy(meant))
    asked = [read_permission(action)] if action is not None else sorted(ROLES[Role.ADMIN])
    return [
        {
            "user": subject.name,
            "action": one.value,
            "camera": camera,
            "allowed": found.allowed,
            "reason": found.reason,
        }
        for one in asked
        for found in [decide(subject, one, on, when)]
    ]
