"""Which process of a site below speaks: two machines of one image are told apart.  Pure.

A process that another of its node took the place of has ended, unless there are two machines.
Each would hear what was meant for both, and believe in copies above that are gone.
"""

from __future__ import annotations

from collections.abc import Mapping

from recorder.model.timebase import SECOND, Instant
from recorder.ports import Numbered, SiteBeat

SPOKEN = "spoken"
"""What is known of it among the facts of a child."""
QUIET_NS = 10 * SECOND
"""After so long without a word the last one that spoke has stopped."""
MOST_FORMER = 20


def _known(facts: Mapping[str, object]) -> tuple[str, str, list[str]]:
    said = facts.get(SPOKEN)
    known = said if isinstance(said, Mapping) else {}
    former = known.get("former")
    names = [str(one) for one in former] if isinstance(former, list) else []
    return str(known.get("by", "")), str(known.get("node", "")), names


def returns(numbered: Numbered | None, facts: Mapping[str, object]) -> bool:
    """Tell whether a process speaks again that another of its node had taken the place of.

    Nodes of one site share a catalog, and take turns; an older release does not say which it is.
    """
    by, node, former = _known(facts)
    if numbered is None or not numbered.node:
        return False
    return node == numbered.node and by != numbered.by and numbered.by in former


def is_twin(numbered: Numbered | None, beat: SiteBeat | None, now: Instant) -> bool:
    """Tell whether two machines speak for a site: one does again while the other is heard."""
    if beat is None or not returns(numbered, beat.facts):
        return False
    return 0 <= now - beat.at < QUIET_NS


def note_speaker(numbered: Numbered | None, facts: Mapping[str, object]) -> dict[str, object]:
    """Return what is known of who speaks, once this one does."""
    by, node, former = _known(facts)
    if numbered is None or not numbered.node:
        return {}
    if node != numbered.node:
        former = []  # what another node of the site said is of no matter
    elif by and by != numbered.by:
        former = [*(one for one in former if one != by), by][-MOST_FORMER:]
    former = [one for one in former if one != numbered.by]
    return {SPOKEN: {"by": numbered.by, "node": numbered.node, "former": former}}
