"""How access stands: whether it is on, whether anybody can change it, what ends soon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from recorder.accounts.people import People, can_admin
from recorder.model.timebase import DAY
from recorder.ports import Credential

SOON_NS = 14 * DAY


@dataclass(frozen=True, slots=True)
class Standing:
    """How access stands at a site.

    ``admins``: those who can sign in here with a password and change who may what; ``ending``:
    tokens that end within two weeks, the first to end first.
    """

    on: bool
    admins: Sequence[str]
    ending: Sequence[Credential]


def standing(people: People, *, on: bool) -> Standing:
    """Look how access stands.

    Raises: ``CatalogUnavailable``.
    """
    soon = people.clock.now() + SOON_NS
    admins = [one.name for one in people.catalog.accounts.all() if can_admin(one)]
    ending = [one for one in people.live(None, "token") if one.expires < soon]
    return Standing(on, admins, sorted(ending, key=lambda one: one.expires))
