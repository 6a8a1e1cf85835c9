"""Handing footage over: a bundle is made under a hold of its own, signed, and in the log."""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recorder.audit.entry import Result, Subject
from recorder.clock import new_id, synchronized_time
from recorder.errors import RequestError
from recorder.evidence.manifest import time
from recorder.export.bundle import Maker, Order
from recorder.export.burnt import burn_of
from recorder.export.copier import Copier
from recorder.export.signing import signing
from recorder.export.sinks import Sink
from recorder.janitor.holding import place, release
from recorder.logbook.subjects import document_details
from recorder.logbook.vouch import SiteVoucher
from recorder.made import find_ffmpeg
from recorder.model.caller import Caller
from recorder.model.checks import check_text
from recorder.model.holds import Hold
from recorder.model.keys import StreamId
from recorder.model.timebase import DAY, Instant, TimeRange, format_instant
from recorder.playback.frame import grab

if TYPE_CHECKING:
    from recorder.app import App
    from recorder.reading.named import Named

PICTURE_WIDTH = 960
HELD_NS = DAY
"""So long the hold of an export that was killed goes on; an hour of many cameras takes less."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asks for to be handed over.

    ``masked``, ``mark``: copies with masks, with a visible mark, instead of what was recorded.
    """

    cameras: Sequence[str]
    range: TimeRange
    case: str
    purpose: str
    site: str | None = None
    stream: str | None = None
    masked: bool = False
    mark: bool = False
    onvif: bool = False
    c2pa: bool = False
    timestamp: bool = True
    """With a time stamp, where the settings name an authority; without: only where one says so."""


def hand_over(
    app: App, caller: Caller, asked: Asked, sink: Sink, step: Callable[[int], object]
) -> dict[str, Any]:
    """Make a bundle; return its manifest.

    Raises: ``RequestError`` for a case or purpose that says nothing; as :class:`Maker`.
    """
    case, purpose = _said(asked.case, "case"), _said(asked.purpose, "purpose")
    if (asked.masked or asked.mark) and (asked.onvif or asked.c2pa):
        raise RequestError(
            "onvif, c2pa: are of what was recorded, not of masked or marked copies",
            hint="make two bundles",
        )
    names = dict.fromkeys(asked.cameras)
    streams = [app.named(one, asked.stream, asked.site) for one in names]
    signs = signing(app.settings.evidence, app.clock, asked.timestamp, asked.onvif, asked.c2pa)
    copier = _copier(app, caller, asked, streams)
    id_ = new_id()
    about: dict[str, Any] = {"export": id_, "case": case, "purpose": purpose}
    if not asked.timestamp and app.settings.evidence.timestamp_url:
        about["timestamp"] = "none, as asked"
    about |= copier.show() if copier is not None else {}
    for one in streams:
        name = one.stream
        subject = Subject(name.site, name.camera, name.stream, asked.range)
        app.book.note(caller, "footage.export", subject, Result.ALLOWED, **about)
    only = streams[0].stream if len(streams) == 1 else None
    subject = Subject(
        only.site if only else "", only.camera if only else "", only.stream if only else "",
        asked.range, id_,
    )  # fmt: skip

    def note(action: str, details: dict[str, Any]) -> None:
        app.book.note(caller, action, subject, Result.ALLOWED, **about, **details)

    order = Order(
        id_, streams, asked.range, _made(app, caller, case, purpose), _policy(app), copier,
        app.settings.own_url, signs,
    )  # fmt: skip
    voucher = SiteVoucher(app.catalog, app.press, lambda: app.log_store, note, app.sealed_log)
    with _held(app, caller, streams, asked, id_):
        return Maker(app.view, sink, _pictures(app), step).make(order, voucher)


def _copier(app: App, caller: Caller, asked: Asked, streams: Sequence[Named]) -> Copier | None:
    """Return what makes copies, where those are asked for.

    Raises: ``StateError`` when a camera has no masks.
    """
    if not (asked.masked or asked.mark):
        return None
    mark = (f"{caller}  {format_instant(app.clock.now(), 0)}", f"case {asked.case}")
    burns = {
        one.stream: burn_of(
            one.stream.camera_id, app.catalog.cameras.privacy(one.stream.camera_id),
            mark if asked.mark else (), masked=asked.masked,
        )
        for one in streams
    }  # fmt: skip
    return Copier(burns, find_ffmpeg(app.settings.capture.ffmpeg), app.spool.root / "burning")


def _said(text: str, what: str) -> str:
    said = check_text(text, what).strip()
    if not said:
        raise RequestError(f"{what}: says nothing", hint="it stands in the log, and in the report")
    return said


def _pictures(app: App) -> Callable[[StreamId, Instant], tuple[bytes, Instant]]:
    ffmpeg = find_ffmpeg(app.settings.capture.ffmpeg)

    def picture(stream: StreamId, at: Instant) -> tuple[bytes, Instant]:
        found = grab(app.view, stream, at, ffmpeg, PICTURE_WIDTH)
        return found.jpeg, found.at

    return picture


def _made(app: App, caller: Caller, case: str, purpose: str) -> dict[str, Any]:
    now = app.clock.now()
    kept = synchronized_time() is not None
    return {
        "at": time(now),
        "site": app.settings.site,
        "node": app.settings.node,
        "by": str(caller),
        "case": case,
        "purpose": purpose,
        "software": f"Spanstore {importlib.metadata.version('spanstore')}",
        "clock": {
            "synchronized": kept,
            "said": "kept right by a time service" if kept else "no time service keeps it right",
        },
    }


def _policy(app: App) -> Callable[[Named], dict[str, Any]]:
    """Return what says which policy was in force when the bundle was made."""
    document = app.catalog.documents.newest("policy")
    if document is None:
        return lambda _: {"said": "none: everything is kept"}
    said = {
        "version": document.version,
        "at": time(document.at),
        "author": document.author,
        **document_details(document.body),
        "said": f"version {document.version} by {document.author}, {time(document.at)}",
    }
    return lambda _: said


@contextlib.contextmanager
def _held(
    app: App, caller: Caller, streams: Sequence[Named], asked: Asked, id_: str
) -> Iterator[None]:
    """Keep what is read from going meanwhile, whatever policy says."""
    now = app.clock.now()
    cameras = tuple(str(one.stream.camera_id) for one in streams)
    reason = f"export {id_} is being made"
    hold = Hold(new_id(), cameras, asked.range, asked.case, reason, str(caller), now, now + HELD_NS)
    place(app.catalog.holds, hold)
    try:
        yield
    finally:
        release(app.catalog, hold.hold_id, str(caller), app.clock.now())
