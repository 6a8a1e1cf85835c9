"""Which versions of a document a change is meant for.  Source: RFC 9110, section 13.1.  Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

from recorder.errors import RequestError, StaleVersion

Version = TypeVar("Version", int, str)
_TAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)')


def read_tags(text: str, what: str) -> list[tuple[bool, str]] | None:
    """Read a list of entity tags, each with whether it is weak; ``None``: ``*``, any.

    Raises: ``RequestError`` naming ``what``.

    >>> read_tags('"7", W/"8"', "If-Match"), read_tags("*", "If-Match")
    ([(False, '7'), (True, '8')], None)
    """
    if text.strip() == "*":
        return None
    found, at = [], 0
    while at < len(text):
        match = _TAG.match(text, at)
        if match is None:
            raise RequestError(f"{what}: is no list of ETags", hint='write it like "7"')
        found.append((match[1] is not None, match[2]))
        at = match.end()
    return found


@dataclass(frozen=True, slots=True)
class Expected:
    """What ``If-Match`` and ``If-None-Match`` of a change say."""

    match: str | None = None
    none_match: str | None = None

    def check(self, present: int | str, what: str) -> None:
        """Look at the version there is; 0 or empty: there is none.  Called where it is changed.

        Raises: ``StaleVersion``; ``RequestError`` when what was said are no ETags.
        """
        if self.match is not None:
            tags = read_tags(self.match, "If-Match")
            if not present or (tags is not None and (False, str(present)) not in tags):
                raise _stale(what, present)
        if self.none_match is not None:
            tags = read_tags(self.none_match, "If-None-Match")
            if present and (tags is None or str(present) in [tag for _, tag in tags]):
                raise _stale(what, present)


def meant_for(match: str | None, present: Version, what: str) -> Version | None:
    """Return the version that ``If-Match`` means, which is the one there is; ``None``: whichever.

    Raises: ``StaleVersion``; ``RequestError``.
    """
    if match is None:
        return None
    Expected(match).check(present, what)
    return present


def _stale(what: str, present: int | str) -> StaleVersion:
    there = f"it is at version {present}" if present else "there is none"
    return StaleVersion(
        f"{what}: {there}, which the change is not meant for",
        hint="read it again, then send the change with its ETag",
    )


ANY = Expected()
"""Whatever there is."""
