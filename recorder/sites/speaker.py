"""Whom a child may speak of: itself, and what lies below it.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from recorder.errors import NotAllowed, RequestError
from recorder.model.checks import MOST_INTEGER, check_integer
from recorder.model.events import MOST_AHEAD_NS
from recorder.model.keys import check_name
from recorder.model.places import PARENT
from recorder.model.timebase import DAY, MINUTE, Instant, heard_within
from recorder.ports import SiteBeat

SILENT_NS = MINUTE
"""A site not heard of for so long may have moved: another child may speak of it then."""

MOST_BELOW = 10_000
"""Sites below one child, and their nodes: all of them are read for each message of each child."""
MOST_THINGS = {"changes": 500_000, "statuses": 500_000, "nodes": MOST_BELOW, "sites": MOST_BELOW}
"""So many of each kind are in one message at most."""

AT = "at"
"""What a child's clock shows as it speaks."""


def routes(sites: Iterable[SiteBeat]) -> dict[str, str]:
    """Say through which child each known site is reached."""
    above = {one.name: one.facts.get("parent") for one in sites if one.name != PARENT}
    found: dict[str, str] = {}
    for name in above:
        way, at = {name}, name
        while (parent := above.get(at)) in above and parent not in way:
            way.add(parent)
            at = parent
        found[name] = at
    return found


def is_heard(beat: SiteBeat, now: Instant) -> bool:
    """Tell whether a site was heard of lately, so that no other child may speak of it."""
    return heard_within(beat.at, now, SILENT_NS + 1)


def site_above(sites: Iterable[SiteBeat], now: Instant) -> str:
    """Return what the site above is called, if one was heard of within the last day."""
    parent = next((one for one in sites if one.name == PARENT), None)
    lately = parent is not None and heard_within(parent.at, now, DAY)
    return str(parent.facts.get("site", "")) if parent is not None and lately else ""


def off_by(body: Mapping[str, object], now: Instant) -> int:
    """Return how far the clock of who says a message is behind ours; below zero: ahead."""
    at = body.get(AT)
    return now - at if isinstance(at, int) and 0 <= at <= MOST_INTEGER else 0


@dataclass(slots=True)
class Speaker:
    """A child, and whom it may speak of."""

    child: str
    own: str
    known: Mapping[str, SiteBeat]
    routes: Mapping[str, str]
    now: Instant
    off_ns: int = 0
    """How far its clock is behind ours; below zero: ahead."""
    above: str = ""
    """What the site above this one is called."""
    new: set[str] = field(default_factory=set)
    """Sites that it tells, and that are not known here."""
    room: int = -1
    """So many of those it may tell; counted with the first."""

    @property
    def behind_ns(self) -> int:
        """How far its clock is behind ours, where that is more than a day."""
        return self.off_ns if self.off_ns > DAY else 0

    def check_number(self, site: str) -> None:
        """Let a child tell a site that is not known here, unless it has told too many.

        Raises: ``RequestError``.
        """
        if site in self.known:
            return
        if self.room < 0:
            self.room = MOST_BELOW - sum(way == self.child for way in self.routes.values())
        self.new.add(site)
        if len(self.new) > self.room:
            raise RequestError(f"more than {MOST_BELOW} sites below one")

    def through(self, site: str) -> str:
        """Return the child that a site is reached through, empty where nobody else spoke of it."""
        beat = self.known.get(site)
        if site == self.child or beat is None or not is_heard(beat, self.now):
            return ""
        way = self.routes.get(site, "")
        return "" if way == self.child else way

    def check_site(self, site: object) -> str:
        """Return a site that the child may speak of.

        Raises: ``RequestError``; ``NotAllowed``.
        """
        name = check_name(site, "site")
        if name == self.own:
            raise NotAllowed(f"{name} is this site itself")
        if name == self.above:
            raise NotAllowed(f"{name} is above this site")
        way = self.through(name)
        if way:
            raise NotAllowed(f"site {name} is reached through {way}")
        return name

    def ours(self, at: object) -> Instant:
        """Return when that was by our clock what it says by its own: it is as long ago.

        Raises: ``RequestError``.
        """
        return max(0, check_integer(at, "at", 0) + self.off_ns)

    def outdated(self, site: object, at: object) -> bool:
        """Tell whether the child repeats what it once knew of a site that has moved since."""
        if not isinstance(site, str) or not isinstance(at, int) or not self.through(site):
            return False
        return at <= self.known[site].at

    def check_at(self, at: object) -> Instant:
        """Return an instant of a sign of life: never in the future.

        Raises: ``RequestError``.
        """
        return min(check_integer(at, "at", 0, self.now + MOST_AHEAD_NS), self.now)
