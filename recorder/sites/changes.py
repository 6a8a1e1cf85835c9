"""A change as a child tells it: whether it can be taken in.  Pure."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from recorder.catalog.told import COLUMNS
from recorder.errors import BadDocument, InFuture, NotAllowed
from recorder.model.about import take_about
from recorder.model.checks import check_integer, check_text
from recorder.model.events import MOST_AHEAD_NS, MOST_ROLL_NS, check_attributes, check_when
from recorder.model.holds import MOST_CAMERAS
from recorder.model.keys import (
    NAME,
    StreamId,
    check_key,
    check_name,
    is_key_of,
    read_camera_id,
)
from recorder.model.media import MOST_INIT
from recorder.model.places import parse_place
from recorder.model.timebase import DAY, Instant, TimeRange
from recorder.sites.speaker import Speaker

Message = Mapping[str, Any]

MOST_IMAGE = 2 << 20
"""Characters of an event's image, in base64."""
_ROW = {
    "start_ns": (0, None),
    "span_ns": (0, None),
    "counter": (0, 2**31 - 1),
    "end_ns": (0, None),
    "media_start": (None, None),
    "media_end": (None, None),
    "timescale": (1, 2**31 - 1),
    "size_bytes": (0, None),
    "init_bytes": (0, MOST_INIT),
    "frames": (0, 2**31 - 1),
}


def check_change(one: Message, speaker: Speaker) -> dict[str, object]:
    """Return a change that can be taken in.

    Raises: ``RequestError``; ``KeyError``, ``TypeError``, ``ValueError`` when it is malformed.
    """
    check = _CHANGES.get(one["k"]) if isinstance(one["k"], str) else None
    if check is None:
        raise BadDocument("a kind of change that is not known here")
    check(one, speaker)
    return {**one, **(_dated(one, speaker) if one["k"] == "segment" else {})}


def check_stream(name: object, speaker: Speaker) -> StreamId:
    """Return a stream of a site that the child may speak of.

    Raises: ``RequestError``.
    """
    parts = name.split("/") if isinstance(name, str) else []
    if len(parts) != 3:
        raise BadDocument("stream: is none")
    speaker.check_site(parts[0])
    for part in parts[1:]:
        if NAME.fullmatch(part) is None:
            check_name(part, "stream")
    return StreamId(*parts)


def _camera_change(one: Message, speaker: Speaker) -> None:
    if "site" in one:
        speaker.check_site(one["site"])
    check_name(one["name"], "camera")
    check_text(one["group"], "group", 256)
    about = one.get("about", {})
    if not isinstance(about, dict):
        raise BadDocument("about: must be an object")
    take_about(dict(about))  # what a later release says besides is kept, and not understood


def _segment_change(one: Message, speaker: Speaker) -> None:
    check_segment_row(one, check_stream(one["stream"], speaker), speaker.now)
    _check_copies(one["copies"], one.get("damaged", ()))


def check_segment_row(one: Message, stream: StreamId, now: Instant) -> None:
    """Look at a segment as another site says it, but for who may say it and where it lies.

    Raises: ``RequestError``; ``KeyError``, ``TypeError``, ``ValueError`` when it is malformed.
    """
    row = dict(zip(COLUMNS, one["row"], strict=True))
    for name, (low, high) in _ROW.items():
        value = row[name]
        if type(value) is not int or not (low is None or value >= low) or value > (high or 2**62):
            raise BadDocument(f"{name}: {str(value)[:40]} does not fit")
    start, end = row["start_ns"], row["end_ns"]
    if not start <= end <= start + DAY:
        raise BadDocument("end_ns: is not within a day after start_ns")
    _past(end, "end_ns", now)
    _check_writer(row["writer"])
    for name in ("digest", "points", "activity"):
        if row[name] is not None or name != "activity":
            binascii.a2b_base64(row[name], strict_mode=True)
    if row["camera_offset_ns"] is not None:
        check_integer(row["camera_offset_ns"], "camera_offset_ns")
    check_text(row["gap_cause"], "gap_cause", 64)
    for pair in check_text(row["holes"] or "", "holes", 1 << 20).split():
        first, _, last = pair.partition("-")
        check_integer(int(last) - int(first), "holes", 0)
    if row["key"] is not None and not is_key_of(check_key(row["key"]), stream, row):
        raise BadDocument("key: is not that of this segment")  # read, and deleted, for it
    if one.get("committed") is not None:
        check_integer(one["committed"], "committed", 0)
    _check_config(one["config"])


def _dated(one: Message, speaker: Speaker) -> dict[str, Instant]:
    """Say when footage was committed, by our clock, that one which is far off has just recorded.

    What is of before may have been recorded by a clock that was right.  What was committed by one
    that was ahead is told by now.
    """
    end, theirs = one["row"][COLUMNS.index("end_ns")], speaker.now - speaker.behind_ns
    just = bool(speaker.behind_ns) and abs(end - theirs) < DAY
    return {"committed": speaker.now} if just or (one.get("committed") or 0) > speaker.now else {}


def _check_config(config: Sequence[object]) -> None:
    digest, codecs, width, height = config
    check_text(digest, "config", 256)
    check_text(codecs, "config", 256)
    check_integer(width, "width", 0, 2**31 - 1)
    check_integer(height, "height", 0, 2**31 - 1)


def _check_writer(writer: object) -> None:
    if check_text(writer, "writer", 200):  # of other recorders it may be empty
        check_key(str(writer))


def _check_copies(copies: Sequence[Sequence[object]], damaged: Sequence[object]) -> None:
    for copy in copies:
        _check_copy(copy)
    if not set(damaged) <= {copy[0] for copy in copies}:
        raise BadDocument("damaged: names a place without a copy")


def _check_copy(copy: Sequence[object]) -> None:
    place, etag, verified, condemned = copy
    found = parse_place(check_text(place, "place", 1024))
    if not all(NAME.fullmatch(part) for part in (*found.way, found.name)):
        raise BadDocument("place: is none")
    check_text(etag, "etag", 1024)
    check_integer(verified, "verified", 0)
    if condemned is not None:
        check_integer(condemned, "condemned", 0)


def _gone_change(one: Message, speaker: Speaker) -> None:
    parts = str(one["stream"]).split("/")
    if parts[0] == speaker.own or len(parts) != 3:  # of others it drops what it told itself
        raise NotAllowed(f"{parts[0][:63]} is this site itself")
    for part in parts:
        check_name(part, "stream")
    check_integer(one["start"], "start")
    _check_writer(one["writer"])


def _gap_change(one: Message, speaker: Speaker) -> None:
    check_stream(one["stream"], speaker)
    _range(one["range"], speaker)
    for start, end, cause in one["gaps"]:
        _range((start, end), speaker)
        check_name(cause, "cause")


def _range(pair: Sequence[object], speaker: Speaker) -> TimeRange:
    start, end = (check_integer(one, "range", 0) for one in pair)
    _past(end, "range", speaker.now)
    return TimeRange(start, end)


def _past(at: Instant, what: str, now: Instant) -> None:
    """Refuse what lies more than a day in the future, until one of the two clocks is right.

    Raises: ``InFuture``.
    """
    if at > now + MOST_AHEAD_NS:
        raise InFuture(f"{what}: is more than a day in the future")


def _event_change(one: Message, speaker: Speaker) -> None:
    speaker.check_site(one["site"])
    for name in ("id", "kind", "source"):
        check_name(one[name], name)
    cameras = one["cameras"]
    if not isinstance(cameras, list) or not 1 <= len(cameras) <= MOST_CAMERAS:
        raise BadDocument("cameras: must be a list")
    for site in {read_camera_id(camera, one["site"]).site for camera in cameras}:
        speaker.check_site(site)
    check_attributes(one["attributes"])
    when, touched = (
        TimeRange(*(check_integer(x, name, 0) for x in one[name])) for name in ("range", "touched")
    )
    _past(when.end, "at", speaker.now)
    check_when(when, speaker.now)
    if not (
        0 <= when.start - touched.start <= MOST_ROLL_NS
        and 0 <= touched.end - when.end <= MOST_ROLL_NS
    ):
        raise BadDocument("touched: is not its range and an hour around it at most")
    _past(check_integer(one["received"], "received", 0), "received", speaker.now)
    check_integer(one.get("version", 1), "version", 1)
    if not isinstance(one.get("removed", False), bool):
        raise BadDocument("removed: must be true or false")
    if one["image"]:
        binascii.a2b_base64(check_text(one["image"], "image", MOST_IMAGE), strict_mode=True)


_CHANGES: Mapping[str, Callable[[Message, Speaker], None]] = {
    "camera": _camera_change,
    "segment": _segment_change,
    "gone": _gone_change,
    "gap": _gap_change,
    "event": _event_change,
}
