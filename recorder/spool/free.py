"""What the spool's disk has free, as seen last: who says how a node does waits for no disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from recorder.room import room_of
from recorder.side_by_side import SideBySide
from recorder.spool.silent import Silence

LEAST = 4 << 20
"""Bytes: less than a node that records well needs until its keeper looks again."""
SEEN_S, WAIT_S = 10.0, 3.0
"""So long what the keeper saw counts, who looks every four; and so long the disk is waited for
where nobody has seen it."""


class Free:
    """Free bytes of one disk."""

    def __init__(self, root: Path, silence: Callable[[], Silence]) -> None:
        self._root, self._silence = root, silence
        self._seen = float("-inf"), 0

    def look(self) -> int:
        """Return the free bytes; they are remembered.

        Raises: ``OSError``.
        """
        free = self._look()
        self._seen = time.monotonic(), free
        return free

    def _look(self) -> int:
        with self._silence().question():
            return room_of(self._root)[0]

    def is_too_little(self) -> bool:
        """Tell whether there is no room for a fragment, or the disk does not say what it has."""
        seen, free = self._seen
        try:
            self._silence().check()
            if time.monotonic() - seen >= SEEN_S:
                free = _ASKED.ask({"spool": self}, WAIT_S).get("spool", 0)
        except OSError:
            return True
        return free < LEAST


_ASKED = SideBySide("room", Free._look)
