"""A node that never comes back: its name goes, and what only its spool had is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from recorder.errors import NotFound, StateError
from recorder.janitor.deciding import copies_in
from recorder.janitor.told import entry_of
from recorder.model.causes import Cause
from recorder.model.counting import number_of
from recorder.model.media import Copy
from recorder.model.places import spool_of
from recorder.model.timebase import Instant, format_instant, heard_within
from recorder.ports import Audit, Commits, Footage, NodeBeat, Nodes, Planning
from recorder.reading.timelines import NODE_SILENT_NS

AT_ONCE = 200
"""Copies that are logged and given up together: what dies in between is done again."""


class DepartedCatalog(Protocol):
    """The parts of the catalog that know nodes, and what their spools have."""

    @property
    def nodes(self) -> Nodes:
        """Their signs of life."""

    @property
    def planning(self) -> Planning:
        """The copies there are."""

    @property
    def footage(self) -> Footage:
        """Where else they are."""

    @property
    def commits(self) -> Commits:
        """What takes back a copy."""

    @property
    def audit(self) -> Audit:
        """What became of copies."""


@dataclass(frozen=True, slots=True)
class Departed:
    """A node that was removed: the copies its spool had, and how many were nowhere else."""

    node: str
    copies: int
    lost: int


def remove_node(catalog: DepartedCatalog, node: str, now: Instant, *, lose: bool) -> Departed:
    """Give up what a node's spool has, and forget the node.

    Nothing on its disk is touched: if it comes back all the same, what it has is taken in again.
    ``lose``: do it too where it has footage that is nowhere else, of which gaps ``lost`` remain.
    ``now``: by the clock that nodes share.
    Raises: ``NotFound``; ``StateError`` when the node lives, or alone has footage.
    """
    copies = list(copies_in(catalog.planning, spool_of(node)))
    _check_silent(catalog.nodes, node, now, known=bool(copies))
    alone = _alone(catalog.footage, copies)
    if alone and not lose:
        raise StateError(
            f"node {node} has {number_of(len(alone), 'segment')} that no other place has, "
            f"{_when(alone)}",
            hint="put its disk into a machine that runs as this node, and it is stored; "
            "if the disk is lost: recorder node remove --lose, or ?lose=true",
        )
    for first in range(0, len(copies), AT_ONCE):
        _give_up(catalog, copies[first : first + AT_ONCE], now)
    catalog.nodes.forget([node])
    return Departed(node, len(copies), len(alone))


def lives(beat: NodeBeat, now: Instant) -> bool:
    """Tell whether a node was heard lately, and did not say that it was stopped."""
    return beat.facts.get("state") != "stopped" and heard_within(beat.at, now, NODE_SILENT_NS)


def check_stopped(nodes: Nodes, site: str, now: Instant) -> None:
    """See that no node of a site runs by a catalog that is about to be another.

    Raises: ``StateError``.
    """
    names = [one.node for one in nodes.all() if one.site == site and lives(one, now)]
    if names:
        raise StateError(
            f"node {', '.join(names)} runs by this catalog",
            hint="stop the site's nodes first; one that was killed counts as gone 15 s later",
        )


def _check_silent(nodes: Nodes, node: str, now: Instant, *, known: bool) -> None:
    """Refuse a node that nobody knows, and one that lives.

    Raises: ``NotFound``, ``StateError``.
    """
    beat = next((one for one in nodes.all() if one.node == node), None)
    if "/" in node or (beat is None and not known):
        raise NotFound(
            f"no node {node!r} at this site",
            hint="`recorder node list`, or GET /api/v1/nodes, shows those there are",
        )
    if beat is not None and lives(beat, now):
        raise StateError(
            f"node {node} was heard at {format_instant(beat.at, 0)}: it lives",
            hint="stop it for good first; `recorder node drain` has others take its streams over",
        )


def _alone(footage: Footage, copies: Sequence[Copy]) -> list[Copy]:
    """Return those that no other place has, but for what policy lets go anyway."""
    staying = [one for one in copies if one.condemned_at is None]
    found = []
    for first in range(0, len(staying), AT_ONCE):
        some = staying[first : first + AT_ONCE]
        known = footage.copies([one.segment for one in some])
        found += [
            one for one in some if not any(_counts(other, one) for other in known[one.segment.key])
        ]
    return found


def _counts(other: Copy, one: Copy) -> bool:
    """Tell whether another copy is one that stays, and is as far as is known what it should be.

    What is known to be damaged, or in doubt at another site, is nobody's second copy.
    """
    elsewhere = other.place != one.place and not other.at.former
    return elsewhere and other.condemned_at is None and _is_believed(other)


def _is_believed(copy: Copy) -> bool:
    return copy.damaged_at is None and (copy.at.own or copy.verified_at > 0)


def _give_up(catalog: DepartedCatalog, copies: Sequence[Copy], now: Instant) -> None:
    """Log copies, then drop them; of what policy had let go the gap says so."""
    catalog.audit.write(
        [entry_of(one, "lost", now, "node remove", "its node never comes back") for one in copies]
    )
    gone = [one for one in copies if one.condemned_at is not None]
    catalog.commits.forget(gone, Cause.PURGED)
    catalog.commits.forget([one for one in copies if one.condemned_at is None], Cause.LOST)


def _when(copies: Sequence[Copy]) -> str:
    begin = min(one.segment.start for one in copies)
    end = max(one.segment.end for one in copies)
    return f"{format_instant(begin, 0)} to {format_instant(end, 0)}"
