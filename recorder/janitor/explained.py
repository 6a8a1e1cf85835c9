"""Why a segment is there, when it goes, and what became of footage that is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from policies.document import Policy
from policies.explain import Kept, explain
from policies.judge import STAY, Verdict
from policies.retain import verdict_on
from recorder.janitor.apply import Part, PlanCatalog, facts_of
from recorder.janitor.asked import ask_room
from recorder.janitor.deciding import policy_in_force
from recorder.janitor.meter import Meter
from recorder.model.keys import CameraId, group_of
from recorder.model.media import Copy, Segment
from recorder.model.places import Place
from recorder.model.shown import ShownEntry
from recorder.model.timebase import MINUTE, Instant, TimeRange, format_instant
from recorder.ports import Audit, AuditEntry, Clock, Footage, Measured, ObjectStore
from recorder.reading.finder import Finder
from recorder.reading.view import View


def reasons(
    catalog: AdviceCatalog,
    stores: Mapping[str, Measured],
    segment: Segment,
    levels: dict[str, str],
    now: Instant,
    grace_ns: int = 0,
) -> list[str]:
    """Say why a segment is there and when it goes.

    ``levels`` are those of the stores here, ``stores`` those that the janitor plans for.
    """
    kinds = {
        kind
        for _, touched, kind in catalog.events.windows(segment.range, segment.stream.camera_id)
        if touched.overlaps(segment.range)
    }
    holds = [
        hold
        for hold in catalog.holds.all()
        if hold.names(segment.stream.camera_id) and hold.range.overlaps(segment.range)
    ]
    policy = policy_in_force(catalog.documents)
    copies = catalog.footage.copies([segment])[segment.key]
    sites = {beat.name: beat.level for beat in catalog.sites.all()}

    def kept(copy: Copy) -> Kept:
        if copy.place in levels and copy.place not in stores:
            return _readonly(copy, levels[copy.place])
        level = _level(copy.at, levels, sites)
        found = _judged(catalog, stores, policy, copy, now, level, grace_ns)
        return replace(found, damaged=copy.damaged_at is not None)

    places = [kept(copy) for copy in copies if not copy.at.spool]
    said = explain(
        policy,
        segment.stream,
        group_of(catalog.cameras.groups(), segment.stream.camera_id),
        segment.range,
        kinds,
        places,
        holds,
        now,
    )
    if segment.is_thin:
        said.insert(0, "only its clean points are left: this segment was made thin")
    if not places:
        said.append("it is in the spool only: no store has it yet")
    return said


def _readonly(copy: Copy, level: str) -> Kept:
    said = Verdict(STAY, "readonly", "nothing is deleted in this store")
    return Kept(copy.at, level, copy.condemned_at is not None, said)


def _judged(
    catalog: PlanCatalog,
    stores: Mapping[str, Measured],
    policy: Policy | None,
    copy: Copy,
    now: Instant,
    level: str,
    grace_ns: int,
) -> Kept:
    """Plan for a copy as the janitor does, if its store is one of this site's."""
    condemned, store = copy.condemned_at is not None, stores.get(copy.place)
    if copy.at.above and not copy.verified_at:
        return Kept(copy.at, level, doubted=True)
    if store is None or policy is None or condemned:
        return Kept(copy.at, level, condemned)
    segment = copy.segment
    part = Part(only=TimeRange(segment.start, segment.start + 1))
    room = Meter(catalog.planning).known(store, now, grace_ns)
    facts = facts_of(catalog, store, policy, level, now, capacity=room, part=part, stores=stores)
    found = verdict_on(policy, facts, segment.stream, segment.start, segment.writer)
    if found is None:  # let go, or marked, this moment
        return Kept(copy.at, level, condemned)
    return Kept(copy.at, level, condemned, *found)


def _level(place: Place, levels: dict[str, str], sites: dict[str, str]) -> str:
    """Return the level a place is at: a store here, or the last site on the way to it."""
    return levels.get(str(place)) or sites.get(place.site, "level not known")


_DONE = {
    "condemn": "deleted from",
    "lost": "lost from",
    "damaged": "damaged in",
    "repaired": "repaired in",
}


def why_gone(audit: Audit, camera: CameraId, asked: TimeRange) -> list[str]:
    """Say which rules deleted footage of a range; the records outlive the footage."""
    said = []
    for entry in audit.about(camera, asked):
        done = _DONE.get(entry.action, entry.action)
        by = entry.rule
        if entry.action == "condemn":
            by += f" (policy version {entry.document_version})"
        said.append(
            f"{format_instant(entry.range.start, 0)} to {format_instant(entry.range.end, 0)} "
            f"{done} {entry.place} by {by}, decided {format_instant(entry.at, 0)}: {entry.reason}"
        )
    return said


def show_entry(entry: AuditEntry) -> ShownEntry:
    """Write an entry of the log for answers."""
    return {
        "at": format_instant(entry.at, 3),
        "action": entry.action,
        "key": entry.key,
        "place": entry.place,
        "rule": entry.rule,
        "reason": entry.reason,
        "document_version": entry.document_version,
    }


class AdviceCatalog(PlanCatalog, Protocol):
    """The parts of the catalog that explaining uses."""

    audit: Audit
    footage: Footage


class _Here(Protocol):
    """What explaining needs of the app."""

    @property
    def catalog(self) -> AdviceCatalog:
        """The catalog."""

    @property
    def planned_stores(self) -> Mapping[str, ObjectStore]:
        """The stores of this site that the janitor plans for, by name."""

    @property
    def view(self) -> View:
        """All footage this node can see."""

    @property
    def levels(self) -> dict[str, str]:
        """Level of each store, by name."""

    @property
    def clock(self) -> Clock:
        """Time."""

    @property
    def grace_ns(self) -> int:
        """How long what is condemned waits."""

    @property
    def finder(self) -> Finder:
        """What finds cameras by their names."""


def explain_moment(
    app: _Here, camera: str, stream: str | None, moment: Instant, site: str | None = None
) -> tuple[str | None, list[str]]:
    """Explain the footage of a moment: the key of its segment, and the reasons.

    Without footage: ``None``, and what deleted it, if anything did.
    """
    name, document = app.finder.stream_of(camera, stream, site)
    asked = TimeRange(moment, moment + 1)
    found = app.catalog.footage.segments(name, asked)
    if found:
        stores = ask_room(app.planned_stores)
        said = reasons(app.catalog, stores, found[0], app.levels, app.clock.now(), app.grace_ns)
        return found[0].key, said
    causes = [f"gap: {gap.cause}" for gap in app.catalog.footage.gaps(name, asked)]
    said = causes + why_gone(app.catalog.audit, name.camera_id, asked)
    if said:
        return None, said
    line = app.view.timeline(name, TimeRange(moment - MINUTE, moment + MINUTE), document)
    gaps = [gap for gap in line.gaps if gap.range.start <= moment < gap.range.end]
    if gaps:
        return None, [f"gap: {gap.cause}" for gap in gaps]
    if any(span.start <= moment < span.end for span in line.spans):
        return None, ["it is recorded, and not sealed yet: no rule is asked before that"]
    return None, ["nothing was recorded then"]
