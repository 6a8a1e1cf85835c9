"""Holds: footage nobody may purge, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from recorder.errors import BadDocument, RequestError
from recorder.model.about import called
from recorder.model.checks import check_integer, check_text
from recorder.model.keys import ANY_SITE, CameraId, check_name, other_name, read_camera_id, said_of
from recorder.model.media import Segment
from recorder.model.shown import ShownHold
from recorder.model.timebase import (
    EARLIEST,
    LATEST,
    Instant,
    TimeRange,
    format_instant,
    format_known,
    parse_instant,
)
from recorder.model.unknown import check_rest

MOST_CAMERAS = 10_000
EXPORT_HOLD = "export-"
"""What the names of holds that exports place begin with; they are forgotten when they ended."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A range of some cameras that stays, whatever policy says (law L5).

    ``cameras`` are ``site/camera``; a bare name, as holds of before have it, means the cameras
    of that name at every site.
    ``expires`` is ``None`` for a hold without end; ``released`` when somebody let it go.
    """

    hold_id: str
    cameras: tuple[str, ...]
    range: TimeRange
    case: str
    reason: str
    owner: str
    created: Instant
    expires: Instant | None = None
    released: Instant | None = None
    released_by: str = ""

    def live(self, now: Instant) -> bool:
        """Tell whether it holds at an instant."""
        return self.released is None and (self.expires is None or now < self.expires)

    @property
    def camera_ids(self) -> list[CameraId]:
        """The cameras, apart: of a site, or of any."""
        parts = (name.rpartition("/") for name in self.cameras)
        return [CameraId(site or ANY_SITE, camera) for site, _, camera in parts]

    def names(self, camera: CameraId) -> bool:
        """Tell whether it is of a camera."""
        return str(camera) in self.cameras or camera.camera in self.cameras


def read_hold(body: Mapping[str, object]) -> Hold:
    """Read a hold as sites tell it to each other, and stores keep it.

    Raises: ``RequestError``; ``KeyError``, ``TypeError``, ``ValueError`` when it is malformed.
    """
    cameras, later = body["cameras"], ("expires", "released")
    if not isinstance(cameras, list | tuple) or not cameras:
        raise RequestError("cameras: must be a list of names")
    ends = body["range"]
    if not isinstance(ends, list | tuple):
        raise RequestError("range: must be a list")
    start, end = (_told_instant(at, "range") for at in ends)
    case, reason, owner = (
        check_text(body[name], name, lines=True) for name in ("case", "reason", "owner")
    )
    expires, released = (
        None if body[name] is None else _told_instant(body[name], name) for name in later
    )
    return Hold(
        check_text(body["hold_id"], "hold id", 200),
        tuple(str(read_camera_id(one)) for one in cameras),
        TimeRange(start, end),
        case,
        reason,
        owner,
        _told_instant(body["created"], "created"),
        expires,
        released,
        check_text(body["released_by"], "released_by", lines=True),
    )


def _told_instant(value: object, what: str) -> Instant:
    return check_integer(value, what, EARLIEST, LATEST)


def differences(asked: Hold, known: Hold) -> list[str]:
    """Say in what a hold that there is differs from what is asked for under its id."""

    def moment(at: Instant | None) -> str:
        return "never" if at is None else format_instant(at)

    def names(cameras: Iterable[str]) -> str:
        few = sorted(cameras)
        return ", ".join(few[:5]) + (f" and {len(few) - 5} more" if len(few) > 5 else "")

    pairs: list[tuple[str, str, str]] = [
        ("start", moment(known.range.start), moment(asked.range.start)),
        ("end", moment(known.range.end), moment(asked.range.end)),
        ("expires", moment(known.expires), moment(asked.expires)),
        *(
            (name, getattr(known, name), getattr(asked, name))
            for name in ("case", "reason", "owner")
        ),
    ]
    found = [f"its {name} is {had}, not {wanted}" for name, had, wanted in pairs if had != wanted]
    if not _same_cameras(asked, known):
        found.insert(0, f"its cameras are {names(known.cameras)}, not {names(asked.cameras)}")
    return found


def name_from_above(hold: Hold) -> str:
    """Return what a hold from above is called where its id is that of another hold."""
    ends = (hold.range.start, hold.range.end)
    return other_name(hold.hold_id, *sorted(hold.cameras), *ends, hold.created)


def _same_cameras(asked: Hold, known: Hold) -> bool:
    """Compare cameras; a bare name of before is the camera that it is taken for today."""
    said = {*asked.cameras, *(one.camera for one in asked.camera_ids)}
    return set(known.cameras) <= said and all(known.names(one) for one in asked.camera_ids)


def held_ranges(holds: Iterable[Hold], now: Instant) -> dict[CameraId, list[TimeRange]]:
    """Return what live holds keep, by camera; :func:`said_of` reads it."""
    found: dict[CameraId, list[TimeRange]] = {}
    for hold in holds:
        if hold.live(now):
            for camera in hold.camera_ids:
                found.setdefault(camera, []).append(hold.range)
    return found


def is_held(held: Mapping[CameraId, Sequence[TimeRange]], segment: Segment) -> bool:
    """Tell whether what :func:`held_ranges` returned keeps a segment."""
    ranges = said_of(held, segment.stream.camera_id)
    return any(one.overlaps(segment.range) for one in ranges)


HOLD_FIELDS = ("cameras", "start", "end", "case", "reason", "owner", "expires", "id")


def parse_hold(document: Mapping[str, object], hold_id: str, now: Instant) -> Hold:
    """Read a hold as it is asked for.

    Raises: ``BadDocument`` with the path of the mistake.
    """
    body = dict(document)
    cameras = body.pop("cameras", None) or body.pop("camera", None)
    given = body.pop("id", None)
    try:
        known = read_names(cameras)
        case, reason, owner = (_text(body, name) for name in ("case", "reason", "owner"))
        start, end = _instant(body, "start"), _instant(body, "end")
        expires = _instant(body, "expires") if body.get("expires") is not None else None
        body.pop("expires", None)
        own_id = check_name(given, "hold id") if given is not None else hold_id
    except RequestError as exc:
        raise BadDocument(str(exc), hint=exc.hint) from exc
    if own_id.startswith(EXPORT_HOLD):
        raise BadDocument(
            f"id: holds of exports alone have names that begin with {EXPORT_HOLD}",
            hint="such a hold is forgotten soon after it ended: give yours another name",
        )
    if end <= start:
        raise BadDocument("end: is not after start")
    if expires is not None and expires <= now:
        raise BadDocument("expires: is in the past")
    check_rest(body, HOLD_FIELDS)
    asked = TimeRange(start, end)
    return Hold(own_id, known, asked, case, reason, owner, now, expires)


def read_names(value: object) -> tuple[str, ...]:
    """Read cameras that a document names: with a site or without, one or a list; each once.

    Raises: ``RequestError``.
    """
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not names:
        raise RequestError("cameras: missing", hint="name one camera or more")
    if len(names) > MOST_CAMERAS:
        raise RequestError(f"cameras: {len(names)} are more than {MOST_CAMERAS}")
    return tuple(dict.fromkeys(str(read_camera_id(name)) for name in names))


def _text(body: dict[str, object], key: str) -> str:
    value = body.pop(key, None)
    if not isinstance(value, str) or not value.strip():
        raise RequestError(f"{key}: missing", hint="a hold says its case, its reason and its owner")
    return check_text(value.strip(), key, 1024)


def _instant(body: dict[str, object], key: str) -> Instant:
    value = body.pop(key, None)
    if not isinstance(value, str):
        raise RequestError(f"{key}: missing", hint="write a time with a zone")
    return parse_instant(value, key)


def show_hold(hold: Hold, now: Instant, labels: Mapping[str, str]) -> ShownHold:
    """Write a hold for answers; ``labels``: what people call cameras, by ``site/camera``."""
    state = "released" if hold.released is not None else "live" if hold.live(now) else "expired"
    return {
        "id": hold.hold_id,
        "cameras": list(hold.cameras),
        "labels": called(hold.cameras, labels),
        "start": format_instant(hold.range.start),
        "end": format_instant(hold.range.end),
        "case": hold.case,
        "reason": hold.reason,
        "owner": hold.owner,
        "state": state,
        "created": format_known(hold.created),
        "expires": format_known(hold.expires),
        "released": format_known(hold.released),
        "released_by": hold.released_by or None,
    }
