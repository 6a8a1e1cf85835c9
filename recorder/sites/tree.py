"""How a site of the tree is shown."""

from __future__ import annotations

from typing import Any

from recorder.model.places import PARENT
from recorder.model.secrets import mask
from recorder.model.timebase import SECOND, Instant, format_instant
from recorder.ports import SiteBeat


def show_site(beat: SiteBeat, now: Instant) -> dict[str, Any]:
    """Write a site of the tree."""
    facts = {key: value for key, value in beat.facts.items() if key not in ("parent", "site")}
    return {
        "site": beat.facts.get("site") if beat.name == PARENT else beat.name,
        "relation": "parent" if beat.name == PARENT else "below",
        "under": beat.facts.get("parent"), "level": beat.level, "url": mask(beat.url),
        "last_heard": format_instant(beat.at, 3),
        "silent_seconds": round((now - beat.at) / SECOND, 3), "facts": facts,
    }  # fmt: skip
