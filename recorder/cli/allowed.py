"""Footage of sensitive cameras, on the node itself: file permissions decide who, a camera's
document what must be said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recorder.access.decide import ALL, Camera, Circumstances, Subject, decide
from recorder.access.permissions import Permission
from recorder.audit.entry import Result
from recorder.audit.entry import Subject as About
from recorder.errors import NotAllowed

if TYPE_CHECKING:
    from recorder.cli.context import Context
    from recorder.cli.exported import AskedFor
    from recorder.handover import Asked
    from recorder.model.keys import CameraId
    from recorder.model.timebase import TimeRange


def check_here(
    context: Context, action: Permission, camera: CameraId, asked: TimeRange, purpose: str = ""
) -> None:
    """Refuse footage for which a purpose must be said, or another person must approve.

    Nobody can approve what is asked for on the node: it does not know who asks.
    Raises: ``NotAllowed``.
    """
    app, me = context.app, context.me
    on = Camera(camera, "", asked, privacy=app.catalog.cameras.privacy(camera))
    when = Circumstances(app.clock.now(), purpose or me.purpose)
    found = decide(Subject(str(me), (ALL,)), action, on, when)
    if found.allowed:
        return
    why = {"permission": action.value, "reason": found.reason}
    about = About(camera.site, camera.camera, range=asked)
    app.book.note(me, "access.refused", about, Result.REFUSED, **why)
    as_person = "ask as yourself: recorder --server URL approval ask, and then --server URL again"
    hint = as_person if found.approvable else "such as recorder --purpose 'case 7' clip …"
    raise NotAllowed(found.reason, hint=hint)


def check_asked(context: Context, asked: Asked | AskedFor) -> None:
    """Look at all that is to be handed over; its purpose is said with it.

    Raises: ``NotAllowed``.
    """
    for one in dict.fromkeys(asked.cameras):
        camera = context.app.finder.named(one, asked.stream, asked.site).stream.camera_id
        check_here(context, Permission.FOOTAGE_EXPORT, camera, asked.range, asked.purpose)
