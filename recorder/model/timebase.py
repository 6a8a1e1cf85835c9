"""Time: integer nanoseconds since the Unix epoch, UTC; RFC 3339 at the doors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from recorder.errors import RequestError
from recorder.model.shown import ShownRange

Instant = int
"""Nanoseconds since the Unix epoch, UTC."""

MS = 1_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND
DAY = 24 * HOUR

EARLIEST: Instant = -9_214_560_000_000_000_000
LATEST: Instant = 9_214_646_400_000_000_000
"""1678-01-01 and 2262-01-01: times that doors take.  64-bit ns reach some weeks further, so that
whatever is widened by rolls and looking back still fits."""
MOST_DURATION = 100_000 * DAY
"""Longer than any time that doors take is from now."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|z|[+-]\d\d:\d\d)?",
    re.ASCII,
)
_DURATION = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*(ms|s|m|h|d)", re.ASCII)
_UNITS = {"ms": MS, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A half-open stretch of wall-clock time, ``[start, end)``.

    Units: ``start`` and ``end`` are ns since the Unix epoch, UTC.
    Raises: ``ValueError`` when ``end < start``.
    """

    start: Instant
    end: Instant

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"range ends before it starts: [{self.start}, {self.end})")

    @property
    def duration_ns(self) -> int:
        """Length of the range."""
        return self.end - self.start

    def overlaps(self, other: TimeRange) -> bool:
        """Tell whether the two ranges share at least one instant."""
        return self.start < other.end and other.start < self.end

    def clamp(self, other: TimeRange) -> TimeRange | None:
        """Return the part of this range inside ``other``, or ``None``."""
        if not self.overlaps(other):
            return None
        return TimeRange(max(self.start, other.start), min(self.end, other.end))


def subtract(range_: TimeRange, others: Iterable[TimeRange]) -> list[TimeRange]:
    """Return what of a range none of the others covers, by start.

    >>> subtract(TimeRange(0, 10), [TimeRange(7, 12), TimeRange(2, 3)])
    [TimeRange(start=0, end=2), TimeRange(start=3, end=7)]
    """
    pieces, cursor = [], range_.start
    for other in sorted(others, key=lambda one: one.start):
        if other.start > cursor:
            pieces.append(TimeRange(cursor, min(other.start, range_.end)))
        cursor = max(cursor, other.end)
        if cursor >= range_.end:
            break
    if cursor < range_.end:
        pieces.append(TimeRange(cursor, range_.end))
    return pieces


def rescale(value: int, numerator: int, denominator: int) -> int:
    """Multiply by a fraction, rounding half up; exact for any size of integer.

    >>> rescale(90_001, 1_000_000_000, 90_000)
    1000011111
    """
    return (2 * value * numerator + denominator) // (2 * denominator)


def ticks_to_ns(ticks: int, timescale: int) -> int:
    """Turn media ticks into nanoseconds."""
    return rescale(ticks, SECOND, timescale)


def ns_to_ticks(duration_ns: int, timescale: int) -> int:
    """Turn nanoseconds into the nearest media tick."""
    return rescale(duration_ns, timescale, SECOND)


def parse_instant(text: str, what: str = "time") -> Instant:
    """Read an RFC 3339 time; the zone is required.

    Raises: ``RequestError`` naming ``what`` when the text is not such a time, or one before 1678
    or after 2261.

    >>> parse_instant("2026-01-05T14:03:07.25+01:00")
    1767618187250000000
    """
    hint = "write it like 2026-01-05T14:03:07.2Z or 2026-01-05T15:03:07.2+01:00"
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        raise RequestError(f"{what} {text[:64]!r} is not an RFC 3339 time", hint=hint)
    zone = match[8]
    if zone is None:
        raise RequestError(f"{what} {text!r} has no time zone", hint=hint)
    second = int(match[6])
    leap = second == 60
    try:
        moment = datetime(
            int(match[1]),
            int(match[2]),
            int(match[3]),
            int(match[4]),
            int(match[5]),
            59 if leap else second,
            tzinfo=UTC,
        )
        moment -= _zone_offset(zone)
    except (ValueError, OverflowError) as exc:
        raise RequestError(f"{what} {text!r} is not a date that exists", hint=hint) from exc
    fraction = int((match[7] or "0").ljust(9, "0"))
    seconds = (moment - _EPOCH) // timedelta(seconds=1) + (1 if leap else 0)
    return check_instant(seconds * SECOND + fraction, what)


def check_instant(instant: int, what: str = "time") -> Instant:
    """Return an instant that can be stored and looked around.

    Raises: ``RequestError`` naming ``what``.
    """
    if not EARLIEST <= instant < LATEST:
        raise RequestError(
            f"{what}: is not between 1678 and 2261",
            hint="times are kept as 64-bit nanoseconds; for ever is 2261-12-31T00:00:00Z",
        )
    return instant


def _zone_offset(zone: str) -> timedelta:
    if zone in "Zz":
        return timedelta(0)
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(f"zone offset {zone}")
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if zone[0] == "-" else offset


def format_instant(instant: Instant, digits: int = 6) -> str:
    """Write an instant as RFC 3339 in UTC, truncated to ``digits`` decimals.

    >>> format_instant(1_767_618_187_250_000_000)
    '2026-01-05T13:03:07.250000Z'
    """
    moment = _EPOCH + timedelta(seconds=instant // SECOND)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    if digits:
        text += "." + f"{instant % SECOND:09d}"[:digits]
    return text + "Z"


def format_known(instant: Instant | None, digits: int = 6) -> str | None:
    """Write an instant that may not be known, or not have come; ``None``: it is not."""
    return None if instant is None else format_instant(instant, digits)


def parse_duration(text: str | int | float, what: str = "duration") -> int:
    """Read a duration such as ``30d``, ``1h30m``, ``500ms`` or a number of seconds, as ns.

    Raises: ``RequestError`` when it is none, or longer than any time is from now.

    >>> parse_duration("1h30m") // SECOND
    5400
    """
    hint = "write it like 30d, 12h or 90s"
    if isinstance(text, int | float) and not isinstance(text, bool):
        if not abs(text) <= MOST_DURATION // SECOND:  # nor is NaN
            raise RequestError(f"{what}: is no number of seconds of any use", hint=hint)
        return round(text * SECOND)
    compact = text.strip().replace(" ", "") if isinstance(text, str) else ""
    parts = list(_DURATION.finditer(compact))
    if not parts or "".join(part[0] for part in parts) != compact:
        raise RequestError(f"{what} {str(text)[:64]!r} is not a duration", hint=hint)
    total = sum(round(float(part[1]) * _UNITS[part[2]]) for part in parts)
    if total > MOST_DURATION:
        raise RequestError(f"{what}: longer than 100000 days", hint=hint)
    return total


def format_duration(duration_ns: int) -> str:
    """Write a duration for people.

    >>> format_duration(5_400 * SECOND), format_duration(1_250 * MS)
    ('1h30m', '1.25s')
    """
    if duration_ns < 0:
        return "-" + format_duration(-duration_ns)
    if duration_ns < MINUTE:
        return f"{duration_ns / SECOND:.3f}".rstrip("0").rstrip(".") + "s"
    seconds = duration_ns // SECOND
    parts = [(seconds // 86400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "m")]
    parts.append((seconds % 60, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count)


def seconds(duration_ns: int) -> float:
    """Return a duration in seconds, for answers."""
    return round(duration_ns / SECOND, 6)


def day_of(instant: Instant) -> str:
    """Name the UTC day an instant falls on, ``YYYY-MM-DD``."""
    return format_instant(instant, 0)[:10]


def day_start(instant: Instant) -> Instant:
    """Return the first instant of the UTC day."""
    return instant - instant % DAY


def show_range(range_: TimeRange) -> ShownRange:
    """Write a range, for answers."""
    return {
        "start": format_instant(range_.start),
        "end": format_instant(range_.end),
        "seconds": seconds(range_.duration_ns),
    }


def heard_within(at: Instant, now: Instant, within_ns: int) -> bool:
    """Tell whether a sign of life is so recent.

    One from the future is none: a clock was ahead then, and nobody knows when that was.  Clocks
    that go together are a minute apart at most.

    >>> heard_within(5 * SECOND, 7 * SECOND, 3 * SECOND), heard_within(DAY, 7 * SECOND, 3 * SECOND)
    (True, False)
    """
    return -MINUTE <= now - at < within_ns
