"""Moments as people and programs write them, at every door: absolute, local, or from now on."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recorder.errors import RequestError
from recorder.model.timebase import (
    SECOND,
    Instant,
    check_instant,
    parse_duration,
    parse_instant,
)

HINT = (
    "write it like 2026-01-05T14:03:07.2Z, 1767621787.2 (Unix seconds), now, -90s or +10s; "
    "2026-01-05T15:03:07 or 15:03 with a zone such as Europe/Berlin"
)
_UNIX = re.compile(r"(\d{9,11})(?:\.(\d{1,9}))?", re.ASCII)
_UTC = re.compile(r"\b(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z\b", re.ASCII)
_LOCAL = re.compile(
    r"(?:(\d{4})-(\d\d)-(\d\d)[Tt ])?(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?", re.ASCII
)


def read_moment(text: str, what: str, now: Instant, zone: str = "") -> Instant:
    """Read a moment; ``zone``: where a time that names none is meant, a day that is not said today.

    Raises: ``RequestError`` naming ``what``.

    >>> read_moment("1767621787.25", "at", 0), read_moment("-90s", "at", 100 * SECOND)
    (1767621787250000000, 10000000000)
    >>> read_moment("2026-07-01T14:00", "at", 0, "Europe/Berlin") // SECOND
    1782907200
    """
    text = text.strip()
    if zone:
        read_zone(zone)  # a wrong one is told where this time does not need it, too
    if text == "now":
        return now
    if text[:1] in ("-", "+") and len(text) > 1:
        ahead = parse_duration(text[1:], what)
        return check_instant(now - ahead if text[0] == "-" else now + ahead, what)
    unix = _UNIX.fullmatch(text)
    if unix is not None:
        return check_instant(int(unix[1]) * SECOND + int((unix[2] or "").ljust(9, "0")), what)
    local = _LOCAL.fullmatch(text)
    if local is not None and zone:
        return _in_zone(local, text, what, now, zone)
    try:
        return parse_instant(text, what)
    except RequestError as exc:
        raise RequestError(str(exc), hint=_meant(text)) from exc


def _meant(text: str) -> str:
    """Say what was probably meant by a moment that cannot be read.

    >>> _meant("30d")
    'write +30d for after now, -30d for before now'
    """
    try:
        parse_duration(text, "")
    except RequestError:
        return HINT
    return f"write +{text} for after now, -{text} for before now"


def localized(text: str, zone: str) -> str:
    """Write the times in a text in a zone, with their offset; without one as they are.

    Raises: ``RequestError`` when there is no such zone.

    >>> localized("gap 2026-07-01T12:00:00.25Z to now", "Europe/Berlin")
    'gap 2026-07-01T14:00:00.25+02:00 to now'
    """
    if not zone:
        return text
    there = read_zone(zone)

    def local(found: re.Match[str]) -> str:
        at = datetime.fromisoformat(found[1] + "+00:00").astimezone(there).isoformat()
        return at[:19] + (found[2] or "") + at[19:]

    return _UTC.sub(local, text)


def read_zone(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises: ``RequestError``.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise RequestError(
            f"zone {name[:64]!r} is not known", hint="write it like Europe/Berlin, or UTC"
        ) from exc


def _in_zone(match: re.Match[str], text: str, what: str, now: Instant, name: str) -> Instant:
    zone = read_zone(name)
    today = datetime.fromtimestamp(now // SECOND, zone)
    year, month, day = (
        (int(part) for part in match.group(1, 2, 3))
        if match[1]
        else (
            today.year,
            today.month,
            today.day,
        )
    )
    try:
        local = datetime(
            year, month, day, int(match[4]), int(match[5]), int(match[6] or 0), tzinfo=zone
        )
    except ValueError as exc:
        raise RequestError(f"{what} {text!r} is not a time that exists", hint=HINT) from exc
    first, second = (local.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if first != second:
        said = "twice" if first < second else "not at all"
        raise RequestError(
            f"{what} {text!r} is {said} in {name}: clocks are changed there",
            hint="write it with its offset, such as 2026-10-25T02:30:00+01:00",
        )
    seconds = (first - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    return check_instant(seconds * SECOND + int((match[7] or "").ljust(9, "0")), what)
