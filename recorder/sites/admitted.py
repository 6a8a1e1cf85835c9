"""Which site a child's name was given to: the catalog that spoke by it first.

Two sites of one name would be merged into one here.  The second is turned away whole, and both
ends say so; a site that has lost its catalog is another one, too, until somebody admits it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from recorder import telemetry
from recorder.errors import NameTaken, NotFound, StateError
from recorder.model.checks import check_text
from recorder.model.secrets import mask
from recorder.model.timebase import MINUTE, SECOND, Instant, format_duration
from recorder.ports import Identities, Progress, Sites
from recorder.sites.owed import hear_all
from recorder.sites.speaker import SILENT_NS

log = logging.getLogger("recorder.sites")

SHOWN_NS = 10 * MINUTE
"""So long after its last word a site that was turned away is told of."""
AGAIN_NS = 5 * SECOND
"""What goes on being turned away is noted so often."""
MOST_IDENTITY = 200
_ONE_ENDS = (
    "was the machine, or its data folder, copied?  Stop one of them for good; a copy that is to "
    "live needs a name of its own, and an empty data folder"
)
_PUT_RIGHT = "were data folders, databases or settings of two sites swapped?  Put them right"


class AdmittingCatalog(Protocol):
    """The parts of the catalog that know who the children are."""

    identities: Identities
    progress: Progress
    sites: Sites


@dataclass(frozen=True, slots=True)
class Claim:
    """A site that was turned away, for its name is another's.

    ``catalog``: by which it is told apart, empty where an older release says none.
    """

    child: str
    catalog: str
    url: str
    at: Instant
    known_as: str = ""
    """The other child whose catalog it is, if it is one's."""
    twin: bool = False
    """Whether it is one of two machines that speak by one name and catalog."""

    @property
    def why(self) -> str:
        """What it is told."""
        if self.known_as:
            return f"site {self.child}: it speaks with the catalog of site {self.known_as}"
        if self.twin:
            return f"site {self.child}: two machines speak by its name and catalog {self.catalog}"
        said = f"catalog {self.catalog}" if self.catalog else "a release that names no catalog"
        return f"site {self.child}: the name belongs to another site than this one, with {said}"


def _given(child: str) -> str:
    """Say what a child's identity is kept under, among those of stores."""
    return f":child {child}"


def _note(child: str) -> str:
    return f"turned away {child}"


def check_child(
    catalog: AdmittingCatalog,
    child: str,
    said: object,
    url: str,
    now: Instant,
    *,
    twin: bool = False,
) -> None:
    """Let a child speak if its name is its own, or nobody's yet; ``said``: its catalog.

    ``twin``: whether another machine is heard that speaks as it does.
    Raises: ``RequestError``; ``NameTaken``.
    """
    told = check_text(said, "catalog", MOST_IDENTITY)
    given = catalog.identities.of(_given(child))
    if given is None and told:
        given = catalog.identities.register(_given(child), told)
    if given is None or (given == told and not twin):
        return
    claim = Claim(child, told, url, now, _known_as(catalog.identities, child, told), twin)
    telemetry.TURNED_AWAY.labels(child).inc()
    before = _read(catalog, child)
    if before is None or before.catalog != told or not 0 <= now - before.at < AGAIN_NS:
        facts = {"catalog": told, "url": url, "at": now, "twin": twin}
        catalog.progress.put(_note(child), facts, now)
    if before is None or before.catalog != told:
        log.error(
            "one of two machines of one site is turned away"
            if twin
            else "a second site of one name is turned away",
            extra={"site": child, "was": given, "catalog": told, "url": mask(url)},
        )
    raise NameTaken(claim.why, hint=_way_out(claim))


def check_sender_catalog(identities: Identities, child: str, said: str) -> None:
    """Let footage come only from the site that a child's name was given to.

    Raises: ``NameTaken``.
    """
    given = identities.of(_given(child))
    if given is not None and given != said:
        telemetry.TURNED_AWAY.labels(child).inc()
        claim = Claim(child, said, "", 0, _known_as(identities, child, said))
        raise NameTaken(claim.why, hint=_way_out(claim))


def _known_as(identities: Identities, child: str, catalog: str) -> str:
    """Return which other child a catalog is, if it is one."""
    names = identities.names_of(catalog) if catalog else []
    children = [one.removeprefix(_given("")) for one in names if one.startswith(_given(""))]
    return next((one for one in children if one != child), "")


def _way_out(claim: Claim) -> str:
    if claim.known_as:
        return _PUT_RIGHT
    if claim.twin:
        return _ONE_ENDS
    if not claim.catalog:
        return "bring all sites of the tree to one release"
    return (
        "are there two sites of one name?  Give this one another.  If it has lost its catalog, "
        f"say at the parent: recorder site admit {claim.child} {claim.catalog}"
    )


def _read(catalog: AdmittingCatalog, child: str) -> Claim | None:
    facts = catalog.progress.of(_note(child))
    if not facts:
        return None
    told = str(facts["catalog"])
    known_as = _known_as(catalog.identities, child, told)
    twin = bool(facts.get("twin"))
    return Claim(child, told, str(facts["url"]), int(facts["at"]), known_as, twin)


def turned_away(catalog: AdmittingCatalog, now: Instant) -> dict[str, Claim]:
    """Return the sites that were turned away lately, by the name they claim."""
    claims = (_read(catalog, beat.name) for beat in catalog.sites.all())
    return {one.child: one for one in claims if one and now - one.at <= SHOWN_NS}


def advice(catalog: AdmittingCatalog, claim: Claim, now: Instant) -> str:
    """Say what can be done about a site that was turned away, at its parent."""
    if claim.known_as or claim.twin or not claim.catalog:
        return _way_out(claim)
    admit = f"recorder site admit {claim.child} {claim.catalog}"
    silent = _silent_ns(catalog, claim.child, now)
    if silent <= SILENT_NS:
        return f"both live: give one of them another name, or stop the other and then: {admit}"
    return (
        f"the other is silent for {format_duration(silent)}; if this one takes its place: {admit}"
    )


def _silent_ns(catalog: AdmittingCatalog, child: str, now: Instant) -> int:
    beat = next((one for one in catalog.sites.all() if one.name == child), None)
    return abs(now - beat.at) if beat is not None else SILENT_NS + 1


def let_go(catalog: AdmittingCatalog, child: str, now: Instant) -> None:
    """Let a child's name be that of the site that speaks by it next."""
    catalog.identities.forget(_given(child))
    catalog.progress.put(_note(child), {}, now)


def admit(catalog: AdmittingCatalog, child: str, identity: str, now: Instant) -> None:
    """Give a child's name to the site that was turned away with this catalog.

    Raises: ``NotFound`` when none was, ``StateError`` while the one that has it is heard.
    """
    claim = _read(catalog, child)
    if claim is None or not claim.catalog or claim.catalog != identity:
        raise NotFound(
            f"no site {child!r} with catalog {identity!r} was turned away",
            hint="recorder site shows those that were",
        )
    if claim.known_as:
        raise StateError(claim.why, hint=_PUT_RIGHT)
    silent = _silent_ns(catalog, child, now)
    if silent <= SILENT_NS:
        raise StateError(
            f"site {child} that has the name now was heard {format_duration(silent)} ago",
            hint="stop it, or give one of them another name; it counts as gone after a minute",
        )
    catalog.identities.register(_given(child), identity, replace=True)
    catalog.progress.put(_note(child), {}, now)
    hear_all(catalog.progress, child, now)
    log.warning("another site takes a name over", extra={"site": child, "catalog": identity})
