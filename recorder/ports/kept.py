"""What only the catalog knows, as values: to be kept elsewhere, and taken back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from recorder.model.timebase import Instant


@dataclass(slots=True)
class TakenBack:
    """What was put into the catalog, and what was left out and why."""

    holds: int = 0
    documents: list[str] = field(default_factory=list)
    points: int = 0
    groups: int = 0
    left: list[str] = field(default_factory=list)


class Kept(Protocol):
    """Holds, documents, points, groups and cameras, as they are now."""

    def take(self) -> Mapping[str, Any]:
        """Return them as JSON's values; cameras without their secrets.

        It is the same object as before where nobody wrote since.
        """

    def put_back(self, content: Mapping[str, object]) -> TakenBack:
        """Put in what the catalog does not know, holds first, in one transaction.

        What it knows stays as it is.  Cameras are left out: their secrets are not kept.
        """

    def date_back(self, content: Mapping[str, object], at: Instant) -> int:
        """Take back when footage was committed whose own time is that of a clock that was wrong.

        For what the catalog does not know it of; none later than ``at``.  Returns how many.
        """
