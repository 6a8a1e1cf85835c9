"""Two machines under the name of one node: the one that began later ends.  Pure.

They share a catalog, so each would take what lies in the other's spool for its own, and both would
record all that the node records.  A process that died says nothing any more: one that begins anew
after it, however soon, is no second one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recorder.model.timebase import Instant
from recorder.ports import NodeBeat

PROCESS, SINCE = "process", "since"


@dataclass(frozen=True, slots=True)
class Process:
    """Who speaks for a node: named by chance, ``since`` by the site's clock."""

    name: str
    since: Instant

    @property
    def facts(self) -> Mapping[str, str | Instant]:
        """What a sign of life says of it."""
        return {PROCESS: self.name, SINCE: self.since}


class Namesakes:
    """Hears in the signs of life of a node whether another process goes on to speak for it."""

    def __init__(self, own: Process) -> None:
        self.own = own
        self._first: dict[str, Instant] = {}

    def hear(self, beat: NodeBeat | None) -> Process | None:
        """Take in the node's last sign of life; return whose it is, if another's that lives.

        It lives when it has given one since it was heard first, but for the last word of one that
        ends: this one takes its place.
        """
        facts = beat.facts if beat is not None else {}
        name, since = facts.get(PROCESS), facts.get(SINCE)
        if beat is None or name == self.own.name or facts.get("state") == "stopped":
            return None
        if not isinstance(name, str) or not isinstance(since, int):  # of an earlier release
            return None
        first = self._first.setdefault(name, beat.at)
        return Process(name, since) if beat.at > first else None

    def is_elder(self, other: Process) -> bool:
        """Tell whether another process goes before this one; of any two one does."""
        return (other.since, other.name) < (self.own.since, self.own.name)
