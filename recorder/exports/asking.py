"""Asking for exports, finding them, taking them back: what the doors call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from recorder.audit.entry import Subject
from recorder.clock import new_id
from recorder.errors import NotFound, RequestError, StateError, TooMany
from recorder.evidence.sums import fingerprint
from recorder.exports.tools import pin_of
from recorder.handover import Asked, note_export
from recorder.logbook.vouch import public_pem
from recorder.model.caller import Caller
from recorder.model.exports import MOST_CAMERAS, Export, ExportState, ExportWanted, show_export
from recorder.model.shown_exports import ShownExport, ShownExportKey
from recorder.model.timebase import DAY, format_duration, format_instant

if TYPE_CHECKING:
    from recorder.app import App

MOST_OPEN = 20
"""Of one who asks; more than a person waits for, and none can fill the list for others."""
MOST_WAIT_NS = 30 * DAY
EXPORTS_LISTED = "`recorder export list`, or GET /api/v1/exports, shows those there are"
TRIES = 5
"""How often it is looked anew at what another changed meanwhile."""


def ask(app: App, caller: Caller, wanted: ExportWanted) -> Export:
    """Take down what somebody asks for; its footage is held from now on.

    Raises: ``NotFound``, ``StateError`` for a camera; ``TooMany``; ``RequestError``.
    """
    now = app.site_clock.now()
    known = app.catalog.exports.all()
    if sum(1 for one in known if one.open and one.who == str(caller)) >= MOST_OPEN:
        raise TooMany(
            f"{MOST_OPEN} exports of {caller} are not made yet",
            hint="wait for them, or take some back: recorder export remove",
            retry_after_s=60,
        )
    wait_ns = wanted.wait_ns or app.settings.exports.wait_ns
    if not 0 < wait_ns <= MOST_WAIT_NS:
        raise RequestError(f"wait: must be within {format_duration(MOST_WAIT_NS)}")
    if wanted.range.end > now + wait_ns:
        raise RequestError(
            f"the range ends after {format_instant(now + wait_ns, 0)}, until when is waited",
            hint="ask for an earlier end, or with a longer wait (--wait 2d)",
        )
    cameras = app.finder.cameras_of(wanted.cameras)
    if len(cameras) > MOST_CAMERAS:
        raise RequestError(f"cameras: {len(cameras)} are more than {MOST_CAMERAS}")
    made = Export(
        new_id(),
        replace(caller, purpose=wanted.purpose),
        replace(wanted, cameras=cameras),
        now,
        now + wait_ns,
    )
    with app.book.doing(made.caller, "export.ask", subject_of(made), **details_of(made)):
        note_export(app, made.caller, asked_of(made), made.export_id)
        app.catalog.exports.add(made)
        pin_of(app.catalog.holds, app.site_clock, made).keep()
    return made


def asked_of(export: Export) -> Asked:
    """Return what is handed over."""
    wanted = export.wanted
    return Asked(
        wanted.cameras,
        wanted.range,
        wanted.case,
        wanted.purpose,
        None,
        wanted.stream or None,
        wanted.form,
    )


def subject_of(export: Export) -> Subject:
    """Return what entries of the log say an export is on."""
    cameras = export.wanted.camera_ids
    only = cameras[0] if len(cameras) == 1 else None
    site, camera = (only.site, only.camera) if only is not None else ("", "")
    return Subject(
        site, camera, export.wanted.stream if only else "", export.wanted.range, export.export_id
    )


def details_of(export: Export) -> dict[str, Any]:
    """Say in an entry of the log which export it is."""
    wanted = export.wanted
    return {
        "export": export.export_id,
        "case": wanted.case,
        "purpose": wanted.purpose,
        "cameras": list(wanted.cameras[:200]),
        "count": len(wanted.cameras),
    }


def missing(export_id: str) -> str:
    """Say that there is no export of an id, or none that one may know of."""
    return f"no export {export_id[:64]!r}"


def find(app: App, export_id: str) -> Export:
    """Return an export.

    Raises: ``NotFound``.
    """
    found = app.catalog.exports.get(export_id)
    if found is None or found.state is ExportState.REMOVED:
        raise NotFound(
            missing(export_id),
            hint=EXPORTS_LISTED,
        )
    return found


def all_of(app: App) -> list[Export]:
    """Return all exports, the newest first."""
    return [one for one in app.catalog.exports.all() if one.state is not ExportState.REMOVED]


def shown(app: App, exports: Iterable[Export]) -> list[ShownExport]:
    """Write exports for answers, with what people call their cameras."""
    labels = app.catalog.cameras.labels()
    return [show_export(one, labels) for one in exports]


def remove(app: App, caller: Caller, export: Export) -> None:
    """Take an export back: it is made no further, and its files go.

    Raises: ``NotFound``; ``StateError``.
    """
    with app.book.doing(caller, "export.remove", subject_of(export), **details_of(export)):
        for _ in range(TRIES):
            now = app.site_clock.now()
            if app.catalog.exports.change(export.ends(ExportState.REMOVED, now), export):
                break
            export = find(app, export.export_id)
        else:
            raise StateError(f"export {export.export_id}: others change it, too", hint="ask again")
        pin_of(app.catalog.holds, app.site_clock, export).let_go()


def ready(export: Export) -> Export:
    """Return an export whose bundle can be fetched.

    Raises: ``NotFound`` when it never can be; ``StateError`` when it cannot yet.
    """
    if export.open:
        raise StateError(
            f"export {export.export_id} is {export.state}"
            + (f": {export.said}" if export.said else ""),
            hint="GET /api/v1/exports/ID says how far it is",
        )
    if export.state is not ExportState.DONE or export.made is None:
        raise NotFound(
            f"export {export.export_id}: there is no bundle: it {_became(export)}",
            hint="ask for it anew",
        )
    return export


def _became(export: Export) -> str:
    if export.state is ExportState.FAILED:
        return f"failed: {export.said}"
    return "has expired"


def show_key(app: App) -> ShownExportKey:
    """Return the key that signs this site's bundles."""
    pem = public_pem(app.press.signer())
    return {"fingerprint": fingerprint(pem), "pem": pem.decode()}
