"""Sites below that were removed by word of a person: told upward, where they are known, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from recorder.model.timebase import DAY, Instant
from recorder.ports import Departing, Progress, SiteBeat
from recorder.sites.speaker import Speaker

REMOVED = "removed"
"""What a message calls the sites that were removed below who speaks."""
_NOTE = "removed sites"
TOLD_NS = 30 * DAY
"""So long it is told: a parent that was away for longer keeps the site in its lists."""


class RemovedCatalog(Protocol):
    """The parts of the catalog that know sites below."""

    departing: Departing
    progress: Progress


def forget_sites(catalog: RemovedCatalog, names: Sequence[str], now: Instant) -> None:
    """Know sites no more, and note that they were removed."""
    noted = {name: at for name, at in _noted(catalog.progress).items() if now - at < TOLD_NS}
    catalog.progress.put(_NOTE, noted | dict.fromkeys(names, now), now)
    catalog.departing.forget_sites(names)


def removed_sites(progress: Progress, beats: Sequence[SiteBeat], now: Instant) -> list[str]:
    """Return what the parent is told: those that did not come back, of this month."""
    there, noted = {one.name for one in beats}, _noted(progress)
    return sorted(name for name, at in noted.items() if now - at < TOLD_NS and name not in there)


def hear_removed(said: object, speaker: Speaker) -> list[str]:
    """Return the sites that were removed below a child, of those that are known through it."""
    names = [one for one in said if isinstance(one, str)] if isinstance(said, list) else []
    return sorted(
        {one for one in names if one != speaker.child and speaker.routes.get(one) == speaker.child}
    )


def _noted(progress: Progress) -> dict[str, Instant]:
    return {name: int(at) for name, at in progress.of(_NOTE).items()}
