"""The policy in force, and copies read page by page."""

from __future__ import annotations

from collections.abc import Iterator

from policies.document import Policy
from policies.read import parse_policy
from recorder.errors import NotFound
from recorder.janitor.apply import PAGE
from recorder.model.media import Copy, SegmentId
from recorder.ports import (
    Documents,
    Planning,
)


def copies_in(planning: Planning, place: str, *, condemned: bool = False) -> Iterator[Copy]:
    """Page through the copies at a place."""
    after: SegmentId | None = None
    while True:
        page = planning.copies_at(place, after, PAGE, condemned)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].segment.id


def policy_in_force(documents: Documents) -> Policy | None:
    """Return the policy in force, ``None`` when none was ever set: then nothing goes."""
    document = documents.newest("policy")
    if document is None:
        return None
    return parse_policy(document.body, document.version, stored=True)


def policy_that_is_set(documents: Documents) -> Policy:
    """Return the policy in force.

    Raises: ``NotFound`` when none was ever set.
    """
    found = policy_in_force(documents)
    if found is None:
        raise NotFound(
            "no policy is set: nothing is ever deleted",
            hint="recorder policy set FILE, or PUT /api/v1/policy, sets one",
        )
    return found
