"""How the tree of sites, and a site of it, is shown."""

from __future__ import annotations

from typing import Any, Protocol

from recorder.model.places import PARENT
from recorder.model.secrets import mask
from recorder.model.timebase import SECOND, Instant, format_instant
from recorder.ports import Holds, Outbox, SiteBeat
from recorder.sites.admitted import AdmittingCatalog, Claim, advice, turned_away
from recorder.sites.spoken import SPOKEN
from recorder.sites.turns import TURN, TURN_WAS


class TreeCatalog(AdmittingCatalog, Protocol):
    """The parts of the catalog that know how the sites are linked."""

    holds: Holds
    outbox: Outbox


def show_tree(catalog: TreeCatalog, now: Instant) -> list[dict[str, object]]:
    """Write the parent and every site below; what is not delivered yet, and who was turned away.

    ``holds_pending``: live holds that a site below has not taken in yet.  ``to_tell``: changes
    that the parent has not heard of yet.
    """
    beats, away = catalog.sites.all(), turned_away(catalog, now)
    live = [hold.hold_id for hold in catalog.holds.live(now)]
    delivered = catalog.holds.deliveries(live)
    shown = []
    for beat in beats:
        claim = away.get(beat.name)
        one = show_site(beat, now, claim)
        if claim is not None:
            one["turned_away"] |= {"why": claim.why, "advice": advice(catalog, claim, now)}
        above = beat.name == PARENT
        one["holds_pending"] = (
            None if above else sum(1 for hold in live if beat.name not in delivered.get(hold, {}))
        )
        one["to_tell"] = catalog.outbox.depth()[0] if above else None
        shown.append(one)
    return shown


_SHOWN_ELSEWHERE = ("parent", "site", SPOKEN, TURN, TURN_WAS)


def show_site(beat: SiteBeat, now: Instant, claim: Claim | None = None) -> dict[str, Any]:
    """Write a site of the tree; ``claim``: of another by its name that was turned away."""
    facts = {key: value for key, value in beat.facts.items() if key not in _SHOWN_ELSEWHERE}
    return {
        "site": beat.facts.get("site") if beat.name == PARENT else beat.name,
        "relation": "parent" if beat.name == PARENT else "below",
        "under": beat.facts.get("parent"),
        "level": beat.level,
        "url": mask(beat.url),
        "last_heard": format_instant(beat.at, 3),
        "silent_seconds": round((now - beat.at) / SECOND, 3),
        "facts": facts,
        "turned_away": None
        if claim is None
        else {
            "catalog": claim.catalog,
            "url": mask(claim.url),
            "at": format_instant(claim.at, 3),
        },
    }
