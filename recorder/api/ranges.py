"""The ``Range`` header.  Source: RFC 9110, section 14."""

from __future__ import annotations

import re

_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*")


def parse_range(header: str | None, size: int) -> tuple[int, int] | str | None:
    """Read a single byte range as ``(start, end)``, half-open.

    ``None`` means the whole: no header, another unit, several ranges, or one that makes
    no sense (all of which may be ignored); ``"unsatisfiable"`` asks for a 416.

    >>> parse_range("bytes=0-9", 100), parse_range("bytes=-10", 100), parse_range("bytes=200-", 9)
    ((0, 10), (90, 100), 'unsatisfiable')
    """
    if header is None:
        return None
    match = _RANGE.fullmatch(header.strip())
    if match is None or (not match[1] and not match[2]):
        return None
    if len(match[1]) > 18 or len(match[2]) > 18:
        return "unsatisfiable"
    if not match[1]:
        length = int(match[2])
        return (max(0, size - length), size) if length and size else "unsatisfiable"
    start = int(match[1])
    end = int(match[2]) + 1 if match[2] else size
    if match[2] and end <= start:
        return None
    return (start, min(end, size)) if start < size else "unsatisfiable"
