"""What a child may say, and of whom: a message of the feed, sorted into what is taken in.  Pure.

A child speaks of itself and of what lies below it; never of this site, of its parent, or of what
is reached through another child.  What is not right is set aside, one thing at a time, and said:
one odd change must not keep the rest from being heard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from recorder.errors import BadDocument, InFuture, NotAllowed, RequestError
from recorder.model.checks import (
    check_integer,
    check_json,
    check_number,
    check_text,
    json_size,
)
from recorder.model.events import MOST_AHEAD_NS
from recorder.model.keys import check_name
from recorder.model.places import PARENT
from recorder.model.timebase import Instant
from recorder.ports import NodeBeat, Numbered, SiteBeat, StreamStatus
from recorder.sites.changes import check_change, check_stream
from recorder.sites.numbered import NUMBERED, read_numbered
from recorder.sites.removed import REMOVED, hear_removed
from recorder.sites.speaker import MOST_THINGS, Speaker, is_heard, off_by, routes, site_above
from recorder.sites.spoken import SPOKEN
from recorder.sites.turns import TURN, TURN_WAS

Message = Mapping[str, Any]

SET_ASIDE, MOST_FACTS = "set_aside", 64 * 1024
OURS = ("parent", "site", SET_ASIDE, SPOKEN, TURN, TURN_WAS)
"""What is noted here of a child among its facts; it says none of that."""
MOST_SAID = 20
"""So many of the things set aside are named; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Aside:
    """Something that was set aside, and why.

    ``again``: which of the message's changes it is, if the child is to say it again later.
    """

    what: str
    why: str
    again: int | None = None


@dataclass(slots=True)
class Told:
    """What is taken in of a message.

    ``node_names``: all that it names, also those set aside; ``removed``: sites that were below it.
    """

    child: str
    numbered: Numbered | None = None
    changes: list[dict[str, object]] = field(default_factory=list)
    statuses: list[StreamStatus] = field(default_factory=list)
    nodes: list[NodeBeat] = field(default_factory=list)
    node_names: set[str] = field(default_factory=set)
    removed: list[str] = field(default_factory=list)
    sites: list[SiteBeat] = field(default_factory=list)
    holds: dict[str, dict[str, Any]] = field(default_factory=dict)
    heard: list[int] = field(default_factory=list)
    aside: list[Aside] = field(default_factory=list)


def hear(
    body: Message, own: str, sites: Sequence[SiteBeat], holds: Iterable[str], now: Instant
) -> Told:
    """Sort what a child says; ``holds``: those there are.

    Raises: ``BadDocument`` when the message is none, ``NotAllowed`` when it is not a child's.
    """
    child = check_name(body.get("site"), "feed: site")
    known = {one.name: one for one in sites if one.name != PARENT}
    above, ways = site_above(sites, now), routes(sites)
    speaker = Speaker(child, own, known, ways, now, off_by(body, now), above)
    speaker.check_site(child)
    _check_alone(speaker)
    lists = _lists(body)
    told = Told(child, read_numbered(body.get(NUMBERED)))
    told.sites = _told_sites(lists["sites"], speaker, told)
    told.removed = hear_removed(body.get(REMOVED), speaker)
    for number, one in enumerate(lists["changes"]):
        _sort(told, "change", check_change, one, speaker, told.changes, number)
    for one in lists["statuses"]:
        _sort(told, "status", _status, one, speaker, told.statuses)
    for one in lists["nodes"]:
        _sort(told, "node", _node, one, speaker, told.nodes)
        told.node_names |= _node_names(one, child)
    told.sites.append(_child_beat(body, child, now))
    _hear_holds(body.get("holds"), set(holds), speaker, told)
    heard = body.get("heard")
    for said in heard if isinstance(heard, list) else ():
        _sort(told, "heard", lambda one, _: check_integer(one, "heard"), said, speaker, told.heard)
    return told


def _check_alone(speaker: Speaker) -> None:
    """Refuse a child that is reached through another: one of two of that name.

    Raises: ``NotAllowed``.
    """
    child, beat = speaker.child, speaker.known.get(speaker.child)
    way = speaker.routes.get(child, child)
    if beat is not None and way != child and is_heard(beat, speaker.now):
        raise NotAllowed(
            f"feed: site {child} is reached through {way}",
            hint="are there two sites of one name?  One that moved is heard after a minute",
        )


def _lists(body: Message) -> dict[str, list[object]]:
    """Return the lists of a message.

    Raises: ``BadDocument``.
    """
    found = {}
    for name, most in MOST_THINGS.items():
        items = body.get(name)
        if not isinstance(items, list) or len(items) > most:
            raise BadDocument(f"feed: malformed: {name} must be a list, of {most} at most")
        found[name] = items
    return found


def _sort(
    told: Told,
    what: str,
    check: Callable[[Any, Speaker], object],
    one: object,
    speaker: Speaker,
    into: list[Any],
    number: int | None = None,
) -> None:
    """Take something in, or set it aside; ``number``: of a change in its message."""
    try:
        found = check(one, speaker)
    except InFuture as exc:
        told.aside.append(Aside(_named(what, one), str(exc)[:300], number))
    except RequestError as exc:
        told.aside.append(Aside(_named(what, one), str(exc)[:300]))
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        told.aside.append(Aside(_named(what, one), f"malformed: {type(exc).__name__}"))
    else:
        if found is not None:
            into.append(found)


def _named(what: str, one: object) -> str:
    """Name what was set aside by what it says of itself, as far as that can be shown."""
    if not isinstance(one, Mapping):
        return what
    said = (one.get(key) for key in ("k", "stream", "id", "node", "name"))
    names = [text[:80] for text in said if isinstance(text, str) and text.isprintable()]
    return " ".join([what, *names])


# -- signs of life ---------------------------------------------------------------------------------


def _facts(value: object) -> dict[str, object]:
    if not isinstance(value, Mapping):
        raise BadDocument("facts: must be an object")
    check_json(value, "facts", lines=True)
    if json_size(value) > MOST_FACTS:
        raise BadDocument(f"facts: more than {MOST_FACTS} bytes")
    return dict(value)


def _status(one: Message, speaker: Speaker) -> StreamStatus | None:
    parts = str(one["stream"]).split("/")
    if speaker.outdated(parts[0], one["at"]):
        return None
    stream = check_stream(one["stream"], speaker)
    said = {
        name: check_text(one[name], name, 2048, lines=True)
        for name in ("node", "state", "cause", "condition", "detail")
    }
    since = check_integer(one["since"], "since", 0, speaker.now + MOST_AHEAD_NS)
    return StreamStatus(
        stream,
        **said,
        since=since,
        at=speaker.check_at(one["at"]),
        health=_facts(one.get("health", {})),
    )


def _node_names(one: object, child: str) -> set[str]:
    """Name a node as it is known here, whatever else is said of it."""
    if not isinstance(one, Mapping) or not isinstance(one.get("node"), str):
        return set()
    site, _, name = one["node"].rpartition("/")
    return {f"{site or child}/{name}"}


def _node(one: Message, speaker: Speaker) -> NodeBeat | None:
    named = check_text(one["node"], "node", 200)
    site, _, name = named.rpartition("/")
    site = site or one["site"]
    if speaker.outdated(site, one["at"]):
        return None
    if speaker.check_site(site) != one["site"]:
        raise NotAllowed(f"node {named} is not of site {str(one['site'])[:63]}")
    check_name(name, "node")
    return NodeBeat(f"{site}/{name}", site, speaker.check_at(one["at"]), _facts(one["facts"]))


def _beat(one: Message, name: str, at: Instant) -> SiteBeat:
    url = check_text(one["url"], "url", 2048)
    if url and not url.startswith(("http://", "https://")):
        raise BadDocument("url: is not an http URL")
    facts = _facts(one["facts"])
    _check_figures(facts)
    return SiteBeat(name, check_text(one["level"], "level", 63), url, at, facts)


def _check_figures(facts: Mapping[str, object]) -> None:
    """Look at the facts of a site that others reckon with.

    Raises: ``RequestError``.
    """
    check_number(facts.get("lag_s", 0), "lag_s", -1e12, 1e12)  # its clock may have gone back
    check_integer(facts.get("untold", 0), "untold", 0)
    backlog = facts.get("backlog", {})
    for name, counts in backlog.items() if isinstance(backlog, Mapping) else [("", None)]:
        if not isinstance(counts, Mapping):
            raise BadDocument("backlog: must be an object of objects")
        check_name(name, "backlog")
        check_integer(counts.get("segments"), "backlog", 0)
        check_integer(counts.get("bytes"), "backlog", 0)


def _child_beat(body: Message, child: str, now: Instant) -> SiteBeat:
    """Read the child's own sign of life; it is heard whatever it says of itself."""
    try:
        beat = _beat(body, child, now)
    except (RequestError, KeyError) as exc:
        raise BadDocument(f"feed: malformed: {exc}") from exc
    facts = {key: value for key, value in beat.facts.items() if key not in OURS}
    return SiteBeat(child, beat.level, beat.url, now, facts)


def _told_sites(items: Sequence[object], speaker: Speaker, told: Told) -> list[SiteBeat]:
    """Read the sites below a child: each under one that is below it, too, or the child itself."""
    found: list[SiteBeat] = []
    for one in items:
        _sort(told, "site", _site, one, speaker, found)
    below, waiting = {speaker.child}, found
    while more := [one for one in waiting if one.facts["parent"] in below]:
        below |= {one.name for one in more}
        waiting = [one for one in waiting if one.name not in below]
    for one in waiting:
        told.aside.append(Aside(f"site {one.name}", "hangs below no site that this child told"))
    return [one for one in found if one.name in below]


def _site(one: Message, speaker: Speaker) -> SiteBeat | None:
    at = speaker.ours(one["at"])
    if speaker.outdated(one["name"], at):
        return None
    name = speaker.check_site(one["name"])
    if name == speaker.child:
        raise NotAllowed("a site cannot be below itself")
    speaker.check_number(name)
    beat = _beat(one, name, speaker.check_at(at))
    above = check_name(beat.facts.get("parent", speaker.child), "parent")
    facts = {key: value for key, value in beat.facts.items() if key not in (SPOKEN, TURN, TURN_WAS)}
    return SiteBeat(name, beat.level, beat.url, beat.at, {**facts, "parent": above})


def _hear_holds(said: object, known: set[str], speaker: Speaker, told: Told) -> None:
    """Read what sites below say of holds; of those that are not known here they say it in vain."""
    if not isinstance(said, Mapping):
        raise BadDocument("feed: malformed: holds must be an object")
    for hold_id, by_site in said.items():
        if hold_id not in known:
            continue
        for site, facts in by_site.items() if isinstance(by_site, Mapping) else ():
            if speaker.through(site):
                continue  # once told, of a site that has moved since
            pairs: list[tuple[str, dict[str, object]]] = []
            _sort(
                told,
                "hold",
                lambda one, who: (who.check_site(one[0]), _facts(one[1])),
                (site, facts),
                speaker,
                pairs,
            )
            told.holds.setdefault(hold_id, {}).update(pairs)
