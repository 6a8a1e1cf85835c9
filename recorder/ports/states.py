"""Present states: of streams, of nodes, of the sites next to this one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from recorder.model.keys import StreamId
from recorder.model.timebase import Instant

OFF, REMOVED = "off", "removed"
"""States of streams that nobody is to record now: off, or in no document any more."""
STOPPED = "stopped"
"""State of what a node recorded until it was told to stop; of a node that was."""


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """The present state of one stream on its node.

    ``state``: ``recording``, ``connecting``, ``failing``, ``off``, ``removed``;
    ``stopped`` with its node, which said so.  ``condition`` names what ails it
    (``auth-refused``, ``unreachable`` …), ``cause`` is the gap cause while dark.
    ``health``: figures of the day (:mod:`recorder.capture.health`), and ``habits`` of the camera.
    """

    stream: StreamId
    node: str
    state: str
    cause: str
    condition: str
    detail: str
    since: Instant
    at: Instant
    health: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeBeat:
    """A node's sign of life; ``facts`` are small figures to show."""

    node: str
    site: str
    at: Instant
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SiteBeat:
    """A site's sign of life; ``url`` is where its API answers, if it says so.

    ``name`` is a child's name, or ``..`` for the parent.  ``facts`` are small figures.
    """

    name: str
    level: str
    url: str
    at: Instant
    facts: Mapping[str, Any] = field(default_factory=dict)


class Statuses(Protocol):
    """The last recorded states of streams."""

    def put(self, statuses: Iterable[StreamStatus], *, quiet: bool = False) -> None:
        """Record the present state of streams; ``quiet``: whoever asks here knows it already."""

    def all(self) -> list[StreamStatus]:
        """Return the last recorded state of every stream."""

    def of(self, stream: StreamId) -> StreamStatus | None:
        """Return the last recorded state of one stream."""


class Nodes(Protocol):
    """Signs of life of the site's nodes, and of those below."""

    def beat(self, node: NodeBeat) -> None:
        """Record a node's sign of life."""

    def all(self) -> list[NodeBeat]:
        """Return the last sign of life of every node."""

    def forget(self, names: Iterable[str]) -> None:
        """Know nodes no more, until they are heard again."""


class Sites(Protocol):
    """Signs of life of the parent and of the children."""

    def put(
        self,
        beat: SiteBeat,
        own: Callable[[Mapping[str, object]], Mapping[str, object]] | None = None,
    ) -> None:
        """Record a site's sign of life.

        ``own`` makes facts besides of those that are known, in one transaction; none are of a site
        that is not known, or was removed this moment.
        """

    def all(self) -> list[SiteBeat]:
        """Return the last sign of life of the parent (named ``..``) and of every child."""
