"""Which signs of life in the stores are this catalog's: each is noted here before it is written.

A machine that was copied with its data folder has the same names, catalog and spool: nothing but
what each writes after that tells the two apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from recorder.ports import Clock, Progress
from recorder.store.owners import Owner

MOST = 50
"""Signs of a node that are remembered: four hours of one store's."""


class Signs(Protocol):
    """What tells own signs of life from those of a copy."""

    def new(self, node: str) -> str:
        """Make a sign, and note it, before it is written."""

    def is_copy(self, owner: Owner) -> bool:
        """Tell whether a sign, given by this catalog's name, was made by a copy of it."""


class NotedSigns:
    """Signs noted in the catalog, by node: all processes that share it know them."""

    def __init__(self, progress: Progress, clock: Clock, new_id: Callable[[], str]) -> None:
        self._progress, self._clock, self._new_id = progress, clock, new_id

    def new(self, node: str) -> str:
        """Make a sign, and note it."""
        sign = self._new_id()
        while sign not in self._known(node):  # a command beside the service may write at once
            known = [*self._known(node)[-MOST:], sign]
            self._progress.put(_name(node), {"known": known}, self._clock.now())
        return sign

    def is_copy(self, owner: Owner) -> bool:
        """Tell whether a sign is of a copy; nobody knows where none was ever noted."""
        known = self._known(owner.node)
        return bool(owner.sign and known) and owner.sign not in known

    def _known(self, node: str) -> list[str]:
        return list(self._progress.of(_name(node)).get("known", ()))


def _name(node: str) -> str:
    return f"signs of life {node}"
