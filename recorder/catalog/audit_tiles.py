"""What a tile is found by whose rows have left: numbers, times, and names of what is in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, or_

from recorder.audit.tree import leaf_hashes, root
from recorder.catalog import schema
from recorder.model.timebase import TimeRange
from recorder.ports import AskedEntries

MOST_NAMES = 64
"""Names that a tile is searched by; one that has more may have any."""
ANY = "*"


def tile_row(
    log: int, number: int, numbers: Sequence[int], rows: Sequence[Mapping[str, Any]]
) -> dict[str, object]:
    """Write what a tile is found by, out of its entries' numbers and rows."""
    shown = [row for row in rows if (row["start_ns"], row["end_ns"]) != (0, 0)]
    actions = [row["action"] for row in rows] + ["copy" for row in rows if row["key"]]
    return {
        "log_no": log,
        "tile_no": number,
        "root": root(leaf_hashes(row["entry"] for row in rows)),
        "numbers": write_numbers(numbers),
        "first_no": min(numbers),
        "last_no": max(numbers),
        "from_ns": min(row["at_ns"] for row in rows),
        "until_ns": max(row["at_ns"] for row in rows),
        "start_ns": min((row["start_ns"] for row in shown), default=0),
        "end_ns": max((row["end_ns"] for row in shown), default=0),
        "cameras": _names(row["camera"] for row in rows),
        "actions": _names(actions),
        "callers": _names(row["caller"] for row in rows),
    }


def _names(names: Iterable[str]) -> str:
    found = sorted(set(names))
    return json.dumps(found, ensure_ascii=False) if len(found) <= MOST_NAMES else ANY


def _has(column: ColumnElement[str], start: str, end: str = '"') -> ColumnElement[bool]:
    """Match tiles that may have a name; what they have is looked at again, entry by entry."""
    text = json.dumps(start, ensure_ascii=False).removesuffix('"') + end
    return or_(column == ANY, column.contains(text, autoescape=True))


def write_numbers(numbers: Sequence[int]) -> str:
    """Write numbers as runs: the first, and how many.

    >>> write_numbers([7, 8, 9, 12])
    '7+3,12+1'
    """
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == sum(runs[-1]):
            runs[-1][1] += 1
        else:
            runs.append([number, 1])
    return ",".join(f"{first}+{count}" for first, count in runs)


def read_numbers(text: str) -> list[int]:
    """Read what :func:`write_numbers` wrote.

    >>> read_numbers("7+3,12+1")
    [7, 8, 9, 12]
    """
    found: list[int] = []
    for run in text.split(","):
        first, _, count = run.partition("+")
        found.extend(range(int(first), int(first) + int(count)))
    return found


def tiles_asked(asked: AskedEntries) -> list[ColumnElement[bool]]:
    """Match tiles that may have what is asked for."""
    column, found = schema.audit_tile.c, list[ColumnElement[bool]]()
    if asked.camera is not None:
        found.append(_has(column.cameras, asked.camera.camera))
    if asked.when is not None:
        found += [column.until_ns >= asked.when.start, column.from_ns < asked.when.end]
    if asked.footage is not None:
        found += _touching(asked.footage)
    if asked.action:
        noun, _, verb = asked.action.partition(".")
        if noun == "copy":
            found.append(_has(column.actions, verb or noun))
        else:
            exact, below = _has(column.actions, asked.action), f"{asked.action}."
            found.append(or_(exact, _has(column.actions, below, "")))
    if asked.caller:
        found.append(_has(column.callers, asked.caller))
    if asked.before is not None:
        found.append(column.first_no < asked.before)
    if asked.after is not None:
        found.append(column.last_no > asked.after)
    return found


def copies_asked(before: int | None) -> list[ColumnElement[bool]]:
    """Match tiles that may have entries of copies, before a number."""
    column = schema.audit_tile.c
    found = [_has(column.actions, "copy")]
    return found if before is None else [*found, column.first_no < before]


def copies_about(camera: str, asked: TimeRange) -> list[ColumnElement[bool]]:
    """Match tiles that may have entries of a camera's copies that touch a range."""
    column = schema.audit_tile.c
    return [_has(column.actions, "copy"), _has(column.cameras, camera), *_touching(asked)]


def _touching(asked: TimeRange) -> list[ColumnElement[bool]]:
    column = schema.audit_tile.c
    return [column.start_ns < asked.end, column.end_ns > asked.start]
