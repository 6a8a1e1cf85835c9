"""Settings that each look right, looked at together: raise before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

from recorder.config.parts import StorePart
from recorder.config.settings import Settings
from recorder.door import check_door
from recorder.errors import ConfigError
from recorder.limits import check_limits
from recorder.model.keys import check_name
from recorder.model.moments import read_zone
from recorder.model.schedule import parse_timetable
from recorder.model.secrets import mask
from recorder.model.urls import split_url
from recorder.oidc import check_oidc
from recorder.side_by_side import SideBySide
from recorder.signing import check_evidence

PATIENCE_S = 3.0
"""So long a store's disk is waited for at a start; one that is away is said by its own checks."""


def check_settings(settings: Settings) -> None:
    """Raise ``ConfigError`` or ``RequestError`` where settings do not go together."""
    check_name(settings.site, "site")
    check_name(settings.node, "node")
    _check_stores(settings)
    _check_places(settings)
    api = settings.api
    check_door(
        api.listen,
        tls=api.certificate is not None,
        key=api.key is not None,
        proxies=api.proxies,
        access=api.access,
    )
    check_limits(api.limits)
    check_oidc(api.oidc, settings.oidc_redirect)
    check_evidence(settings.evidence)
    for name, table in settings.uplink.windows.items():
        parse_timetable(table, f"uplink.windows.{name}")
    _check_urls(settings)
    _ = (
        read_zone(settings.zone or "UTC"),
        settings.grace_ns,
        settings.event_wait_ns,
        settings.scrub_ns,
        settings.uploads_ns,
        settings.audit.keep_rows_ns,
        settings.exports.keep_ns,
        settings.exports.wait_ns,
    )  # raise when they are none


def _check_stores(settings: Settings) -> None:
    names = [check_name(store.name, "store") for store in settings.all_stores]
    if len(set(names)) != len(names):
        raise ConfigError("settings: stores: two have the same name")
    for store in settings.all_stores:
        if store.kind == "directory" and store.path is None:
            raise ConfigError(f"settings: stores.{store.name}.path: missing")
        if store.kind == "s3" and not (store.endpoint and store.bucket):
            raise ConfigError(f"settings: stores.{store.name}: needs endpoint and bucket")
    writable = {store.name for store in settings.all_stores if not store.readonly}
    if settings.ship.store and settings.ship.store not in writable:
        raise ConfigError(f"settings: ship.store: no writable store {settings.ship.store!r}")
    second = settings.audit.store
    if second and second not in writable - {settings.ship_store}:
        raise ConfigError(
            f"settings: audit.store: {second!r} is no second store that can be written to",
            hint=f"the log lies in {settings.ship_store!r} already; name another of the stores",
        )


def _check_places(settings: Settings) -> None:
    """Refuse one folder or bucket under two names, as far as the settings alone tell."""
    seen: dict[str, str] = {}
    folders = _folders_of(settings.all_stores)
    for store in settings.all_stores:
        place = str(folders[store.name]) if store.name in folders else _bucket_of(store)
        if place in seen:
            raise ConfigError(
                f"settings: stores {seen[place]} and {store.name} are one and the same: {place}",
                hint="what one name lets go, the other still counts on: take one of them out",
            )
        seen[place] = store.name
    for (outer, around), (inner, within) in permutations(folders.items(), 2):
        if within.is_relative_to(around):
            raise ConfigError(
                f"settings: store {inner} lies in the folder of store {outer}",
                hint="a rebuild would take what lies in it for what the other one has, too, and "
                "let it go by its rules: give each a folder of its own",
            )


def _folders_of(stores: Sequence[StorePart]) -> dict[str, Path]:
    """Return the folders of directory stores, links followed where their disks answer.

    One that hangs keeps no node from recording: of its folder the name counts.
    """
    parts = {one.name: one for one in stores if one.kind == "directory" and one.path is not None}
    answered = SideBySide("folders", _followed).ask(parts, PATIENCE_S)
    named = {name: Path.cwd() / (one.path or "") for name, one in parts.items()}
    return {**named, **answered}


def _followed(store: StorePart) -> Path:
    return (store.path or Path()).resolve()


def _bucket_of(store: StorePart) -> str:
    """Say where a bucket's objects lie, whatever way that is written."""
    parts = split_url(store.endpoint)
    more = parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None
    if not parts.hostname or more:  # the rest would be left out without a word
        said = f"settings: stores.{store.name}.endpoint: {mask(store.endpoint)!r} is not "
        raise ConfigError(
            said + ("a scheme, a host and a port alone" if parts.hostname else "a URL"),
            hint="write it like https://s3.example.org:9000; the bucket's name goes into bucket, "
            "the keys into access_key and secret_key",
        )
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.hostname.rstrip('.')}:{port}/{store.bucket}"


def _check_urls(settings: Settings) -> None:
    for what in ("parent", "url", "node_url"):
        text = getattr(settings, what)
        parts = split_url(text)
        if text and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ConfigError(f"settings: {what}: {mask(text)!r} is not an http URL")
        if what != "parent" and ("@" in text or mask(text) != text):
            raise ConfigError(f"settings: {what}: is told to others, and must hold no credentials")
    for origin in settings.api.cors_origins:
        parts = split_url(origin)
        known = parts.scheme in ("http", "https") and parts.hostname and not parts.path.strip("/")
        if origin != "*" and not known:
            raise ConfigError(
                f"settings: api.cors_origins: {mask(origin)!r} is not an origin",
                hint="write it like https://console.example.org",
            )
