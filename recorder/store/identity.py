"""A store's identity: so that a wrong mount or bucket is refused, not written to.

Every store carries one small object, :data:`IDENTITY_KEY`, made when it is registered.
The catalog remembers what it should say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable

from recorder.errors import CopyMissing, RequestError, StoreRefused, StoreUnavailable
from recorder.model.checks import check_text, read_json
from recorder.ports import Identities, ObjectStore

IDENTITY_KEY = "spanstore.json"
MOST_BYTES, MOST_IDENTITY = 65536, 256
SHOWN = 40
"""So much of an object that is no identity is shown."""


def read_identity(store: ObjectStore) -> str | None:
    """Return the identity a store shows, ``None`` when it has none.

    Raises: ``StoreRefused`` when the object is there but is not one.
    """
    shown, damage = _read(store)
    if damage:
        raise _damaged(store.name, damage)
    return shown


def _read(store: ObjectStore) -> tuple[str | None, str]:
    """Return the identity a store shows, and what is wrong with the object that should say it."""
    info = store.head(IDENTITY_KEY)
    if info is None:
        return None, ""
    if not info.size:
        return None, "it is empty"
    raw = b"".join(store.read(IDENTITY_KEY, 0, min(info.size, MOST_BYTES)))
    try:
        shown = check_text(read_json(raw, "identity")["store"], "store", MOST_IDENTITY)
    except (RequestError, KeyError, TypeError):
        shown = None
    if isinstance(shown, str) and shown:
        return shown, ""
    return None, f"its {info.size} bytes begin with {ascii(raw[:SHOWN])[1:]}"


def shows_identity(store: ObjectStore) -> bool:
    """Tell whether a store gives the object that says who it is, right or damaged."""
    shown, damage = _read(store)
    return shown is not None or bool(damage)


def _damaged(name: str, damage: str) -> StoreRefused:
    return StoreRefused(
        f"store {name}: {IDENTITY_KEY} is not an identity: {damage}",
        hint="is the right disk mounted, the right bucket named? then: recorder store adopt "
        f"{name} writes the identity that the catalog knows anew; it touches no footage",
    )


def look(store: ObjectStore, identities: Identities, names: Collection[str]) -> str | None:
    """Check a store against the catalog and change nothing; ``None`` when none is known yet.

    ``names``: all stores of the settings.
    Raises: ``StoreRefused`` when it is not the store the catalog knows.
    """
    expected, shown = identities.of(store.name), read_identity(store)
    if shown is not None:
        _refuse_twin(store.name, shown, identities, names)
    if expected is not None and shown != expected:
        raise _not_known(store.name, expected, shown)
    if shown is None:
        _refuse_filled(store)
    return expected


def _refuse_twin(name: str, shown: str, identities: Identities, names: Collection[str]) -> None:
    """Refuse one place under two names: what one name lets go, the other still counts on.

    Raises: ``StoreRefused`` naming both.
    """
    for other in identities.names_of(shown):
        if other != name and other in names:
            raise _one_and_the_same(other, name, shown)


def _one_and_the_same(first: str, second: str, shown: str) -> StoreRefused:
    return StoreRefused(
        f"stores {first} and {second} are one and the same: both show identity {shown}",
        hint="take one of them out of the settings; then, for what was known there: "
        "recorder rebuild --store, of the other",
    )


def refuse_twins(stores: Iterable[ObjectStore]) -> None:
    """Refuse one place under two names, by what the stores show; who does not answer is let be.

    Raises: ``StoreRefused`` naming both.
    """
    seen: dict[str, str] = {}
    for store in stores:
        try:
            shown = read_identity(store)
        except (StoreUnavailable, StoreRefused, CopyMissing):
            continue  # said when it is used
        if shown in seen:
            raise _one_and_the_same(seen[shown], store.name, shown)
        if shown is not None:
            seen[shown] = store.name


def _refuse_filled(store: ObjectStore) -> None:
    if next(iter(store.list()), None) is not None:
        raise StoreRefused(
            f"store {store.name} holds objects but is not a store of ours",
            hint="use an empty one, or say: recorder store adopt " + store.name,
        )


def _not_known(name: str, expected: str, shown: str | None) -> StoreRefused:
    said = "shows no identity" if shown is None else f"shows identity {shown}"
    return StoreRefused(
        f"store {name} {said}, the catalog knows {expected}",
        hint="is the right disk mounted, the right bucket named? "
        "else: recorder store adopt " + name,
    )


def admit(
    store: ObjectStore,
    identities: Identities,
    new_id: Callable[[], str],
    *,
    adopt: bool = False,
    names: Collection[str] = (),
) -> str:
    """Check a store against the catalog, registering it the first time.

    ``adopt`` accepts a store that already holds other objects, or another's identity; one that
    shows none, or a damaged one, gets that which the catalog knows.  ``names`` are all stores of
    the settings, of which no two may be one.
    Raises: ``StoreRefused`` when it is not the store the catalog knows.
    """
    expected = identities.of(store.name)
    shown, damage = _read(store)
    if damage and not adopt:
        raise _damaged(store.name, damage)
    if shown is not None:
        _refuse_twin(store.name, shown, identities, names)
    if expected is not None and shown == expected:
        return shown
    if expected is not None and not adopt:
        raise _not_known(store.name, expected, shown)
    fresh = shown is None
    if shown is None:
        if not adopt:
            _refuse_filled(store)
        shown = expected or new_id()
        _write_identity(store, shown)
    agreed = identities.register(store.name, shown, replace=adopt)
    if agreed != shown and fresh:  # two nodes registered it at once: the catalog's answer holds
        _write_identity(store, agreed)
    elif agreed != shown:
        raise StoreRefused(f"store {store.name} shows {shown}, the catalog knows {agreed}")
    return agreed


def is_other(store: ObjectStore, identities: Identities) -> bool:
    """Tell whether a store shows otherwise than the catalog knows, if that knows anything."""
    expected = identities.of(store.name)
    return expected is not None and _read(store)[0] != expected


def _write_identity(store: ObjectStore, identity: str) -> None:
    body = json.dumps({"store": identity, "name": store.name, "format": 1}).encode()
    store.put(IDENTITY_KEY, body, "application/json", {})
