"""The audit log's jobs, and the keys that secrets are encrypted under."""

from __future__ import annotations

import hashlib
import json
import logging
from importlib.metadata import version

from recorder import telemetry
from recorder.app import App
from recorder.audit.entry import Subject
from recorder.errors import (
    IntegrityError,
    RecorderError,
    StateError,
)
from recorder.janitor.put_back import BATCHES
from recorder.jobs.retention import why_kept
from recorder.logbook.kept_twice import keep_twice
from recorder.logbook.leaving import NAME, Leaving
from recorder.logbook.refill import NAME as REFILL
from recorder.logbook.refill import Refill
from recorder.logbook.shelf import Shelf
from recorder.model.caller import Caller, CallerKind
from recorder.model.timebase import DAY, SECOND, heard_within
from recorder.ports import LogState, SecretsSeen

SIGNER_NS = 150 * SECOND
"""How long one node signs the audit log; renewed each minute."""

LEAVE_S = 30.0
"""How long rows leave at once; the next time goes on."""

SILENT_NS = 15 * SECOND
"""A node that was not heard of for so long does not run."""

log = logging.getLogger("recorder.jobs")


def sign_log(app: App) -> None:
    """Sign the audit log, if no other node of the site does."""
    if not _is_signer(app):
        return
    if app.settings.ship_store:
        app.admit(app.settings.ship_store)
    try:
        app.sealed_log.log()
        app.press.publish()
    except RecorderError:
        telemetry.AUDIT_WAITING.set(app.catalog.audit_tree.waiting()[0])
        raise


def make_key(app: App) -> None:
    """Make the key that will sign the site's log, before there is one: it is to be copied.

    By the node that will sign: where there is a log, or where another node begins one, a key
    made here would be another than the one that signs it.
    """
    if not app.catalog.audit_tree.logs() and _is_signer(app):
        app.press.signer()


def _is_signer(app: App) -> bool:
    now, node = app.site_clock.now(), app.settings.node
    lease = app.catalog.leases.take(node, ["audit"], ["audit"], now, now + SIGNER_NS)
    return lease["audit"].node == node


def let_rows_leave(app: App) -> None:
    """Let old rows of the log leave the catalog, on the node that signs it; else say why not."""
    telemetry.AUDIT_OLDEST.set((app.catalog.audit_left.oldest() or 0) / SECOND)
    second, keep = app.settings.audit.store, app.settings.audit.keep_rows_ns
    if not second or not keep or not _is_signer(app):
        return
    known = app.catalog.progress.of(NAME)
    place = (int(known.get("log", 0)), int(known.get("tile", -1)))
    try:
        why = _rows_stay(app)
        if not why:
            place = _let_leave(app, keep, place)
    except IntegrityError as exc:
        why = str(exc)
    telemetry.AUDIT_STAY.set(bool(why))
    if why and why != known.get("why"):
        log.error("rows of the audit log stay", extra={"why": why})
    facts = {"why": why, "log": place[0], "tile": place[1]}
    if facts != known:
        app.catalog.progress.put(NAME, facts, app.site_clock.now())


def _rows_stay(app: App) -> str:
    """Say why no row may leave now, whatever the stores have; what they are is looked at first."""
    names = (app.settings.ship_store, app.settings.audit.store)
    for name in names:
        app.admit(name)
    return next(filter(None, (why_kept(app, name) for name in names)), "")


def _let_leave(app: App, keep_ns: int, place: tuple[int, int]) -> tuple[int, int]:
    """Look whether what left is in two stores still, from a place on; let what is old leave.

    Raises: ``IntegrityError`` when rows, stores and signature do not say the same; what stores do.
    """
    own, until = app.settings, app.clock.monotonic() + LEAVE_S
    first, second = app.stores[own.ship_store], app.stores[own.audit.store]
    place = keep_twice(app.catalog.audit_left, first, second, place)
    leaving = Leaving(app.catalog, first, second, app.press.signer().key(""))
    leaving.keep_signed()

    def go_on() -> bool:
        return app.clock.monotonic() < until and not app.ending.is_set()

    telemetry.AUDIT_LEFT.inc(leaving.run(app.clock.now() - keep_ns, go_on))
    return place


def refill_log(app: App) -> None:
    """Put back tiles that the log's store lost, on the node that signs it; else say why not."""
    if not _is_signer(app):
        return
    if app.settings.ship_store:
        app.admit(app.settings.ship_store)
    refill_batches(app)
    known, signer = app.catalog.progress.of(REFILL), app.press.signer()
    number, folder, why = (
        int(known.get("log", 0)),
        int(known.get("folder", 0)),
        known.get("why", {}),
    )
    logs = [one for one in app.catalog.audit_tree.logs() if one.key == str(signer.key(one.origin))]
    state = next((one for one in logs if one.number >= number), None)
    if state is not None:
        after, said = _refill(app, state, folder if state.number == number else 0)
        if said and said != why.get(state.origin):
            log.error("the audit log's store lacks tiles", extra={"why": said})
        why = {one.origin: why[one.origin] for one in logs if one.origin in why and one != state}
        why |= {state.origin: said} if said else {}
        number, folder = (state.number, after) if after else (state.number + 1, 0)
    facts = {
        "log": number if logs and number <= logs[-1].number else 0,
        "folder": folder,
        "why": why,
    }
    telemetry.AUDIT_LACKS.set(bool(why))
    if facts != known:
        app.catalog.progress.put(REFILL, facts, app.site_clock.now())


def refill_batches(app: App) -> None:
    """Put batches of sealed links back that a store lost which was put back, day by day."""
    day, now = app.catalog.progress.of(BATCHES).get("day"), app.site_clock.now()
    if day is None:
        return
    day, done, lacks = max(int(day), app.catalog.audit_left.oldest() or now), 0, 0
    until = app.clock.monotonic() + LEAVE_S
    while day <= now and app.clock.monotonic() < until and not app.ending.is_set():
        put, gone = app.sealed_log.refill(day)
        day, done, lacks = day // DAY * DAY + DAY, done + put, lacks + gone
    if done or lacks:
        said = {"store": app.settings.ship_store, "batches": done, "lacking": lacks}
        log.error("the audit log's store had lost batches", extra=said)
    if done:
        node = Caller(CallerKind.NODE, app.settings.node)
        app.book.note(node, "log.refill", Subject(app.settings.site), batches=done)
    app.catalog.progress.put(BATCHES, {"day": day} if day <= now else {}, now)


def _refill(app: App, state: LogState, folder: int) -> tuple[int, str]:
    """Put back what lacks in some folders of a log; return where to go on, and why not all is."""
    key, until = app.press.signer().key(state.origin), app.clock.monotonic() + LEAVE_S
    shelf = Shelf(app.log_store, state.origin)
    filler = Refill(app.catalog.audit_tree, shelf, state, key)
    gone, after = filler.gone(folder)
    if not gone:
        return after, ""

    def go_on() -> bool:
        return app.clock.monotonic() < until and not app.ending.is_set()

    try:
        done = filler.fill(gone, go_on)
    except IntegrityError as exc:
        return after, str(exc)
    telemetry.AUDIT_REFILLED.inc(done)
    said = {"log": state.origin, "store": shelf.store.name, "tiles": done}
    log.error("the audit log's store had lost tiles", extra=said)
    node, subject = Caller(CallerKind.NODE, app.settings.node), Subject(name=state.origin)
    app.book.note(node, "log.refill", subject, store=shelf.store.name, tiles=done)
    return folder, ""  # there may be more


def settle_secrets(app: App) -> None:
    """Encrypt what an earlier release left in plain; end a change of keys that broke off."""
    if app.catalog.secrets.settle(app.site_clock.now()):
        log.info("secrets encrypted", extra={"key": app.catalog.secrets.look().key_id})


def rotate_secrets(app: App) -> SecretsSeen:
    """Put a key in force that never was, and encrypt all secrets under it.

    Where that was begun and broke off, it is gone on with.  What is under a key that is not here
    stays as it is.
    Raises: ``KeyMissing``; ``StateError`` while another node has not the new key.
    """
    secrets, now = app.catalog.secrets, app.site_clock.now()
    present, seen = secrets.begin(now), secrets.look()
    secrets.settle(now)
    if all(key == present or key not in secrets.ids() for key in seen.under):
        new = secrets.unused()
        others = [
            beat.node
            for beat in app.catalog.nodes.all()
            if beat.site == app.settings.site
            and beat.node != app.settings.node
            and heard_within(beat.at, now, SILENT_NS)
            and new not in beat.facts.get("keys", ())
        ]
        if others:
            raise StateError(
                f"rotate from key {present} to {new}: not on node {', '.join(others)}",
                hint="put the same lines there first; nodes see them within seconds",
            )
        secrets.take(new, now)
        secrets.settle(now)
    return secrets.look()


def note_node(app: App, word: str) -> None:
    """Write that this node starts or stops, and by which settings."""
    settings = app.settings.model_dump(mode="json", exclude={"catalog", "parent"})
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    node = app.settings.node
    app.book.note(
        Caller(CallerKind.NODE, node),
        f"node.{word}",
        Subject(app.settings.site, name=node),
        settings_sha256=digest,
        version=version("spanstore"),
    )


def leave_log(app: App, *, signs: bool) -> None:
    """Write that this node stops, and sign that."""
    note_node(app, "stop")
    if signs:
        sign_log(app)
