"""The ``Range`` header.  Source: RFC 9110, section 14."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers

from recorder.model.versions import read_tags

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


@dataclass(frozen=True, slots=True)
class Part:
    """Which bytes ``[start, end)`` of something are answered, and how."""

    status: int
    start: int
    end: int
    headers: Mapping[str, str]

    @property
    def empty(self) -> bool:
        """Whether no bytes are sent: they are there already, or there are none."""
        return self.status in (304, 416)


def part_of(asked: Headers, size: int, etag: str, headers: Mapping[str, str]) -> Part:
    """Say what is answered of something with a strong ETag: all of it, a range, or nothing."""
    said = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache", **headers}
    if _matches(asked.get("if-none-match"), etag):
        return Part(304, 0, 0, said)
    wanted = asked.get("range")
    if wanted is not None and asked.get("if-range", etag) != etag:
        wanted = None
    chosen = parse_range(wanted, size)
    if chosen == "unsatisfiable":
        return Part(416, 0, 0, {**said, "Content-Range": f"bytes */{size}"})
    start, end = chosen if isinstance(chosen, tuple) else (0, size)
    said["Content-Length"] = str(end - start)
    if not isinstance(chosen, tuple):
        return Part(200, start, end, said)
    return Part(206, start, end, {**said, "Content-Range": f"bytes {start}-{end - 1}/{size}"})


def _matches(given: str | None, etag: str) -> bool:
    if given is None:
        return False
    tags = read_tags(given, "If-None-Match")
    return tags is None or etag.strip('"') in [tag for _, tag in tags]
