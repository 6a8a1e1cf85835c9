"""Kinds of events that the policy in force does not name: misspelled, they keep nothing longer."""

from __future__ import annotations

from typing import Protocol

from policies.doubts import unnamed_kind
from recorder.errors import BadDocument
from recorder.janitor.deciding import policy_in_force
from recorder.model.events import KINDS
from recorder.model.timebase import DAY, Instant
from recorder.ports import Documents, EventAges

LATELY = 30 * DAY
HINT = "report them with another kind, or name it: kinds, in the policy"


class KindsCatalog(Protocol):
    """The parts of the catalog in which kinds stand."""

    @property
    def documents(self) -> Documents:
        """The policy."""

    @property
    def event_ages(self) -> EventAges:
        """The events."""


def kind_doubt(documents: Documents, kind: str) -> str:
    """Say that the policy in force does not name a kind of event; nothing without a policy."""
    if kind in KINDS:
        return ""
    try:
        policy = policy_in_force(documents)
    except BadDocument:  # said where it is looked at
        return ""
    return unnamed_kind(policy, kind) if policy is not None else ""


def unnamed_lately(catalog: KindsCatalog, now: Instant) -> list[str]:
    """Say of which kinds that the policy does not name events came lately."""
    kinds = catalog.event_ages.kinds(now - LATELY)
    return [said for one in kinds if (said := kind_doubt(catalog.documents, one))]
