"""A site below that never comes back: removed by word of a person, never by itself."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from recorder.errors import NotFound, StateError
from recorder.model.counting import number_of
from recorder.model.places import PARENT
from recorder.model.timebase import Instant, format_duration, format_instant
from recorder.ports import Departing, Peers, SiteBeat
from recorder.sites.admitted import AdmittingCatalog, let_go
from recorder.sites.claimed import CHILD
from recorder.sites.removed import forget_sites
from recorder.sites.speaker import is_heard, routes

log = logging.getLogger("recorder.sites")


class DepartedCatalog(AdmittingCatalog, Protocol):
    """The parts of the catalog that know sites below, and what lies there."""

    departing: Departing
    peers: Peers


@dataclass(frozen=True, slots=True)
class DepartedSite:
    """A site that was removed: the copies there, and how many segments lay nowhere else."""

    site: str
    copies: int
    lost: int


def remove_site(catalog: DepartedCatalog, site: str, now: Instant, *, lose: bool) -> DepartedSite:
    """Give up what lies at a site below and at those below it, and forget them.

    What of its footage lies here and above stays.  If it speaks again all the same, as one that
    may, it is a new one, and tells all it has.  ``lose``: also where footage lies there alone, of
    which gaps ``lost`` remain.
    Raises: ``NotFound``; ``StateError`` when it is heard, or alone has footage.
    """
    beats = {one.name: one for one in catalog.sites.all() if one.name != PARENT}
    ways = routes(beats.values())
    _check_gone(beats.get(site), site, ways.get(site, site), now)
    alone = catalog.departing.only_there(site)
    if alone is not None and not lose:
        many, range_ = number_of(alone.segments, "segment"), alone.range
        when = f"{format_instant(range_.start, 0)} to {format_instant(range_.end, 0)}"
        raise StateError(
            f"site {site} has {many} that no other place has, {when}",
            hint="if it comes back, so does that; if it never does: recorder site remove --lose, "
            "or ?lose=true",
        )
    catalog.peers.end(CHILD, site, now)  # from here on it is not heard
    count = catalog.departing.give_up(site, now)
    names = [site, *(name for name, way in ways.items() if way == site and name != site)]
    catalog.departing.forget_child(site, names)
    let_go(catalog, site, now)
    forget_sites(catalog, names, now)
    log.warning("a site was removed", extra={"site": site, "copies": count})
    return DepartedSite(site, count, alone.segments if alone is not None else 0)


def _check_gone(beat: SiteBeat | None, site: str, way: str, now: Instant) -> None:
    """Refuse a site that nobody knows, that is another's child, and one that lives.

    Raises: ``NotFound``, ``StateError``.
    """
    if beat is None:
        raise NotFound(
            f"no site {site!r} below this one", hint="recorder site shows those there are"
        )
    if way != site:
        raise StateError(
            f"site {site} is below {way}",
            hint=f"say at {way}: recorder site remove {site}; it is gone here once that is heard",
        )
    if is_heard(beat, now):
        raise StateError(
            f"site {site} was heard {format_duration(abs(now - beat.at))} ago: it lives",
            hint="stop it, or take `parent` out of its settings; it counts as gone after a minute",
        )
