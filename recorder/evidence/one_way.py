"""JSON of a bundle, read as every reader reads it: what others would read otherwise is none.

A name that stands twice, a number that is none, text that is not UTF-8 and nesting without end
are each taken by some readers and not by others, or by none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any


def read_json(raw: bytes) -> Any:
    """Read JSON.

    Raises: ``ValueError``.

    >>> read_json(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    ValueError: 'a' stands in it twice
    """
    try:
        return json.loads(
            raw.decode(), object_pairs_hook=_once, parse_constant=_no, parse_float=_finite
        )
    except RecursionError as exc:
        raise ValueError("it is nested without end") from exc


def whole(value: Any) -> int:
    """Return a whole number as it was read.  Raises: ``ValueError`` when it is none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{str(value)[:80]!r} is no whole number")
    return value


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:80]!r} stands in it twice")
        found[name] = value
    return found


def _no(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no(text[:80])
