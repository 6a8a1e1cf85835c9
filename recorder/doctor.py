"""The doctor: what is missing or slow on this machine, in plain words."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from recorder import index
from recorder.accounts.standing import standing
from recorder.app import App
from recorder.config import StorePart
from recorder.door import certificate_ends
from recorder.errors import CatalogUnavailable, RecorderError
from recorder.export.signing import signing
from recorder.janitor.apply import policy_in_force
from recorder.janitor.keeping import BEHIND
from recorder.janitor.lawful import beyond_law
from recorder.janitor.margins import room_said
from recorder.janitor.proof import OFF
from recorder.logbook.keys import own_signer
from recorder.logbook.press import other_key
from recorder.made import find_ffmpeg
from recorder.model.places import PARENT
from recorder.model.timebase import DAY, MINUTE, SECOND, format_duration, format_instant
from recorder.sites.admitted import advice, turned_away
from recorder.spool.folders import FOLDERS
from recorder.store.owners import owner_advice
from recorder.store.probe import try_write
from recorder.store.watched import Writes, told_writes

STREAM_BPS = 500_000  # 4 Mbit/s
CERTIFICATE_LEFT = 30 * DAY
LOST_KEY = "put the key back, or take it from another node; if it is lost: recorder secrets begin"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: ``level`` is ok, note, slow or bad."""

    subject: str
    level: str
    detail: str
    advice: str = ""


def examine(app: App) -> list[Finding]:
    """Look at everything a node needs; nothing is changed."""
    checks: list[tuple[str, Callable[[App], Finding]]] = [
        ("ffmpeg", _ffmpeg),
        ("index", _index),
        ("digest", _digest),
        ("spool", _spool),
        ("folders", _folders),
        ("disk", _disk),
        ("catalog", _catalog),
        ("files", _files),
        ("clock", _clock),
        ("audit log", _audit),
        ("secrets", _secrets),
        ("evidence", _evidence),
        ("access", _access),
        ("certificate", _certificate),
    ]
    findings = []
    for subject, look in checks:
        try:
            findings.append(look(app))
        except RecorderError as exc:
            findings.append(Finding(subject, "bad", str(exc), exc.hint))
        except OSError as exc:
            findings.append(Finding(subject, "bad", str(exc)))
    for part in app.settings.all_stores:
        try:
            findings += _store(app, part.name)
            findings += [] if part.readonly else _writes(app, part)
        except RecorderError as exc:
            findings.append(Finding(f"store {part.name}", "bad", str(exc), exc.hint))
    return findings + _halves(app) + _age(app) + _names(app) + _room(app) + _law(app)


def _audit(app: App) -> Finding:
    """Look whether the audit log is signed, and may be by this node."""
    logs, (waiting, oldest) = app.catalog.audit_tree.logs(), app.catalog.audit_tree.waiting()
    path = app.settings.audit_key
    if logs and path.exists():
        own = str(own_signer(path).key(logs[-1].origin))
        if own != logs[-1].key:
            exc = other_key(logs[-1], own)
            return Finding("audit log", "bad", str(exc), exc.hint)
    late = oldest is not None and app.clock.now() - oldest > 10 * MINUTE
    said = f"{logs[-1].size} entries signed, {waiting} wait" if logs else f"{waiting} entries wait"
    if late:
        return Finding("audit log", "note", said, "a running node with its key signs each minute")
    return Finding("audit log", "ok", said)


def _secrets(app: App) -> Finding:
    """Look whether cameras' passwords are encrypted, and can be read here."""
    seen = app.catalog.secrets.look()
    count = sum(seen.under.values())
    if not seen.key_id:
        level = "note" if seen.plain else "ok"
        return Finding("secrets", level, f"{seen.plain} in plain, no key yet", "a start makes one")
    said = f"{count} under key {seen.key_id}, which is in use"
    if seen.unreadable or not seen.here:
        said = f"{len(seen.unreadable)} of {count} cannot be read, such as {seen.unreadable[:1]}"
        return Finding("secrets", "bad", f"key {seen.key_id}: {said}", LOST_KEY)
    if seen.plain or not seen.wiped:
        said = f"{seen.plain} in plain; the catalog's file may hold some from before"
        return Finding("secrets", "note", said, "a running node encrypts and wipes them")
    return Finding("secrets", "ok", said)


def _evidence(app: App) -> Finding:
    """Look whether what signs bundles of evidence counts, and for how long yet."""
    now = app.clock.now()
    part = app.settings.evidence
    ends = signing(part, app.clock, onvif=part.onvif_certificate is not None).ends()
    if not ends:
        return Finding("evidence", "ok", "bundles are signed with the site's key alone")
    who, end = min(ends, key=lambda one: one[1])
    said = f"the certificate of {who} is valid until {format_instant(end, 0)}"
    if end - now < CERTIFICATE_LEFT:
        return Finding("evidence", "note", said, "renew it: an expired one makes no bundles")
    return Finding("evidence", "ok", said)


def _access(app: App) -> Finding:
    """Look whether access is on, whether anybody can change it, and which tokens end soon."""
    found = standing(app.people, on=app.knower.look_whether())
    if not found.on:
        return Finding("access", "ok", "is off: whoever reaches the API may do everything")
    if not found.admins and not app.settings.api.oidc.issuer:
        advice = "recorder user add NAME --role admin, then recorder user invite NAME"
        return Finding("access", "note", "is on, and no admin can sign in with a password", advice)
    said = f"is on, with {len(found.admins)} admin(s)"
    if not found.ending:
        return Finding("access", "ok", said)
    ends = ", ".join(
        f"{one.credential_id} of {one.account} at {format_instant(one.expires, 0)}"
        for one in found.ending[:5]
    )
    text = f"{said}; {len(found.ending)} token(s) end within two weeks: {ends}"
    return Finding("access", "note", text, "recorder token rotate ID")


def _certificate(app: App) -> Finding:
    """Look until when browsers and sites take the certificate of the API."""
    path = app.settings.api.certificate
    if path is None:
        return Finding("certificate", "ok", "the API has none of its own")
    end, now = certificate_ends(path), app.clock.now()
    said = f"that of the API is valid until {format_instant(end, 0)}"
    if end <= now:
        return Finding("certificate", "bad", said, "renew it: nobody takes it any more")
    if end - now < CERTIFICATE_LEFT:
        return Finding("certificate", "note", said, "renew it: it is taken without a restart")
    return Finding("certificate", "ok", said)


def _store(app: App, name: str) -> list[Finding]:
    """Look at a store: which it is, and who writes there."""
    identity, others = app.admission.look(name)
    said = f"answers, identity {identity}" if identity else "not used yet"
    found = [Finding(f"store {name}", "ok", said)]
    for other, lives in others.items():
        level, verb = ("bad", "writes") if lives else ("note", "wrote")
        said = f"another recorder {verb} there as this site: {other}"
        found.append(Finding(f"store {name}", level, said, owner_advice(name)))
    return found + (_uploads(name, app.stores[name]) if identity else [])


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


def _age(app: App) -> list[Finding]:
    """Say whether a store was written by a catalog that knew more than this one."""
    try:
        behind = app.upkeep.keeper.behind(app.planned_stores.values())
    except RecorderError:
        return []  # said by what looks at the catalog, and at the stores
    return [Finding("catalog", "bad", behind, BEHIND)] if behind else []


def _room(app: App) -> list[Finding]:
    """Say of which stores policy wants more than fits, beside the floor and the grace."""
    stores = {}
    for name, store in app.planned_stores.items():
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
    advice = "a larger store, shorter ages or a shorter grace: recorder policy forecast has the sum"
    return [
        Finding(f"room {name}", "bad", line, advice)
        for name, lines in said.items()
        for line in lines
    ]


def _law(app: App) -> list[Finding]:
    """Say whether the policy in force, or one from above, passes the limits of the law."""
    law = app.settings.law
    if not law.limits:
        return []
    try:
        policy = policy_in_force(app.catalog.documents)
        held = beyond_law(
            law, app.catalog.cameras.groups(), app.catalog.holds.live(app.clock.now())
        )
        found = [
            Finding(
                "law", "note", said, "an end: recorder hold release, then a hold with --expires"
            )
            for said in held
        ]
        parent = next((one for one in app.catalog.sites.all() if one.name == PARENT), None)
    except RecorderError:
        return []  # said by what looks at the catalog
    advice = "write another: recorder policy set"
    if policy is None:
        found.append(Finding("law", "bad", "no policy is set: everything is kept", advice))
    else:
        found += [
            Finding("law", "bad", f"the policy in force: {one.path}: {one.said}", advice)
            for one in law.breaches(policy)
        ]
    refused = parent.facts.get("policy_refused") if parent is not None else ""
    if refused:
        found.append(
            Finding(
                "law",
                "bad",
                f"the parent's policy is not in force here: {refused}",
                "change it above, or the limits here: retention",
            )
        )
    return found


def _names(app: App) -> list[Finding]:
    """Say whether two sites of one name speak to this one, or this one is such a one."""
    now = app.clock.now()
    try:
        away = turned_away(app.catalog, now)
        found = [
            Finding(f"site {name}", "bad", claim.why, advice(app.catalog, claim, now))
            for name, claim in away.items()
        ]
        beats = app.catalog.sites.all()
    except CatalogUnavailable:
        return []  # said by what looks at the catalog
    for beat in beats:
        said = beat.facts.get("turned_away") if beat.name == PARENT else None
        if said:
            found.append(Finding("parent", "bad", str(said["why"]), str(said["hint"])))
    return found


@runtime_checkable
class Uploads(Protocol):
    """A store to which large objects go in parts."""

    @property
    def ends_uploads(self) -> bool | None:
        """Whether it ends uploads that broke off; ``None`` where it does not say."""


def _uploads(name: str, store: object) -> list[Finding]:
    """Look whether parts of uploads that broke off stay in a bucket for ever."""
    if not isinstance(store, Uploads) or store.ends_uploads:
        return []
    said = "has no lifecycle rule" if store.ends_uploads is False else "tells no lifecycle rule"
    return [
        Finding(
            f"uploads {name}",
            "note",
            f"the bucket {said} that ends uploads that broke off",
            "set AbortIncompleteMultipartUpload after 1 day; their parts take room unseen",
        )
    ]


def _ffmpeg(app: App) -> Finding:
    program = find_ffmpeg(app.settings.capture.ffmpeg)
    said = subprocess.run([program, "-version"], capture_output=True, timeout=20, check=False)
    first = said.stdout.decode(errors="replace").splitlines()[:1]
    if not first:
        return Finding("ffmpeg", "bad", f"{program} does not run")
    words = first[0].split()
    return Finding("ffmpeg", "ok", " ".join(words[:3]))


def _index(_: App) -> Finding:
    if index.COMPILED:
        return Finding("index", "ok", "compiled, agrees with its twin")
    return Finding(
        "index",
        "slow",
        "the compiled index is absent; the Python twin is used",
        "install a C compiler and python3-dev, then: make setup",
    )


def _digest(app: App) -> Finding:
    block = bytes(8 << 20)
    begin = app.clock.monotonic()
    hashlib.sha256(block).digest()
    rate = len(block) / max(app.clock.monotonic() - begin, 1e-6)
    said = f"SHA-256 at {rate / 1e6:.0f} MB/s on one core, {rate / STREAM_BPS:.0f} streams' worth"
    level = "ok" if rate > 300e6 else "slow"
    return Finding("digest", level, said, "" if level == "ok" else "no hardware support for SHA")


def _spool(app: App) -> Finding:
    root = app.spool.root
    usage = shutil.disk_usage(root)
    limits = app.settings.spool
    room = min(limits.max_size, usage.free - limits.floor)
    streams = sum(len(camera.streams) for camera in app.catalog.cameras.all()) or 1
    hours = max(0, room) / (streams * STREAM_BPS) / 3600
    said = f"{root}: {room / 1e9:.1f} GB for footage, {hours:.1f} h of {streams} stream(s)"
    if room <= 0:
        return Finding("spool", "bad", said, "the disk is below spool.floor: free some space")
    level = "ok" if hours >= 6 else "note"
    return Finding("spool", level, said, "" if level == "ok" else "how long may the store be away?")


def _folders(app: App) -> Finding:
    usage = app.spool.usage()
    held = [f"{name} {usage[name] / 1e6:.0f} MB" for name in FOLDERS if usage[name]]
    aside = len([name for name, _ in app.spool.contents.files("quarantine") if name[-4:] != ".txt"])
    nameless = app.spool.nameless()
    said = ", ".join(held) or "nothing in the spool"
    if nameless:
        advice = f"no stream can be told of what lies in {nameless[0]}: look at it, move it away"
        return Finding("folders", "note", said, advice)
    if aside:
        advice = f"{aside} file(s) put aside in quarantine, each with its reason: look, then delete"
        return Finding("folders", "note", said, advice)
    return Finding("folders", "ok", said)


def _disk(app: App) -> Finding:
    path = app.spool.root / "probe" / f"{os.getpid()}"
    block = bytes(8 << 20)
    begin = app.clock.monotonic()
    try:
        with path.open("wb") as file:
            for _ in range(8):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
    finally:
        path.unlink(missing_ok=True)
    rate = 8 * len(block) / max(app.clock.monotonic() - begin, 1e-6)
    said = f"spool writes at {rate / 1e6:.0f} MB/s, {rate / STREAM_BPS:.0f} streams' worth"
    return Finding("disk", "ok" if rate > 50e6 else "slow", said)


def _clock(app: App) -> Finding:
    now, said = app.clock.now(), []
    for name, ask in app.upkeep.other_clocks.items():
        try:
            theirs = ask()
        except RecorderError:
            continue  # said where it is asked for itself
        if theirs is not None:
            said.append((abs(now - theirs), f"{format_duration(abs(now - theirs))} off {name}"))
    if not said:
        advice = "run a time service: a clock that leaps stops retention until somebody vouches"
        return Finding("clock", "ok", "no other clock to compare with", advice)
    worst, what = max(said)
    advice = "" if worst < OFF else "set the clock right: nothing is deleted until then"
    return Finding("clock", "bad" if advice else "ok", what, advice)


def _catalog(app: App) -> Finding:
    app.catalog.database.prove()
    begin = app.clock.monotonic()
    counts = app.catalog.counts()
    took = app.clock.monotonic() - begin
    said = f"{counts['segment']} segments, {counts['stream']} streams, answered in {took:.3f} s"
    return Finding("catalog", "ok" if took < 1 else "slow", said)


def _files(_: App) -> Finding:
    import resource

    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    level = "ok" if soft >= 1024 else "note"
    advice = "" if level == "ok" else "raise it with ulimit -n 4096"
    return Finding("files", level, f"up to {soft} open files", advice)
