"""Exports: bundles of evidence that somebody asked for, and how far each is.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from recorder.errors import BadDocument, RequestError
from recorder.model.about import called
from recorder.model.caller import Caller, CallerKind
from recorder.model.checks import check_text
from recorder.model.holds import EXPORT_HOLD, read_names
from recorder.model.keys import CameraId, check_name, read_camera_id
from recorder.model.shown_exports import ShownExport
from recorder.model.timebase import (
    MINUTE,
    Instant,
    TimeRange,
    format_instant,
    format_known,
    parse_duration,
)
from recorder.model.unknown import meant

MOST_CAMERAS = 500
FURTHEST_NS = 15 * MINUTE
"""No lease, and no pause between two tries, is as long."""
FORMS = ("masked", "mark", "onvif", "c2pa", "timestamp")
FIELDS = ("cameras", "camera", "site", "stream", "start", "end", "case", "purpose", "wait", *FORMS)


class ExportState(StrEnum):
    """How far an export is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"
    REMOVED = "removed"
    """Somebody took it back; shown to nobody, until its files are gone."""


OPEN = frozenset({ExportState.WAITING, ExportState.RUNNING})


@dataclass(frozen=True, slots=True)
class Form:
    """What a bundle has, and is signed with.

    ``masked``, ``mark``: copies with the cameras' masks, with who asked, when and what for burnt
    in, instead of what was recorded; ``onvif``, ``c2pa``: other forms of the clips besides;
    ``timestamp``: with a time stamp, where the settings name an authority.
    """

    masked: bool = False
    mark: bool = False
    onvif: bool = False
    c2pa: bool = False
    timestamp: bool = True

    def __post_init__(self) -> None:
        """Refuse what does not go together.  Raises: ``RequestError``."""
        if self.copies and (self.onvif or self.c2pa):
            raise RequestError(
                "onvif, c2pa: are of what was recorded, not of masked or marked copies",
                hint="make two bundles",
            )

    @property
    def copies(self) -> bool:
        """Whether it has copies instead of what was recorded."""
        return self.masked or self.mark


def read_form(body: Mapping[str, Any]) -> Form:
    """Read a form of a bundle; what is not said is as usual.

    Raises: ``BadDocument``; ``RequestError``.
    """
    said = {name: body[name] for name in FORMS if body.get(name) is not None}
    for name, value in said.items():
        if not isinstance(value, bool):
            raise BadDocument(f"{name}: must be true or false")
    return Form(**said)


@dataclass(frozen=True, slots=True)
class ExportWanted:
    """What somebody asks for: ``wait_ns`` is how long it may take, 0 as the settings say."""

    cameras: tuple[str, ...]
    range: TimeRange
    case: str
    purpose: str
    stream: str = ""
    wait_ns: int = 0
    form: Form = Form()

    @property
    def camera_ids(self) -> list[CameraId]:
        """The cameras, each with its site."""
        return [read_camera_id(one) for one in self.cameras]


@dataclass(frozen=True, slots=True)
class ExportMade:
    """A bundle that is whole: ``digest`` is of its zip, ``fingerprint`` of the key that signed.

    ``masks``: of masked copies, the digest of each camera's masks that are burnt in.
    """

    digest: str
    size_bytes: int
    fingerprint: str
    problems: tuple[str, ...] = ()
    masks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Export:
    """A bundle that was asked for.

    ``node``: who makes it, or has it; ``term`` grows with each who takes it up, ``until`` is when
    another may; ``due``: when it is tried next; ``said``: why it waits, or failed, ``kind`` the
    class of the error.
    Units: times are ns since the Unix epoch, UTC, by the clock that the site's nodes share.
    """

    export_id: str
    caller: Caller
    wanted: ExportWanted
    asked: Instant
    deadline: Instant
    state: ExportState = ExportState.WAITING
    node: str = ""
    term: int = 0
    until: Instant = 0
    due: Instant = 0
    tries: int = 0
    said: str = ""
    done_bytes: int = 0
    all_bytes: int = 0
    made: ExportMade | None = None
    notes: tuple[str, ...] = ()
    began: Instant | None = None
    ended: Instant | None = None
    expires: Instant | None = None
    kind: str = ""

    @property
    def who(self) -> str:
        """Who asked, as logs name it."""
        return str(self.caller)

    @property
    def open(self) -> bool:
        """Whether it is still to be made."""
        return self.state in OPEN

    @property
    def hold_name(self) -> str:
        """What the names of its holds begin with."""
        return f"{EXPORT_HOLD}{self.export_id}"

    def may_take(self, node: str, now: Instant) -> bool:
        """Tell whether a node may take it up: it is due, and nobody else has it.

        A node that finds one running that is its own was killed meanwhile.  Nobody writes a time
        as far ahead as :data:`FURTHEST_NS`: one that is was written by a clock that was set back.
        """
        mine = self.node in ("", node) or self.until > now + FURTHEST_NS
        if self.state is ExportState.RUNNING:
            return mine or self.until <= now
        return (
            self.state is ExportState.WAITING and self._is_due(now) and (mine or self.until <= now)
        )

    def _is_due(self, now: Instant) -> bool:
        return not now < self.due <= now + FURTHEST_NS

    def ends(self, state: ExportState, now: Instant, said: str = "") -> Export:
        """Return it as it is when it has come to an end."""
        return replace(self, state=state, said=said[:1024], ended=now, until=0)


def read_wanted(body: Mapping[str, Any], asked: TimeRange) -> ExportWanted:
    """Read what is asked for, its range aside.

    Raises: ``BadDocument`` with the path of the mistake; ``RequestError``.
    """
    unknown = sorted(map(str, set(body) - {*FIELDS}))
    if unknown:
        raise BadDocument(f"{unknown[0][:64]}: no such field", hint=meant(unknown[0], FIELDS))
    names = read_names(body.get("cameras") or body.get("camera"))
    if len(names) > MOST_CAMERAS:
        raise RequestError(f"cameras: {len(names)} are more than {MOST_CAMERAS}")
    stream, wait = body.get("stream"), body.get("wait")
    return ExportWanted(
        names,
        asked,
        read_said(body.get("case"), "case"),
        read_said(body.get("purpose"), "purpose"),
        check_name(stream, "stream") if stream is not None else "",
        parse_duration(wait, "wait") if wait is not None else 0,
        read_form(body),
    )


def read_said(text: object, what: str) -> str:
    """Read what must say something.

    Raises: ``RequestError``.
    """
    said = check_text(text if text is not None else "", what).strip()
    if not said:
        raise RequestError(f"{what}: says nothing", hint="it stands in the log, and in the report")
    return said


def show_caller(caller: Caller) -> dict[str, str]:
    """Write who asked, to be kept."""
    return {
        "kind": caller.kind.value,
        "name": caller.name,
        "address": caller.address,
        "session": caller.session,
    }


def read_caller(body: Mapping[str, str], purpose: str) -> Caller:
    """Read who asked."""
    kind = CallerKind(body["kind"])
    return Caller(kind, body["name"], body["address"], body["session"], purpose)


def show_export(export: Export, labels: Mapping[str, str]) -> ShownExport:
    """Write an export for answers; ``labels``: what people call cameras, by ``site/camera``."""
    wanted, made = export.wanted, export.made
    return {
        "id": export.export_id,
        "state": export.state.value,
        "cameras": list(wanted.cameras),
        "labels": called(wanted.cameras, labels),
        "stream": wanted.stream or None,
        "start": format_instant(wanted.range.start, 9),
        "end": format_instant(wanted.range.end, 9),
        "case": wanted.case,
        "purpose": wanted.purpose,
        "masked": wanted.form.masked,
        "mark": wanted.form.mark,
        "onvif": wanted.form.onvif,
        "c2pa": wanted.form.c2pa,
        "timestamp": wanted.form.timestamp,
        "who": export.who,
        "node": export.node or None,
        "asked": format_instant(export.asked, 0),
        "deadline": format_instant(export.deadline, 0),
        "began": format_known(export.began, 0),
        "ended": format_known(export.ended, 0),
        "expires": format_known(export.expires, 0),
        "done_bytes": export.done_bytes,
        "all_bytes": export.all_bytes or None,
        "waits_for": export.said or None if export.open else None,
        "failed_for": export.said or None if export.state is ExportState.FAILED else None,
        "failed_as": export.kind or None if export.state is ExportState.FAILED else None,
        "problems": [*(made.problems if made is not None else ()), *export.notes],
        "bytes": made.size_bytes if made is not None else None,
        "sha256": made.digest if made is not None else None,
        "fingerprint": made.fingerprint if made is not None else None,
    }
