"""Messages of the feed, numbered by the process that says them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from recorder.clock import new_id
from recorder.errors import RequestError
from recorder.model.checks import check_integer, check_text
from recorder.ports import Numbered

NUMBERED = "numbered"
"""What a message calls its number."""


class Numbers:
    """Numbers what this process says to its parent."""

    def __init__(self, node: str = "") -> None:
        self._by, self._next, self._node = new_id(), itertools.count(1), node

    def next(self) -> dict[str, object]:
        """Return the next number, as it is said."""
        return {"by": self._by, "number": next(self._next), "node": self._node}


def read_numbered(said: object) -> Numbered | None:
    """Read a message's number; ``None`` where there is none, as in those of older releases.

    >>> read_numbered({"by": "a", "number": 7}), read_numbered({"by": "a", "number": "7"})
    (Numbered(by='a', number=7, node=''), None)
    """
    if not isinstance(said, Mapping):
        return None
    try:
        by, number = check_text(said.get("by"), "by", 64), check_integer(said.get("number"), "")
        return Numbered(by, number, check_text(said.get("node", ""), "node", 63))
    except RequestError:
        return None
