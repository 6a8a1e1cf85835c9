"""What sites tell one another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from recorder.model.timebase import Instant, TimeRange
from recorder.ports.states import StreamStatus


class Outbox(Protocol):
    """What changed here, for the parent."""

    def fill(self, at: Instant) -> int:
        """Note everything there is to be told upward: the first time a site has a parent."""

    def begin_anew(self, at: Instant, left: str = "", joined: str = "") -> int:
        """Note everything there is, and take what is believed of copies above as unknown.

        For a parent that is not the one it was, or knows less.  ``left``, ``joined``: the parent
        that was and the one that is, where that is another site: what lies at the one that was is
        known to lie there from now on, not above.  Returns how much there is to tell.
        """

    def depth(self) -> tuple[int, Instant | None]:
        """Return how many changes are not told yet, and when the oldest was noted."""

    def take(self, limit: int, at: Instant) -> tuple[list[int], list[dict[str, Any]]]:
        """Return the oldest changes, by number, and what is to be told of them at an instant.

        ``{"k": "anew", "what": "begin"}``, or ``"end"``, stands before and after all that is told
        anew.
        """

    def drop(
        self, numbers: Sequence[int], again: Sequence[Mapping[str, object]] = (), at: Instant = 0
    ) -> None:
        """Forget changes that were told.

        ``again``: those of what was told that are to be told once more, some minutes after ``at``.
        """


@dataclass(frozen=True, slots=True)
class Numbered:
    """A message by who says it, a process of the child, and its number among what that says.

    ``node``: on which node of the child; empty where an older release does not say.
    """

    by: str
    number: int
    node: str = ""


class Inbox(Protocol):
    """What sites below said.

    ``numbered``: the message that something stands in; it raises ``StateError`` when a newer one
    of the same sender was taken in, by whichever process.
    """

    def apply(
        self,
        child: str,
        messages: Sequence[dict[str, Any]],
        at: Instant,
        numbered: Numbered | None = None,
    ) -> None:
        """Take in what a child site said; its places get its name in front.  Twice is once."""

    def hear_states(
        self,
        child: str,
        statuses: Sequence[StreamStatus],
        at: Instant,
        numbered: Numbered | None = None,
    ) -> None:
        """Take in the states of streams that a child says."""

    def begin_anew(self, child: str, at: Instant, numbered: Numbered | None = None) -> None:
        """Doubt all that is known of a child's places: it begins to tell all anew."""

    def end_anew(self, child: str, at: Instant, numbered: Numbered | None = None) -> int:
        """Forget what of a child's places is in doubt still; return how many copies."""


@dataclass(frozen=True, slots=True)
class OnlyThere:
    """Segments that lie at one site alone: how many, and of which time."""

    segments: int
    range: TimeRange


class Departing(Protocol):
    """What is known of a site below that never comes back."""

    def only_there(self, child: str) -> OnlyThere | None:
        """Return what lies at a child, or below it, and nowhere else."""

    def give_up(self, child: str, at: Instant) -> int:
        """Believe in no copy at a child, or below it; return how many there were.

        What had no other leaves gaps ``lost``, and ``purged`` where a policy had let it go.  In
        pages, each a transaction: what is not given up yet is still known.
        """

    def forget_sites(self, sites: Sequence[str]) -> None:
        """Know sites below no more: signs of life, nodes, states of streams."""

    def forget_child(self, child: str, sites: Sequence[str]) -> None:
        """Tell a child, and the sites below it, nothing more of copies, holds and cameras."""


class Notices(Protocol):
    """What became of copies, for the sites that the footage comes from."""

    def pending(
        self, child: str, limit: int, unknown: Collection[int] = ()
    ) -> list[dict[str, Any]]:
        """Return the oldest notices for a child, of copies of its footage here and above.

        ``unknown``: numbers of those whose segments it does not know: it is told them, too.
        """

    def acknowledge(self, child: str, numbers: Sequence[int]) -> None:
        """Forget notices that a child has taken in."""

    def apply(self, messages: Sequence[dict[str, object]], at: Instant) -> list[int]:
        """Take in what the parent said of copies above; twice is once.

        Returns the numbers of what lies above, and is not known here: nor was it said whole.
        """
