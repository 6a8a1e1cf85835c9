"""Many cameras at once; and what a source offers, before it is a camera."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from itertools import islice
from typing import Annotated

from fastapi import Query

from recorder.access.permissions import Permission as P
from recorder.api.clean_json import CleanJson
from recorder.api.deps import AppDep, AuthorDep
from recorder.api.gate import GateDep, needs
from recorder.api.routes.cameras import check_change
from recorder.api.routing import Routes
from recorder.api.sent import CamerasBody, ProbeBody
from recorder.api.shown_cameras import ShownProbe, ShownTaken
from recorder.audit.entry import Subject
from recorder.capture.probing import read_probe
from recorder.errors import UnavailableError
from recorder.logbook.subjects import MOST_NAMED
from recorder.made import find_ffmpeg
from recorder.model.cameras import Camera
from recorder.model.checks import check_text
from recorder.model.keys import CameraId
from recorder.model.secrets import mask
from recorder.model.sheets import read_sent
from recorder.sites.bulk import show_taken, take_sheet

router = Routes(prefix="/api/v1", tags=("cameras",))

MOST_PROBES = 2
"""Sources looked at at once: each is recorded for some seconds, beside what is to be recorded."""
_PROBES = threading.BoundedSemaphore(MOST_PROBES)


@router.post(
    "/cameras",
    response_model=list[ShownTaken],
    dependencies=[needs(P.CAMERA_WRITE, scoped=True)],
)
def take_cameras(
    body: CamerasBody,
    app: AppDep,
    author: AuthorDep,
    gate: GateDep,
    dry_run: Annotated[bool, Query(description="Only say what would change.")] = False,
) -> CleanJson:
    """Add and change many cameras of this site; none is removed.

    All are looked at before one is stored.  Of a camera that there is only what is sent changes.
    """
    wanted, now = read_sent(body), app.clock.now()
    for one in wanted:
        check_change(gate, app, one.name, None, dict(one.document))
    with contextlib.ExitStack() as noted:
        if not dry_run:
            file = check_text(body.get("name", ""), "name", 256)
            names = [one.name for one in islice(wanted, MOST_NAMED)]
            about = Subject(app.settings.site, name=file)
            details = {"author": author, "cameras": names, "count": len(wanted)}
            noted.enter_context(app.book.doing(gate.caller, "camera.import", about, **details))
        done = take_sheet(app.changer, wanted, author, now, dry=dry_run)
    return CleanJson([show_taken(one) for one in done])


@router.post("/probe", response_model=ShownProbe, dependencies=[needs(P.CAMERA_WRITE, scoped=True)])
def probe_camera(body: ProbeBody, app: AppDep, gate: GateDep) -> CleanJson:
    """Record a source for some seconds and say what it offers, or why it cannot be reached.

    For whoever may add a camera: this node connects to it, as it would then.
    """
    from recorder.capture.probe import probe_source

    def known(camera: CameraId) -> Camera | None:
        return app.catalog.cameras.get(camera.camera) if gate.sees(camera) else None

    asked = read_probe(body, app.settings.site, known)
    about = Subject(app.settings.site, asked.camera.camera if asked.camera else "")
    with _one_of_few():
        app.book.note(gate.caller, "camera.probe", about, source=mask(asked.source.url))
        ffmpeg = find_ffmpeg(app.settings.capture.ffmpeg)
        facts = probe_source(ffmpeg, asked.source, asked.timeout_s, app.clock, app.allowed)
    return CleanJson(facts)


@contextlib.contextmanager
def _one_of_few() -> Iterator[None]:
    """Let few probes run at once.  Raises: ``UnavailableError``."""
    if not _PROBES.acquire(blocking=False):
        raise UnavailableError(f"probe: {MOST_PROBES} others are under way", hint="ask again")
    try:
        yield
    finally:
        _PROBES.release()
