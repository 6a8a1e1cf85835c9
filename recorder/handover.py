"""Handing footage over: a bundle is made under holds of its own, signed, and in the log."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recorder.audit.entry import Result, Subject
from recorder.clock import new_id, synchronized_time
from recorder.errors import NotYet
from recorder.evidence.manifest import time
from recorder.export.burnt import SCRATCH, burn_of
from recorder.export.copier import Copier
from recorder.export.sinks import Sink
from recorder.janitor.pinned import Pin
from recorder.logbook.subjects import document_details
from recorder.logbook.vouch import SiteVoucher
from recorder.made import find_ffmpeg
from recorder.model.caller import Caller
from recorder.model.exports import Form, read_said
from recorder.model.holds import EXPORT_HOLD
from recorder.model.keys import StreamId
from recorder.model.timebase import DAY, SECOND, Instant, TimeRange, format_instant, heard_within
from recorder.playback.frame import grab
from recorder.reading.timelines import NODE_SILENT_NS

if TYPE_CHECKING:
    from recorder.app import App
    from recorder.export.signing import Signing
    from recorder.reading.named import Named
    from recorder.reading.view import View

PICTURE_WIDTH = 960
SEGMENTS = 2
"""So many segments after its end a range is sealed, on all nodes: one that was begun in it, which
ends at a clean point, and the beginning of the next, which has it sealed."""


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
    form: Form = Form()  # noqa: RUF009 - is frozen


def hand_over(
    app: App, caller: Caller, asked: Asked, sink: Sink, step: Callable[[int], object]
) -> dict[str, Any]:
    """Make a bundle now, under holds of its own; return its manifest.

    Raises: ``RequestError`` for a case or purpose that says nothing; as :class:`Maker`.
    """
    said = replace(
        asked, case=read_said(asked.case, "case"), purpose=read_said(asked.purpose, "purpose")
    )
    id_ = new_id()
    streams = note_export(app, caller, said, id_)
    cameras = tuple(dict.fromkeys(str(one.stream.camera_id) for one in streams))
    reason = f"export {id_} is being made"
    pin = Pin(
        app.catalog.holds,
        app.clock,
        f"{EXPORT_HOLD}{id_}",
        cameras,
        said.range,
        said.case,
        reason,
        str(caller),
    )
    with pin.kept():
        return make_bundle(app, caller, said, id_, sink, step)


def note_export(app: App, caller: Caller, asked: Asked, id_: str) -> list[Named]:
    """Write into the log what of each stream is handed over; return the streams.

    Raises: ``NotFound``, ``StateError``, also where it cannot be signed or copied as asked;
    ``AuditUnavailable``.
    """
    streams = _streams(app, asked)
    _copier(app, caller, asked, streams)
    _signing(app, asked)
    for one in streams:
        name = one.stream
        subject = Subject(name.site, name.camera, name.stream, asked.range)
        about = _about(app, asked, id_)
        app.book.note(caller, "footage.export", subject, Result.ALLOWED, **about)
    return streams


def _streams(app: App, asked: Asked) -> list[Named]:
    """Find what was asked for; ``cam`` and ``site/cam`` may be one, which is given once."""
    found = [app.finder.named(one, asked.stream, asked.site) for one in asked.cameras]
    return list({one.stream: one for one in found}.values())


def _about(app: App, asked: Asked, id_: str) -> dict[str, object]:
    about: dict[str, object] = {"export": id_, "case": asked.case, "purpose": asked.purpose}
    form = asked.form
    if form.copies:
        about |= {"masked": form.masked, "mark": form.mark}
    if not form.timestamp and app.settings.evidence.timestamp_url:
        about["timestamp"] = "none, as asked"
    return about


def _signing(app: App, asked: Asked) -> Signing:
    """Return what signs a bundle besides the site's key.  Raises: ``StateError``."""
    from recorder.export.signing import signing  # certificates, stamps: read when it is wanted

    form = asked.form
    return signing(app.settings.evidence, app.clock, form.timestamp, form.onvif, form.c2pa)


def make_bundle(
    app: App,
    caller: Caller,
    asked: Asked,
    id_: str,
    sink: Sink,
    step: Callable[[int], object],
    begin: Callable[[int], object] = lambda _: None,
    aside: Path | None = None,
) -> dict[str, object]:
    """Make a bundle of what is held and stands in the log already; return its manifest.

    ``aside``: where copies are made; in the spool where nothing is said.
    Raises: as :class:`Maker`.
    """
    from recorder.export.bundle import Maker  # most nodes never make one
    from recorder.export.order import Order

    streams = _streams(app, asked)
    _check_sealed(app, streams, asked)
    only = streams[0].stream if len(streams) == 1 else None
    subject = Subject(
        only.site if only else "",
        only.camera if only else "",
        only.stream if only else "",
        asked.range,
        id_,
    )

    def note(action: str, details: dict[str, object]) -> None:
        about = _about(app, asked, id_)
        app.book.note(caller, action, subject, Result.ALLOWED, **about, **details)

    made = _made(app, caller, asked.case, asked.purpose)
    copier = _copier(app, caller, asked, streams, aside)
    order = Order(
        id_,
        streams,
        asked.range,
        made,
        _policy(app),
        app.catalog.cameras.about(),
        copier,
        app.settings.own_url,
        _signing(app, asked),
    )
    voucher = SiteVoucher(app.catalog, app.press, lambda: app.log_store, note, app.sealed_log)
    return Maker(app.view, sink, _pictures(app), step, begin=begin).make(order, voucher)


def _copier(
    app: App, caller: Caller, asked: Asked, streams: Sequence[Named], aside: Path | None = None
) -> Copier | None:
    """Return what makes copies, where those are asked for.

    Raises: ``StateError`` when a camera has no masks.
    """
    if not asked.form.copies:
        return None
    mark = (f"{caller}  {format_instant(app.clock.now(), 0)}", f"case {asked.case}")
    burns = {
        one.stream: burn_of(
            one.stream.camera_id,
            app.catalog.cameras.privacy(one.stream.camera_id),
            mark if asked.form.mark else (),
            masked=asked.form.masked,
        )
        for one in streams
    }
    ffmpeg = find_ffmpeg(app.settings.capture.ffmpeg)
    return Copier(burns, ffmpeg, aside or app.spool.root / SCRATCH)


def _check_sealed(app: App, streams: Sequence[Named], asked: Asked) -> None:
    """Refuse a range whose end another node may have in a file that it still writes.

    Only that node sees such a file: here its footage would be a gap, and be called so.
    Raises: ``NotYet``.
    """
    own = [one.stream for one in streams if one.stream.site == app.settings.site]
    if not app.settings.shared or not own:
        return
    now, end = app.site_clock.now(), asked.range.end
    left_ns = end + SEGMENTS * app.settings.capture.segment * SECOND - now
    late = [] if left_ns > 0 else _written_elsewhere(app, own, end, now)
    if left_ns > 0 or late:
        raise NotYet(
            f"{late[0] if late else own[0]}: another node may still write what ends at {time(end)}",
            hint="ask for an earlier end, or again in a minute or two",
            retry_after_s=max(5, -(-left_ns // SECOND)),
        )


def _written_elsewhere(
    app: App, streams: Sequence[StreamId], end: Instant, now: Instant
) -> list[StreamId]:
    """Return streams that other nodes record, and of which nothing after an instant is known."""
    beats = app.catalog.nodes.all()
    alive = {beat.node for beat in beats if heard_within(beat.at, now, NODE_SILENT_NS)}
    others = {
        one.stream
        for one in app.catalog.statuses.all()
        if one.state == "recording" and one.node != app.settings.node and one.node in alive
    }
    after = TimeRange(end - 1, now + DAY)
    return [
        one
        for one in streams
        if one in others and all(span.end <= end for span in app.catalog.footage.spans(one, after))
    ]


def _pictures(app: App) -> Callable[[View, StreamId, Instant], tuple[bytes, Instant]]:
    ffmpeg = find_ffmpeg(app.settings.capture.ffmpeg)

    def picture(view: View, stream: StreamId, at: Instant) -> tuple[bytes, Instant]:
        found = grab(view, stream, at, ffmpeg, PICTURE_WIDTH)
        return found.jpeg, found.at

    return picture


def _made(app: App, caller: Caller, case: str, purpose: str) -> dict[str, object]:
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


def _policy(app: App) -> Callable[[Named], dict[str, object]]:
    """Return what says which policy was in force when the bundle was made."""
    document = app.catalog.documents.newest("policy")
    if document is None:
        return lambda _: {"said": "none: everything is kept"}
    since = format_instant(document.at, 0)
    said = {
        "version": document.version,
        "at": time(document.at),
        "author": document.author,
        **document_details(document.body),
        "said": f"version {document.version} by {document.author}, {since}",
    }
    return lambda _: said
