"""Timetables: when a stream is recorded, in the zone of its site, right across DST.

A range of a timetable means what a wall clock there shows.  On the day clocks go back an
hour that comes twice counts twice; on the day they go forward an hour that is skipped is
not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from recorder.errors import BadDocument
from recorder.model.timebase import SECOND, Instant, TimeRange
from recorder.model.unknown import check_rest

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_RANGE = re.compile(r"(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)")
_WHOLE = 24 * 60
Minutes = tuple[tuple[int, int], ...]
"""Ranges of a day, in minutes of the wall clock, each ``[start, end)``."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """Weekly ranges (Monday first), and dates that have their own."""

    zone: str
    weekly: tuple[Minutes, ...]
    dates: Mapping[str, Minutes] = field(default_factory=dict)

    def minutes_of(self, day: date) -> Minutes:
        """Return the ranges of a date."""
        own = self.dates.get(day.isoformat())
        return own if own is not None else self.weekly[day.weekday()]

    def is_on(self, at: Instant) -> bool:
        """Tell whether the wall clock is inside a range."""
        local = _local(at, ZoneInfo(self.zone))
        minute = local.hour * 60 + local.minute
        return any(start <= minute < end for start, end in self.minutes_of(local.date()))

    def off(self, asked: TimeRange) -> list[TimeRange]:
        """Return the stretches of a range in which nothing is to be recorded."""
        zone = ZoneInfo(self.zone)
        edges = {asked.start, asked.end}
        day = _local(asked.start, zone).date() - timedelta(days=1)
        last = _local(asked.end, zone).date() + timedelta(days=1)
        while day <= last:
            edges.update(_edges(self.minutes_of(day), day, zone))
            day += timedelta(days=1)
        marks = sorted(edge for edge in edges if asked.start <= edge <= asked.end)
        found: list[TimeRange] = []
        for start, end in pairwise(marks):
            if self.is_on((start + end) // 2):
                continue
            if found and found[-1].end == start:
                found[-1] = TimeRange(found[-1].start, end)
            else:
                found.append(TimeRange(start, end))
        return found


def _local(at: Instant, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at // SECOND, UTC).astimezone(zone)


def _edges(minutes: Minutes, day: date, zone: ZoneInfo) -> Iterator[Instant]:
    """Yield where a day's ranges may begin or end, and where its clock jumps."""
    begin = datetime(day.year, day.month, day.day, tzinfo=zone)
    for pair in minutes:
        for minute in pair:
            wall = begin + timedelta(minutes=minute)
            for fold in (0, 1):
                yield _instant(wall.replace(fold=fold))
    yield _instant(begin)
    yield from _jump(_instant(begin), _instant(begin + timedelta(days=1)), zone)


def _jump(low: Instant, high: Instant, zone: ZoneInfo) -> Iterator[Instant]:
    """Find the moment between two at which the zone's offset changes, to the second."""
    before = _local(low, zone).utcoffset()
    if _local(high, zone).utcoffset() == before:
        return
    while high - low > SECOND:
        middle = (low + high) // 2 // SECOND * SECOND
        low, high = (middle, high) if _local(middle, zone).utcoffset() == before else (low, middle)
    yield high


def _instant(wall: datetime) -> Instant:
    return int(wall.astimezone(UTC).timestamp()) * SECOND


def parse_timetable(document: object, path: str) -> Timetable:
    """Read a timetable: ``zone``, ``weekly`` by day or days, ``except`` by date.

    Raises: ``BadDocument`` with the path of the mistake.
    """
    if not isinstance(document, Mapping):
        raise BadDocument(f"{path}: must be an object", hint="give it zone and weekly")
    body = dict(document)
    zone = str(body.pop("zone", ""))
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise BadDocument(
            f"{path}.zone: {zone!r} is not a time zone", hint="write it like Europe/Berlin"
        ) from exc
    weekly: list[list[tuple[int, int]]] = [[] for _ in DAYS]
    for days, ranges in _mapping(body.pop("weekly", None), f"{path}.weekly").items():
        for day in _days(str(days), f"{path}.weekly.{days}"):
            for start, end in _ranges(ranges, f"{path}.weekly.{days}"):
                weekly[day].append((start, min(end, _WHOLE)))
                if end > _WHOLE:  # past midnight: the rest belongs to the next day
                    weekly[(day + 1) % 7].append((0, end - _WHOLE))
    dates = _dates(_mapping(body.pop("except", {}), f"{path}.except"), weekly, f"{path}.except")
    check_rest(body, ("zone", "weekly", "except"), f"{path}.")
    return Timetable(zone, tuple(tuple(sorted(day)) for day in weekly), dates)


def _dates(
    document: Mapping[object, object], weekly: Sequence[Sequence[tuple[int, int]]], path: str
) -> dict[str, Minutes]:
    """Read the dates that have ranges of their own; what passes midnight adds to the next one."""
    dates: dict[date, list[tuple[int, int]]] = {}
    rests: list[tuple[date, int]] = []
    for text, ranges in document.items():
        day = _date(text, path)
        found = list(_ranges(ranges, f"{path}.{text}"))
        dates[day] = [(start, min(end, _WHOLE)) for start, end in found]
        rests += [(day, end - _WHOLE) for _, end in found if end > _WHOLE]
    for day, minutes in rests:
        if day < date.max:
            after = day + timedelta(days=1)
            dates.setdefault(after, list(weekly[after.weekday()])).append((0, minutes))
    return {day.isoformat(): tuple(sorted(found)) for day, found in dates.items()}


def _mapping(value: object, path: str) -> Mapping[object, object]:
    if not isinstance(value, Mapping):
        raise BadDocument(f"{path}: must be an object", hint='such as {mon-fri: ["07:00-19:00"]}')
    return value


def _date(value: object, path: str) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError as exc:
        raise BadDocument(f"{path}.{value}: is not a date", hint="write it 2026-12-25") from exc


def _days(text: str, path: str) -> list[int]:
    if text == "daily":
        return list(range(7))
    first, _, last = text.partition("-")
    if first not in DAYS or (last or first) not in DAYS:
        raise BadDocument(f"{path}: is no day", hint="write mon, mon-fri or daily")
    begin, end = DAYS.index(first), DAYS.index(last or first)
    return [(begin + i) % 7 for i in range((end - begin) % 7 + 1)]


def by_day(weekly: Mapping[object, object], path: str) -> dict[str, object]:
    """Write ``weekly`` out, day by day: what is said of a day takes the place of what was said.

    Of a day that stands in it twice ranges add up, as they do when it is read; ``None`` takes a
    day's away.
    Raises: ``BadDocument`` with the path of the mistake.

    >>> by_day({"sat-sun": None, "sun": "10:00-12:00"}, "weekly")
    {'sat': None, 'sun': ['10:00-12:00']}
    """
    found: dict[str, list[object] | None] = {}
    for days, ranges in weekly.items():
        for day in _days(str(days), f"{path}.{days}"):
            more = ranges if isinstance(ranges, list) else [ranges]
            before = found.setdefault(DAYS[day], None)
            if ranges is not None:
                found[DAYS[day]] = [*(before or ()), *more]
    return dict(found)


def _ranges(value: object, path: str) -> list[tuple[int, int]]:
    """Read wall-clock ranges; one that ends before it starts goes past midnight."""
    found = []
    for text in [value] if isinstance(value, str) else value if isinstance(value, list) else [None]:
        match = _RANGE.fullmatch(str(text))
        numbers = [int(group) for group in match.groups()] if match else [99]
        start = numbers[0] * 60 + numbers[1] if match else -1
        end = numbers[2] * 60 + numbers[3] if match else -1
        if not (0 <= start < _WHOLE and 0 <= end <= _WHOLE and max(numbers[1::2]) < 60):
            raise BadDocument(f"{path}: {text!r} is not a range", hint="write it 07:00-19:00")
        found.append((start, end if end > start else end + _WHOLE))
    return found


def show_timetable(table: Timetable) -> dict[str, object]:
    """Write a timetable so that it can be sent back."""
    return {
        "zone": table.zone,
        "weekly": {DAYS[i]: _said(day) for i, day in enumerate(_nights(table.weekly)) if day},
        "except": {day: _said(ranges) for day, ranges in table.dates.items()},
    }


def _nights(weekly: Sequence[Minutes]) -> list[Minutes]:
    """Give what a day has after midnight back to the evening before, where it goes on from there.

    Else whoever changes that evening would leave the rest of its night.
    """
    found = list(weekly)
    for i, day in enumerate(weekly):
        late, next_ = day[-1:], (i + 1) % 7
        early = weekly[next_][:1]
        if late and early and late[0][1] == _WHOLE and early[0][0] == 0 < late[0][0] >= early[0][1]:
            found[i] = (*found[i][:-1], (late[0][0], early[0][1]))
            found[next_] = found[next_][1:]
    return found


def _said(minutes: Minutes) -> list[str]:
    return [f"{a // 60:02d}:{a % 60:02d}-{b // 60:02d}:{b % 60:02d}" for a, b in minutes]
