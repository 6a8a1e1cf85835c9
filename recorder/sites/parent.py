"""Who is above: the site, its catalog, and how much of us it has heard."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from recorder.errors import SiteUnreachable
from recorder.model.places import PARENT
from recorder.model.timebase import Instant
from recorder.ports import Progress, Sites
from recorder.sites.turns import TURN_WAS, put_back, read_turn

KNOWN_PARENT = "parent"
"""What the parent's identity is kept under, among how far long jobs are."""


STEADY_S = 600.0
"""So long a parent that is another is spoken to before one that is another again is."""


class ParentCatalog(Protocol):
    """The parts of the catalog that know the parent."""

    progress: Progress
    sites: Sites


@dataclass(frozen=True, slots=True)
class Replaced:
    """A parent that is not what it was.

    ``was``: the site that was above; ``moved``: that and the new one, where it is another site
    with another catalog, else nothing; ``older``: how it has forgotten what it had heard, if so.
    """

    was: str
    moved: tuple[str, str]
    older: str


class KnownParent:
    """Remembers the parent."""

    def __init__(self, catalog: ParentCatalog) -> None:
        self._catalog = catalog
        self._changed_s: float | None = None
        """When another catalog answered last (monotonic)."""

    def check_one(self, answer: Mapping[str, object], now_s: float) -> None:
        """Refuse an answer of another catalog soon after the last such: two behind one address.

        Each would be told all anew each time, and know only what was said in its turn.
        Raises: ``SiteUnreachable``.
        """
        told, known = _told(answer), self._catalog.progress.of(KNOWN_PARENT)
        if not (told["catalog"] and known.get("catalog")) or told["catalog"] == known["catalog"]:
            return
        if self._changed_s is not None and now_s - self._changed_s < STEADY_S:
            raise SiteUnreachable(
                f"the parent answers by two catalogs in turn: {known['catalog']} of site "
                f"{known['site']}, and {told['catalog']} of site {told['site']}",
                hint="are there two recorders behind its address? a site has one catalog, which "
                "all its nodes share",
            )
        self._changed_s = now_s

    def turn(self) -> int:
        """Return how often the parent has counted that it heard us, by what it said last."""
        beat = next((one for one in self._catalog.sites.all() if one.name == PARENT), None)
        return int(beat.facts.get("turn", 0)) if beat is not None else 0

    def replaced(self, answer: Mapping[str, object]) -> Replaced | None:
        """Say how the parent that answers differs from the one that was known, if it does.

        Where none was, and it has heard of us before, our catalog is another than it was.
        """
        told, known = _told(answer), self._catalog.progress.of(KNOWN_PARENT)
        turn = self.turn()
        older = put_back(turn, read_turn(answer.get(TURN_WAS), turn))
        if not told["catalog"] or (not older and (not known or told == known)):
            return None
        if not known:
            return Replaced("", ("", ""), older)
        other = known["catalog"] != told["catalog"] and known["site"] != told["site"]
        moved = (known["site"], told["site"]) if other else ("", "")
        return Replaced(known["site"], moved, older)

    def remember(self, answer: Mapping[str, object], now: Instant) -> None:
        """Know the parent that answers from now on, if it says who it is."""
        told = _told(answer)
        if told["catalog"] and told != self._catalog.progress.of(KNOWN_PARENT):
            self._catalog.progress.put(KNOWN_PARENT, told, now)

    def turns_away(self, why: str, hint: str, now: Instant) -> None:
        """Show that the parent takes nothing from us; once it does, it is taken for another."""
        self.refuses(why, hint)
        forget_parent(self._catalog.progress, now)

    def refuses(self, why: str, hint: str) -> None:
        """Show that the parent takes nothing from us, until it is heard."""
        beat = next(one for one in self._catalog.sites.all() if one.name == PARENT)
        said = {"why": why, "hint": hint}
        if beat.facts.get("turned_away") != said:
            self._catalog.sites.put(replace(beat, facts={**beat.facts, "turned_away": said}))


def _told(answer: Mapping[str, object]) -> dict[str, str]:
    return {"catalog": str(answer.get("catalog", "")), "site": str(answer["site"])}


def forget_parent(progress: Progress, now: Instant) -> None:
    """Take whoever is above next as another: what is done meanwhile is not noted, or not heard."""
    known = progress.of(KNOWN_PARENT)
    if known.get("catalog"):
        progress.put(KNOWN_PARENT, {**known, "catalog": ""}, now)
