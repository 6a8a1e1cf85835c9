"""A store's identity: so that a wrong mount or bucket is refused, not written to.

Every store carries one small object, :data:`IDENTITY_KEY`, made when it is registered.
The catalog remembers what it should say.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from recorder.errors import StoreRefused
from recorder.ports import Identities, ObjectStore

IDENTITY_KEY = "spanstore.json"


def read_identity(store: ObjectStore) -> str | None:
    """Return the identity a store shows, ``None`` when it has none.

    Raises: ``StoreRefused`` when the object is there but is not one.
    """
    info = store.head(IDENTITY_KEY)
    if info is None:
        return None
    try:
        body = json.loads(b"".join(store.read(IDENTITY_KEY, 0, min(info.size, 65536))))
        return str(body["store"])
    except (ValueError, KeyError, TypeError) as exc:
        raise StoreRefused(f"store {store.name}: {IDENTITY_KEY} is not an identity") from exc


def admit(
    store: ObjectStore, identities: Identities, new_id: Callable[[], str], *, adopt: bool = False
) -> str:
    """Check a store against the catalog, registering it the first time.

    ``adopt`` accepts a store that already holds other objects, or another's identity.
    Raises: ``StoreRefused`` when it is not the store the catalog knows.
    """
    expected, shown = identities.of(store.name), read_identity(store)
    if expected is not None and shown == expected:
        return shown
    if expected is not None and not adopt:
        said = "shows no identity" if shown is None else f"shows identity {shown}"
        raise StoreRefused(
            f"store {store.name} {said}, the catalog knows {expected}",
            hint="is the right disk mounted, the right bucket named? "
            "else: recorder store adopt " + store.name,
        )
    fresh = shown is None
    if shown is None:
        if not adopt and next(iter(store.list()), None) is not None:
            raise StoreRefused(
                f"store {store.name} holds objects but is not a store of ours",
                hint="use an empty one, or say: recorder store adopt " + store.name,
            )
        shown = new_id()
        _write_identity(store, shown)
    agreed = identities.register(store.name, shown, replace=adopt)
    if agreed != shown and fresh:  # two nodes registered it at once: the catalog's answer holds
        _write_identity(store, agreed)
    elif agreed != shown:
        raise StoreRefused(f"store {store.name} shows {shown}, the catalog knows {agreed}")
    return agreed


def _write_identity(store: ObjectStore, identity: str) -> None:
    body = json.dumps({"store": identity, "name": store.name, "format": 1}).encode()
    store.put(IDENTITY_KEY, body, "application/json", {})
