"""The site: its log, keys and access, its names, and the limits of the law."""

from __future__ import annotations

from recorder.accounts.standing import standing
from recorder.app import App
from recorder.catalog.readable import ADVICE
from recorder.doctor.finding import Finding, Look
from recorder.door import certificate_ends
from recorder.errors import CatalogUnavailable, RecorderError
from recorder.export.signing import signing
from recorder.janitor.deciding import policy_in_force
from recorder.janitor.kinds import HINT, unnamed_lately
from recorder.janitor.lawful import beyond_law
from recorder.logbook.keys import own_signer
from recorder.logbook.leaving import NAME
from recorder.logbook.press import other_key
from recorder.logbook.refill import NAME as REFILL
from recorder.model.counting import number_of
from recorder.model.places import PARENT
from recorder.model.timebase import DAY, MINUTE, format_instant
from recorder.sites.admitted import advice, turned_away

VERIFY = "recorder audit verify, and the log of the node that signs"
CERTIFICATE_LEFT = 30 * DAY


LOST_KEY = "put the key back, or take it from another node; if it is lost: recorder secrets begin"


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
    late_ones = number_of(waiting, "entry waits", "entries wait")
    said = f"{number_of(logs[-1].size, 'entry')} signed; {late_ones}" if logs else late_ones
    lacks = "; ".join(app.catalog.progress.of(REFILL).get("why", {}).values())
    if lacks:
        return Finding("audit log", "bad", f"{said}: {lacks}", VERIFY)
    if late:
        return Finding("audit log", "note", said, "a running node with its key signs each minute")
    return Finding("audit log", "ok", said)


def _rows(app: App) -> Finding:
    """Look whether old entries leave the catalog, and if not, why."""
    left, part = app.catalog.audit_left, app.settings.audit
    oldest, why = left.oldest(), app.catalog.progress.of(NAME).get("why", "")
    said = number_of(left.count(), "entry has left", "entries have left") + " the catalog"
    if oldest is not None:
        said += f", the oldest there is of {format_instant(oldest, 0)}"
    if why and part.store:
        return Finding("audit entries", "bad", f"{said}: none may leave: {why}", VERIFY)
    before = app.clock.now() - part.keep_rows_ns - DAY
    logs = app.catalog.audit_tree.logs()
    ours = [one for one in logs if one.key == logs[-1].key]  # others' rows stay
    late = any(left.old(one.number, one.size, before, 1) for one in ours)
    if not part.keep_rows_ns or not late:
        return Finding("audit entries", "ok", said)
    if not part.store:
        why = f"{said}: none leaves while the log lies in one store"
        return Finding("audit entries", "note", why, "name a second one, audit.store")
    why = f"{said}: some are older than audit.keep_rows, and may leave"
    return Finding("audit entries", "note", why, "a running node with the role janitor lets them")


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
    said = f"is on, with {number_of(len(found.admins), 'admin')}"
    if not found.ending:
        return Finding("access", "ok", said)
    ends = ", ".join(
        f"{one.credential_id} of {one.account} at {format_instant(one.expires, 0)}"
        for one in found.ending[:5]
    )
    many = number_of(len(found.ending), "token ends", "tokens end")
    text = f"{said}; {many} within two weeks: {ends}"
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


def _law(app: App) -> list[Finding]:
    """Say whether the policy in force passes the limits of the law, or one from above may not."""
    try:
        found = _limits(app)
        parent = next((one for one in app.catalog.sites.all() if one.name == PARENT), None)
    except RecorderError:
        return []  # said by what looks at the catalog
    refused = parent.facts.get("policy_refused") if parent is not None else ""
    if refused:
        found.append(
            Finding(
                "law",
                "bad",
                f"the parent's policy is not in force here: {refused}",
                "change it above, or the limits here (retention), or bring both to one release",
            )
        )
    return found


def _limits(app: App) -> list[Finding]:
    law = app.settings.law
    if not law.limits:
        return []
    policy = policy_in_force(app.catalog.documents)
    held = beyond_law(law, app.catalog.cameras.groups(), app.catalog.holds.live(app.clock.now()))
    advice = "an end: recorder hold release, then a hold with --expires"
    found = [Finding("law", "note", said, advice) for said in held]
    advice = "write another: recorder policy set"
    if policy is None:
        found.append(Finding("law", "bad", "no policy is set: everything is kept", advice))
    else:
        found += [
            Finding("law", "bad", f"the policy in force: {one.path}: {one.said}", advice)
            for one in law.breaches(policy)
        ]
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
        one_store = beat.facts.get("one_store") if beat.name == PARENT else None
        if one_store:
            advice_ = "give each site a bucket or folder of its own"
            found.append(Finding("parent", "bad", f"nothing is sent up: {one_store}", advice_))
    return found


def _node_key(app: App) -> Finding:
    """Look whether what this node signs requests with is its own."""
    public = app.signer.seen()
    said = f"other sites and nodes know this one by {public}" if public else "is made when needed"
    return Finding("node key", "ok", said)


def _documents(app: App) -> Finding:
    """Look whether all camera documents can be read: those that cannot are recorded as known."""
    many = number_of(len(app.catalog.cameras.all()), "document")
    unread = sorted(app.catalog.cameras.unread())
    if unread:
        return Finding("cameras", "bad", f"cannot be read: {', '.join(unread[:20])}", ADVICE)
    return Finding("cameras", "ok", f"{many} can be read")


LOOKS: tuple[tuple[str, Look], ...] = (
    ("audit log", _audit),
    ("audit entries", _rows),
    ("secrets", _secrets),
    ("cameras", _documents),
    ("evidence", _evidence),
    ("access", _access),
    ("certificate", _certificate),
    ("node key", _node_key),
)


def _kinds(app: App) -> list[Finding]:
    """Say of which kinds events come that the policy does not name: misspelled, perhaps."""
    try:
        found = unnamed_lately(app.catalog, app.clock.now())
    except RecorderError:
        return []  # said by what looks at the catalog
    return [Finding("events", "note", said, HINT) for said in found]


def look_around(app: App) -> list[Finding]:
    """Look at what other sites and the law say."""
    return _names(app) + _law(app) + _kinds(app)
