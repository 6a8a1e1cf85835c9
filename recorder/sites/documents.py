"""What sites tell each other besides the feed's changes: documents down, facts up.

The parent's side of a link: what a child said is taken in, what it should know is answered.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from recorder import telemetry
from recorder.errors import BadDocument
from recorder.model.checks import MOST_INTEGER
from recorder.model.holds import Hold
from recorder.model.timebase import HOUR, Instant, format_instant
from recorder.ports import (
    ChildCamera,
    ChildCameras,
    Departing,
    Documents,
    Events,
    Holds,
    Identities,
    Inbox,
    Nodes,
    Notices,
    OwedEvents,
    Progress,
    Sites,
)
from recorder.sites.admitted import check_child
from recorder.sites.owed import TAKEN, events_owed, events_since, hear_taken
from recorder.sites.removed import forget_sites
from recorder.sites.said import holds_spoken_of
from recorder.sites.speaker import routes
from recorder.sites.spoken import is_twin, note_speaker, returns
from recorder.sites.told import MOST_SAID, SET_ASIDE, Aside, Told, hear
from recorder.sites.turns import TURN, TURN_WAS, count_turn
from recorder.sites.word import read_unknown

log = logging.getLogger("recorder.sites")

BATCH = 2000
ENDED_TOLD_NS = HOUR
"""So long who is told of holds hears of one that ended without asking."""


class FeedCatalog(Protocol):
    """The parts of the catalog into which a child's word is taken."""

    inbox: Inbox
    notices: Notices
    owed_events: OwedEvents
    holds: Holds
    nodes: Nodes
    sites: Sites
    departing: Departing
    identities: Identities
    progress: Progress


class AnswerCatalog(Protocol):
    """The parts of the catalog from which a child is answered."""

    notices: Notices
    holds: Holds
    documents: Documents
    child_cameras: ChildCameras
    events: Events
    owed_events: OwedEvents
    identities: Identities
    progress: Progress
    sites: Sites


def hold_document(hold: Hold) -> dict[str, object]:
    """Write a hold as sites tell it to each other."""
    body = asdict(hold)
    body["range"] = [hold.range.start, hold.range.end]
    return body


def hear_child(
    catalog: FeedCatalog, body: Mapping[str, object], site: str, now: Instant
) -> list[Aside]:
    """Take in what a child said; return what was set aside.

    Raises: ``BadDocument`` when the message is none, ``NotAllowed`` when it is no child's,
    ``NameTaken`` when it is another's than the child of that name, ``StateError`` when a newer
    one was taken in.
    """
    sites = catalog.sites.all()
    holds = [hold.hold_id for hold in catalog.holds.named(holds_spoken_of(body))]
    told = hear(body, site, sites, holds, now)
    before = next((one for one in sites if one.name == told.child), None)
    twin = is_twin(told.numbered, before, now)
    check_child(catalog, told.child, body.get("catalog", ""), told.sites[-1].url, now, twin=twin)
    anew = body.get("anew")
    if isinstance(anew, list) and "begin" in anew:
        catalog.inbox.begin_anew(told.child, now, told.numbered)
    _apply(catalog, told, told.changes, now)
    untaken = any(one.again is not None for one in told.aside)  # it is there, and told later
    if isinstance(anew, list) and "end" in anew and not untaken:
        gone = catalog.inbox.end_anew(told.child, now, told.numbered)
        log.info("a site has told all anew", extra={"site": told.child, "gone": gone})
    catalog.inbox.hear_states(told.child, told.statuses, now, told.numbered)
    _hear_nodes(catalog.nodes, told, routes(sites))
    facts = before.facts.get(SET_ASIDE) if before is not None else None
    said = _said_aside(told, facts if isinstance(facts, Mapping) else {}, now)

    def own(known: Mapping[str, object]) -> Mapping[str, object]:
        speaks, returned = note_speaker(told.numbered, known), returns(told.numbered, known)
        counts = count_turn(body.get(TURN), known, returned=returned)
        return counts | speaks | ({SET_ASIDE: said} if said else {})

    for beat in told.sites:
        catalog.sites.put(beat, own if beat.name == told.child else None)
    if told.removed:
        names = {"site": told.child, "gone": told.removed}
        log.warning("sites below a site are no more", extra=names)
        forget_sites(catalog, told.removed, now)
    catalog.notices.acknowledge(told.child, told.heard)
    hear_taken(catalog, told.child, body, now)
    for hold_id, by_site in told.holds.items():
        for name, delivered in by_site.items():
            catalog.holds.put_delivery(hold_id, name, delivered, now)
    return told.aside


def _hear_nodes(nodes: Nodes, told: Told, ways: Mapping[str, str]) -> None:
    """Take in the nodes a child names, always all; one that it names no more was removed there."""
    for node in told.nodes:
        nodes.beat(node)
    gone = [
        beat.node
        for beat in nodes.all()
        if told.child in (beat.site, ways.get(beat.site)) and beat.node not in told.node_names
    ]
    if gone:
        nodes.forget(gone)


def _apply(
    catalog: FeedCatalog, told: Told, changes: Sequence[dict[str, object]], now: Instant
) -> None:
    """Take in changes; of those the catalog cannot store, all but the bad ones."""
    try:
        catalog.inbox.apply(told.child, changes, now, told.numbered)
    except BadDocument as exc:
        if len(changes) == 1:
            told.aside.append(Aside(f"change {changes[0]['k']}", str(exc)))
            return
        half = len(changes) // 2
        _apply(catalog, told, changes[:half], now)
        _apply(catalog, told, changes[half:], now)


def _said_aside(told: Told, before: Mapping[str, Any], now: Instant) -> dict[str, object]:
    """Count and log what was set aside; return what is shown of it with the child."""
    if not told.aside:
        return dict(before)
    for one in told.aside:
        telemetry.FEED_ASIDE.labels(one.what.partition(" ")[0]).inc()
    last = told.aside[-1]
    if (last.what, last.why) != (before.get("what"), before.get("why")):
        log.warning(
            "set aside of what a site below says",
            extra={
                "site": told.child,
                "things": len(told.aside),
                "what": last.what,
                "reason": last.why,
            },
        )
    known = before.get("count")  # of one that hung below another, that one said it
    count = (known if isinstance(known, int) else 0) + len(told.aside)
    return {"count": count, "what": last.what, "why": last.why, "at": format_instant(now, 0)}


def sites_through(sites: Sites, child: str) -> set[str]:
    """Return a child and all sites below it."""
    found, parents = {child}, {b.name: b.facts.get("parent") for b in sites.all()}
    while more := {name for name, above in parents.items() if above in found} - found:
        found |= more
    return found


def _cameras_for(catalog: AnswerCatalog, child: str, heard: Instant) -> list[dict[str, object]]:
    """Return the camera documents that a child has not heard of, for it and what is below."""
    waiting = catalog.child_cameras.since(heard)
    sites = sites_through(catalog.sites, child) if waiting else set()
    told = [one for one in waiting if one.site in sites and not _locked(one)]
    return [asdict(one) for one in told][:BATCH]


def _locked(one: ChildCamera) -> bool:
    """Tell whether its secrets cannot be read here: what the child has must not be lost by that.

    It is told when they are set again.
    """
    return any("cipher" in source for source in (one.body or {}).get("streams", {}).values())


def _holds_for(
    holds: Holds, message: Mapping[str, object], now: Instant
) -> dict[str, list[dict[str, object]] | str]:
    """Return the holds that a child should know, if it has not got just these.

    Those in force, and of those that ended the latest, and what the child still speaks of: it
    names all that are in force there each minute, however long it was away.
    """
    told = {one.hold_id: one for one in holds.live_since(now - ENDED_TOLD_NS)}
    told |= {one.hold_id: one for one in holds.named(set(holds_spoken_of(message)) - told.keys())}
    documents = [hold_document(one) for _, one in sorted(told.items())]
    digest = hashlib.sha256(json.dumps(documents, sort_keys=True).encode()).hexdigest()
    known = message.get("holds_heard") == digest
    return {"holds": [] if known else documents, "holds_digest": digest}


def _events_for(
    catalog: AnswerCatalog, child: str, message: Mapping[str, object], now: Instant
) -> list[dict[str, object]]:
    """Return events of this site, or from above it, that touch cameras of a child or below it.

    Told are those that were removed, too.
    """
    through = sites_through(catalog.sites, child)
    if TAKEN in message:
        return events_owed(catalog, child, through, now)
    heard = _heard(message, "events_heard", now)
    return events_since(catalog.events, catalog.sites, through, heard)


def _heard(message: Mapping[str, object], name: str, now: Instant) -> Instant:
    """Read until when a child has heard; what says nothing means that all is told again.

    A time of a clock of ours that was ahead hides nothing of what came since.
    """
    heard = message.get(name, 0)
    return min(heard, now) if type(heard) is int and 0 <= heard <= MOST_INTEGER else 0


def documents_for_child(
    catalog: AnswerCatalog,
    site: str,
    level: str,
    store: str,
    message: Mapping[str, object],
    aside: Sequence[Aside] = (),
    catalog_id: str = "",
    *,
    now: Instant,
) -> dict[str, object]:
    """Return what a child should know and, by its message, does not know yet.

    ``catalog_id`` is this catalog's own: by it a child knows that it speaks to who it spoke to.
    """
    child = str(message["site"])
    heard = _heard(message, "cameras_heard", now)
    policy = catalog.documents.newest("policy")
    return {
        "site": site,
        "level": level,
        "store": store,
        "store_id": catalog.identities.of(store) or "",
        "catalog": catalog_id,
        "policy": None
        if policy is None
        else {
            "body": dict(policy.body),
            "author": policy.author,
            "version": policy.version,
        },
        **_holds_for(catalog.holds, message, now),
        "word": catalog.notices.pending(child, BATCH, read_unknown(message)),
        "cameras": _cameras_for(catalog, child, heard),
        "events": _events_for(catalog, child, message, now),
        "set_aside": [{"what": one.what, "why": one.why} for one in aside[:MOST_SAID]],
        "set_aside_count": len(aside),
        "again": [one.again for one in aside if one.again is not None],
        **_turn_for(catalog, child),
    }


def _turn_for(catalog: AnswerCatalog, child: str) -> dict[str, object]:
    """Say how far this site has counted what it heard of a child, and what it was before."""
    beat = next((one for one in catalog.sites.all() if one.name == child), None)
    facts = beat.facts if beat is not None else {}
    return {name: facts[name] for name in (TURN, TURN_WAS) if name in facts}
