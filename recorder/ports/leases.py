"""Leases: who may do what, until when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from recorder.model.timebase import Instant


@dataclass(frozen=True, slots=True)
class Lease:
    """A node's right to do what ``name`` says (a stream to record, a job) until an instant.

    ``term`` grows by one per holder; ``handing`` is the node it is offered to, if any.
    """

    name: str
    node: str
    term: int
    until: Instant
    handing: str = ""


class Leases(Protocol):
    """Rights that one node has at a time; another takes over when they end."""

    def take(
        self, node: str, free: Iterable[str], held: Iterable[str], now: Instant, until: Instant
    ) -> dict[str, Lease]:
        """Take those of ``free`` that nobody holds, renew those of ``held`` that are ours.

        Returns the leases of all names as they are now.
        """

    def offer(self, name: str, node: str, to: str) -> None:
        """Say that ``node``, which holds a lease, would hand it to another; ``""`` to nobody."""

    def claim(self, name: str, node: str, until: Instant) -> bool:
        """Take a lease that was offered to ``node``; false when it was not, or no more."""

    def release(self, node: str) -> None:
        """Let go of everything a node holds, so that others need not wait."""

    def all(self) -> list[Lease]:
        """Return all leases, by name."""
