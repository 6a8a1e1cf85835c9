"""What a store can do, tried rather than believed."""

from __future__ import annotations

import contextlib

from recorder.errors import RecorderError, StoreRefused
from recorder.ports import DeletableStore, ObjectStore

PROBE_KEY = "spanstore-probe/object"


def probe(store: DeletableStore) -> dict[str, bool | str]:
    """Try what the service needs on a small object of its own, and remove it again.

    Returns what works by name; a ``…_error`` beside what does not.
    """
    body = bytes(range(256)) * 8
    facts: dict[str, bool | str] = {}

    def attempt(name: str, works: object) -> None:
        try:
            facts[name] = bool(works()) if callable(works) else bool(works)
        except RecorderError as exc:
            facts[name] = False
            facts[f"{name}_error"] = str(exc)

    attempt("put", lambda: store.put(PROBE_KEY, body, "video/mp4", {"probe": "yes"}) is not None)
    attempt("head", lambda: _size(store) == len(body))
    attempt("metadata", lambda: _metadata(store).get("probe") == "yes")
    attempt("range", lambda: b"".join(store.read(PROBE_KEY, 300, 9)) == body[300:309])
    attempt("list", lambda: PROBE_KEY in {info.key for info in store.list(PROBE_KEY)})
    attempt("presign", lambda: store.presign(PROBE_KEY, 60) is not None)
    attempt("legal_hold", lambda: store.protects and _held_against_us(store))
    attempt("delete", lambda: _deleted(store))
    return facts


def try_write(store: DeletableStore) -> str | None:
    """Write a small object of our own and take it away; say why that is refused, if it is."""
    try:
        store.put(PROBE_KEY, b"probe", "application/octet-stream", {})
        store.delete([PROBE_KEY])
    except RecorderError as exc:
        return str(exc)
    return None


def _held_against_us(store: DeletableStore) -> bool:
    """Try to delete a held object: a store that lets us does not hold it."""
    store.protect(PROBE_KEY, True)
    with contextlib.suppress(RecorderError):
        store.delete([PROBE_KEY])
    kept = store.head(PROBE_KEY) is not None
    if kept:
        store.protect(PROBE_KEY, False)
    return kept


def _size(store: ObjectStore) -> int:
    info = store.head(PROBE_KEY)
    return info.size if info else -1


def _metadata(store: ObjectStore) -> dict[str, str]:
    info = store.head(PROBE_KEY)
    return info.metadata if info else {}


def _deleted(store: DeletableStore) -> bool:
    for why in store.delete([PROBE_KEY]).values():
        raise StoreRefused(f"delete {PROBE_KEY} in store {store.name}: {why}")
    return store.head(PROBE_KEY) is None
