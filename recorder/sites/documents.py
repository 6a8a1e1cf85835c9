"""What sites tell each other besides the feed's changes: documents down, facts up.

The parent's side of a link: what a child said is taken in, what it should know is answered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from recorder.errors import BadDocument, NotAllowed
from recorder.model.holds import Hold
from recorder.model.keys import StreamId, check_name
from recorder.model.timebase import Instant, TimeRange
from recorder.ports import (
    ChildCameras,
    Documents,
    Holds,
    Inbox,
    NodeBeat,
    Nodes,
    Notices,
    SiteBeat,
    Sites,
    Statuses,
    StreamStatus,
)

BATCH = 2000


class FeedCatalog(Protocol):
    """The parts of the catalog into which a child's word is taken."""

    inbox: Inbox
    notices: Notices
    holds: Holds
    statuses: Statuses
    nodes: Nodes
    sites: Sites


class AnswerCatalog(Protocol):
    """The parts of the catalog from which a child is answered."""

    notices: Notices
    holds: Holds
    documents: Documents
    child_cameras: ChildCameras
    sites: Sites


def read_hold_document(body: Mapping[str, Any]) -> Hold:
    """Read a hold as sites tell it to each other."""
    return Hold(
        body["hold_id"], tuple(body["cameras"]), TimeRange(*body["range"]), body["case"],
        body["reason"], body["owner"], body["created"], body["expires"], body["released"],
        body["released_by"],
    )  # fmt: skip


def hold_document(hold: Hold) -> dict[str, Any]:
    """Write a hold as sites tell it to each other."""
    body = asdict(hold)
    body["range"] = [hold.range.start, hold.range.end]
    return body


def hear_child(
    catalog: FeedCatalog, body: Mapping[str, Any], site: str, now: Instant
) -> None:  # fmt: skip
    """Take in what a child said.

    Raises: ``BadDocument`` when the message is not one.
    """
    try:
        child = str(body["site"])
        _check_streams(body, site)
        catalog.inbox.apply(child, body["changes"], now)
        catalog.statuses.put(
            StreamStatus(**{**one, "stream": StreamId(*one["stream"].split("/"))})
            for one in body["statuses"]
        )
        for one in body["nodes"]:
            name = one["node"] if "/" in one["node"] else f"{one['site']}/{one['node']}"
            catalog.nodes.beat(NodeBeat(**{**one, "node": name}))
        for one in body["sites"]:
            catalog.sites.put(SiteBeat(**{**one, "facts": {"parent": child, **one["facts"]}}))
        catalog.sites.put(SiteBeat(child, body["level"], body["url"], now, body["facts"]))
        catalog.notices.acknowledge(child, [int(one) for one in body.get("heard", ())])
        for hold_id, by_site in body["holds"].items():
            for name, facts in by_site.items():
                catalog.holds.put_delivery(hold_id, name, facts, now)
    except (KeyError, TypeError, ValueError) as exc:
        raise BadDocument(f"feed: malformed: {exc!r}") from exc


def _check_streams(body: Mapping[str, Any], site: str) -> None:
    """Let nobody below speak of this site's own streams."""
    named = [one["stream"] for one in (*body["changes"], *body["statuses"]) if "stream" in one]
    for name in set(named):
        parts = str(name).split("/")
        if len(parts) != 3:
            raise BadDocument(f"feed: {name!r} is not a stream")
        for part in parts:
            check_name(part, "name")
        if parts[0] == site:
            raise NotAllowed(f"feed: {name} is of this site itself")


def sites_through(sites: Sites, child: str) -> set[str]:
    """Return a child and all sites below it."""
    found, parents = {child}, {b.name: b.facts.get("parent") for b in sites.all()}
    while more := {name for name, above in parents.items() if above in found} - found:
        found |= more
    return found


def _cameras_for(catalog: AnswerCatalog, child: str, heard: Instant) -> list[dict[str, Any]]:
    """Return the camera documents that a child has not heard of, for it and what is below."""
    waiting = catalog.child_cameras.since(heard)
    sites = sites_through(catalog.sites, child) if waiting else set()
    return [asdict(one) for one in waiting if one.site in sites][:BATCH]


def documents_for_child(
    catalog: AnswerCatalog, site: str, level: str, store: str, message: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a child should know and, by its message, does not know yet."""
    child, heard = str(message["site"]), int(message.get("cameras_heard", 0))
    holds = [hold_document(hold) for hold in catalog.holds.all()]
    digest = hashlib.sha256(json.dumps(holds, sort_keys=True).encode()).hexdigest()
    policy = catalog.documents.newest("policy")
    return {
        "site": site, "level": level, "store": store,
        "policy": None if policy is None else {
            "body": dict(policy.body), "author": policy.author, "version": policy.version,
        },
        "holds": [] if message.get("holds_heard") == digest else holds,
        "holds_digest": digest,
        "word": catalog.notices.pending(child, BATCH),
        "cameras": _cameras_for(catalog, child, heard),
    }  # fmt: skip
