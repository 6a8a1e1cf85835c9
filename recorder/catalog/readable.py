"""Rows that cannot be read, damaged or of a newer release: each is left out by itself, and said.

Where something hangs on it, it is an error that says which: what is unknown is not taken for none.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from recorder import telemetry
from recorder.errors import CatalogDamaged, RecorderError

R = TypeVar("R", bound=Sequence[object])
T = TypeVar("T")

log = logging.getLogger("recorder.catalog")

ADVICE = "did a newer release write it? bring this node up to date; else remove it, and add it anew"
_FAULTS = (RecorderError, KeyError, TypeError, ValueError, AttributeError)
_MOST_SAID = 1000
_said: set[tuple[str, str]] = set()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What stands for JSON that is none: not ``None``, which says that there is nothing."""

    text: str


def read_json_cell(text: str | bytes) -> object:
    """Parse what a JSON column holds.

    >>> read_json_cell('{"a": 1}'), read_json_cell('{"a"')
    ({'a': 1}, Unreadable(text='{"a"'))
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return Unreadable(text if isinstance(text, str) else text.decode(errors="replace"))


def write_json_cell(value: object, *, exact: bool) -> str:
    """Write what a JSON column holds; ``exact``: what is none is taken by the database, too.

    >>> write_json_cell(Unreadable('{"a"'), exact=True), write_json_cell([1], exact=True)
    ('{"a"', '[1]')
    """
    if isinstance(value, Unreadable):
        return value.text if exact else json.dumps({"unreadable": value.text})
    return json.dumps(value)


def read_one(table: str, row: R, read: Callable[[R], T]) -> T:
    """Read a row whose first column names it.

    Raises: ``CatalogDamaged`` naming it.
    """
    try:
        return read(row)
    except _FAULTS as exc:
        if (table, str(row[0])) not in _said and len(_said) < _MOST_SAID:
            _said.add((table, str(row[0])))
            telemetry.UNREADABLE.inc()
            about = {"table": table, "row": str(row[0]), "reason": _why(exc)}
            log.error("a row of the catalog cannot be read", extra=about)
        raise CatalogDamaged(
            f"catalog: {table} {str(row[0])[:80]!r} cannot be read: {_why(exc)}",
            hint=ADVICE,
        ) from exc


def read_each(table: str, rows: Iterable[R], read: Callable[[R], T]) -> list[T]:
    """Read rows; those that cannot be read are left out."""
    found = []
    for row in rows:
        try:
            found.append(read_one(table, row, read))
        except CatalogDamaged:
            continue
    return found


def facts_of(value: object) -> dict[str, object]:
    """Return the facts of a sign of life; nothing where they cannot be read: they are said anew."""
    return dict(value) if isinstance(value, Mapping) else {}


def _why(exc: Exception) -> str:
    """Say what is wrong, and nothing of the row: it may hold secrets."""
    return str(exc)[:200] if isinstance(exc, RecorderError) else type(exc).__name__
