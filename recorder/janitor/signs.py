"""Which signs of life in the stores are this catalog's: each is noted here before it is written.

A machine that was copied with its data folder has the same names, catalog and spool: nothing but
what each writes after that tells the two apart.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from recorder.durable import write_durably
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

    def had(self, catalog: str) -> bool:
        """Tell whether a catalog is one that this node has had."""


class NotedSigns:
    """Signs noted in the catalog, by node: all processes that share it know them.

    And in a file of this node: a catalog that is put back to an older state has forgotten the
    last ones, which were this machine's all the same.
    """

    def __init__(
        self,
        progress: Progress,
        clock: Clock,
        new_id: Callable[[], str],
        beside: Path,
        catalog: Callable[[], str],
    ) -> None:
        """``beside``: that file; in another there, which catalogs this node has had."""
        self._progress, self._clock, self._new_id = progress, clock, new_id
        self._beside, self._catalogs = beside, beside.with_name("catalogs.json")
        self._catalog = catalog

    def new(self, node: str) -> str:
        """Make a sign, and note it."""
        sign = self._new_id()
        with contextlib.suppress(OSError):  # a full disk: the catalog knows
            known = [*_listed(self._beside)[-MOST:], sign]
            write_durably(self._beside, json.dumps(known).encode(), 0o600)
            if not self.had(self._catalog()):
                had = [*_listed(self._catalogs)[-MOST:], self._catalog()]
                write_durably(self._catalogs, json.dumps(had).encode(), 0o600)
        while sign not in self._known(node):  # a command beside the service may write at once
            known = [*self._known(node)[-MOST:], sign]
            self._progress.put(_name(node), {"known": known}, self._clock.now())
        return sign

    def is_copy(self, owner: Owner) -> bool:
        """Tell whether a sign is of a copy; nobody knows where none was ever noted."""
        known = self._known(owner.node)
        return bool(owner.sign and known) and owner.sign not in (*known, *_listed(self._beside))

    def had(self, catalog: str) -> bool:
        """Tell whether a catalog is one that this node has had."""
        return catalog in _listed(self._catalogs)

    def _known(self, node: str) -> list[str]:
        return list(self._progress.of(_name(node)).get("known", ()))


def _name(node: str) -> str:
    return f"signs of life {node}"


def _listed(path: Path) -> list[str]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    return [str(one) for one in found] if isinstance(found, list) else []
