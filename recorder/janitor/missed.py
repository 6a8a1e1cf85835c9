"""For how long copies have been missing, by what never steps: so many of a store at most."""

from __future__ import annotations

from recorder.ports import Clock

MOST = 10_000
"""Keys of some 2 MB; of a store that shows nothing at all more are not worth counting the time of,
for a few are called lost in a day."""


class Missed:
    """What was asked for and not there, since when, by store and key.

    In memory: a new process counts anew.  What nobody asks about any more makes room for others.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[str, dict[str, tuple[float, int]]] = {}
        self._rounds: dict[str, int] = {}

    def for_s(self, place: str, key: str) -> float:
        """Note that a copy is missing; return for how many seconds it has been.

        0 of one that there is no room for: it is counted once others are found or lost.
        """
        now, known = self._clock.monotonic(), self._since.setdefault(place, {})
        since, _ = known.get(key, (now, 0))
        if key in known or len(known) < MOST:
            known[key] = (since, self._rounds.get(place, 0))
        return now - since

    def over(self, place: str, key: str) -> None:
        """Forget a copy: it is there, or lost."""
        self._since.get(place, {}).pop(key, None)

    def went_round(self, place: str) -> None:
        """Hear that all of a store's were asked about; where it is full, forget all others."""
        present, known = self._rounds.get(place, 0), self._since.get(place, {})
        if len(known) >= MOST:
            self._since[place] = {key: one for key, one in known.items() if one[1] >= present}
        self._rounds[place] = present + 1
