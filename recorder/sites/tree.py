"""How a site of the tree is shown."""

from __future__ import annotations

from typing import Any

from recorder.model.places import PARENT
from recorder.model.secrets import mask
from recorder.model.timebase import SECOND, Instant, format_instant
from recorder.ports import SiteBeat
from recorder.sites.admitted import Claim


def show_site(beat: SiteBeat, now: Instant, claim: Claim | None = None) -> dict[str, Any]:
    """Write a site of the tree; ``claim``: of another by its name that was turned away."""
    facts = {key: value for key, value in beat.facts.items() if key not in ("parent", "site")}
    return {
        "site": beat.facts.get("site") if beat.name == PARENT else beat.name,
        "relation": "parent" if beat.name == PARENT else "below",
        "under": beat.facts.get("parent"), "level": beat.level, "url": mask(beat.url),
        "last_heard": format_instant(beat.at, 3),
        "silent_seconds": round((now - beat.at) / SECOND, 3), "facts": facts,
        "turned_away": None if claim is None else {
            "catalog": claim.catalog, "url": mask(claim.url), "at": format_instant(claim.at, 3),
        },
    }  # fmt: skip
