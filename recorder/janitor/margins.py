"""Whether a store is large enough for what policy promises there, the grace included.

One sum, in :mod:`policies.forecast`: what a plan, a forecast, an explanation, ``policy check``
and ``doctor`` say of a store's room is the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from policies.document import Policy
from policies.forecast import shortcomings
from recorder.janitor.advise import forecast_of
from recorder.janitor.apply import PlanCatalog
from recorder.janitor.asked import ask_room
from recorder.model.timebase import Instant
from recorder.ports import ObjectStore


def room_said(
    catalog: PlanCatalog,
    stores: Mapping[str, ObjectStore],
    policy: Policy,
    level: str,
    now: Instant,
    grace_ns: int,
) -> dict[str, list[str]]:
    """Say by store in what it is too small for a policy, with what comes in now.

    Nothing is said of a store that does not answer: whoever looks at stores says that.
    """
    found = {}
    for name, store in ask_room(stores).items():
        sum_ = forecast_of(catalog, store, policy, level, now, grace_ns, stores)
        said = shortcomings(sum_, grace_ns)
        if said:
            found[name] = said
    return found
