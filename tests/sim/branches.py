"""Lives that are one up to some call, and go their own ways from there, in forks of the process."""

from __future__ import annotations

import os
import pickle
import traceback
from collections.abc import Callable, Hashable
from typing import Any


class Branches:
    """Ends a simulated process in every so-manieth state, in a fork; the life itself goes on.

    A process that dies between two calls leaves what it has written: where that is the same, so
    is all that comes of it, and one fork is enough.
    ``ends``: by the number of the call, what came of the fork; a text is what went wrong.
    """

    def __init__(self, stride: int) -> None:
        self.stride, self.calls = stride, 0
        self.ends: dict[int, Any] = {}
        self._seen: set[Hashable] = set()
        self._pipe = -1

    def dies(self, left: Hashable) -> bool:
        """Fork, if it is time; true in the fork.  ``left``: what a death would leave."""
        number, self.calls = self.calls, self.calls + 1
        if self._pipe >= 0 or left in self._seen:
            return False
        self._seen.add(left)
        if (len(self._seen) - 1) % self.stride:
            return False
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._pipe = writing
            return True
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            said = told.read()
        os.waitpid(child, 0)
        self.ends[number] = pickle.loads(said) if said else "the fork ended"
        return False

    def live(self, whole: Callable[[], Any]) -> Any:
        """Live, and return what came of it; a fork ends here."""
        try:
            found = whole()
        except BaseException:
            if self._pipe < 0:
                raise
            found = traceback.format_exc()
        if self._pipe < 0:
            return found
        with os.fdopen(self._pipe, "wb") as told:
            pickle.dump(found, told)
        os._exit(0)
