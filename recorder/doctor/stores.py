"""The stores: whose they are, whether they take what is written, whether policy fits."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from typing import Protocol

from recorder.app import App
from recorder.config import StorePart
from recorder.doctor.finding import Finding
from recorder.errors import CatalogUnavailable, RecorderError
from recorder.janitor.deciding import policy_in_force
from recorder.janitor.keeping import BEHIND
from recorder.janitor.margins import room_said
from recorder.model.offered import offers
from recorder.model.timebase import SECOND, format_duration, format_instant
from recorder.store.owners import owner_advice
from recorder.store.probe import try_write
from recorder.store.watched import WatchedStore, Writes, told_writes


def look_at(app: App, part: StorePart) -> list[Finding]:
    """Look at one store: whose it is, and whether it takes what is written."""
    return _store(app, part.name) + ([] if part.readonly else _writes(app, part))


def look_at_all(app: App, silent: Collection[str] = ()) -> list[Finding]:
    """Look at what the stores are to hold, and held; those that are silent are not asked again."""
    answering = {name: one for name, one in app.planned_stores.items() if name not in silent}
    return _halves(app) + _age(app, answering) + _room(app, answering)


def _store(app: App, name: str) -> list[Finding]:
    """Look at a store: which it is, and who writes there."""
    identity, others = app.admission.look(name)
    said = f"answers, identity {identity}" if identity else "not used yet"
    found = [Finding(f"store {name}", "ok", said)]
    for other, lives in others.items():
        level, verb = ("bad", "writes") if lives else ("note", "wrote")
        said = f"another recorder {verb} there as this site: {other}"
        found.append(Finding(f"store {name}", level, said, owner_advice(name)))
    return found + (look_at_uploads(name, app.stores[name]) if identity else [])


def _writes(app: App, part: StorePart) -> list[Finding]:
    """Look whether a store takes what is written: nodes that run know; a directory is tried."""
    refused = refused_writes(app).get(part.name)
    untold = refused is None and part.kind == "directory" and part.name not in told(app)
    if untold and app.admission.look(part.name)[0]:  # only one that is ours is written to
        refused = try_write(app.stores[part.name])
    if refused is None:
        return []
    return [
        Finding(
            f"writes {part.name}",
            "bad",
            refused,
            "look at quota, rights and room; footage stays in the spool until it is taken",
        )
    ]


def told(app: App) -> dict[str, tuple[str, Writes]]:
    """Return how the writes of this site's nodes went, by store; nothing when nobody says."""
    try:
        beats = app.catalog.nodes.all()
        now = app.site_clock.now()
    except CatalogUnavailable:
        return {}  # said by what looks at the catalog
    return told_writes(beats, app.settings.site, now)


def refused_writes(app: App) -> dict[str, str]:
    """Say which stores answer and take nothing, since when, and what a node was told."""
    now = app.site_clock.now()
    return {
        store: f"it takes nothing that node {node} writes, for "
        f"{format_duration(max(0, now - writes.failing_since) // SECOND * SECOND)}: {writes.error}"
        for store, (node, writes) in told(app).items()
        if writes.failing_since is not None
    }


def _halves(app: App) -> list[Finding]:
    """Say which rebuilds were begun and not finished: the catalog may lack what was not read."""
    found = []
    for part in app.settings.all_stores:
        try:
            facts = app.catalog.progress.of(f"rebuild {part.name}")
        except CatalogUnavailable:
            break  # said by what looks at the catalog
        if facts and facts.get("finished") is None:
            said = f"of store {part.name}, begun {format_instant(facts['begun'], 0)}, did not end"
            found.append(Finding("rebuild", "bad", said, f"recorder rebuild --store {part.name}"))
    return found


def _age(app: App, answering: Mapping[str, WatchedStore]) -> list[Finding]:
    """Say whether a store was written by a catalog that knew more than this one."""
    try:
        behind = app.upkeep.keeper.behind(answering.values())
    except RecorderError:
        return []  # said by what looks at the catalog, and at the stores
    return [Finding("catalog", "bad", behind, BEHIND)] if behind else []


def _room(app: App, answering: Mapping[str, WatchedStore]) -> list[Finding]:
    """Say of which stores policy wants more than fits, beside the floor and the grace."""
    stores = {}
    for name, store in answering.items():
        with contextlib.suppress(RecorderError):  # said by what looks at stores
            if app.admission.look(name)[0] is not None:
                stores[name] = store
    try:
        policy = policy_in_force(app.catalog.documents)
        if policy is None:
            return []
        said = room_said(
            app.catalog, stores, policy, app.settings.level, app.clock.now(), app.grace_ns
        )
    except RecorderError as exc:
        return [Finding("room", "bad", str(exc), exc.hint)]
    advice = "a larger store or quota, shorter ages or grace: recorder policy forecast has the sum"
    return [
        Finding(f"room {name}", "bad", line, advice)
        for name, lines in said.items()
        for line in lines
    ]


class Uploads(Protocol):
    """A store to which large objects go in parts."""

    @property
    def ends_uploads(self) -> bool | None:
        """Whether it ends uploads that broke off; ``None`` where it does not say."""


def look_at_uploads(name: str, store: object) -> list[Finding]:
    """Look whether parts of uploads that broke off stay in a bucket for ever."""
    if not offers(store, Uploads) or store.ends_uploads:
        return []
    said = "has no lifecycle rule" if store.ends_uploads is False else "tells no lifecycle rule"
    return [
        Finding(
            f"uploads {name}",
            "note",
            f"the bucket {said} that ends uploads that broke off",
            "set AbortIncompleteMultipartUpload after 1 day: the janitor ends ours alone",
        )
    ]
