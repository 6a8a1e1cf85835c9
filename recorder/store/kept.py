"""What only the catalog knows, as objects beside a store's identity: twice, for one may be damaged.

They are JSON: ``format``, ``site``, ``seq`` (grows by one each time the catalog writes them),
``at`` (ns), ``digest`` (SHA-256 of ``content`` as it is written here) and ``content``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from recorder.errors import CopyMissing, DigestMismatch, RequestError, StoreUnavailable
from recorder.model.checks import check_integer, read_json
from recorder.model.media import ObjectInfo
from recorder.model.timebase import LATEST, Instant
from recorder.ports import ObjectStore
from recorder.store.identity import IDENTITY_KEY
from recorder.store.owners import PREFIX as OWNERS

PAST_DAMAGED = "recorder rebuild --no-documents"
"""What goes on where the documents that a store keeps are damaged: they are written anew."""
PREFIX = "spanstore.documents/"
AUDIT = "spanstore.audit/"
"""Below it lie audit logs (:mod:`recorder.logbook`)."""
EVENTS = "spanstore.events/"
"""Below it lie events (:mod:`recorder.janitor.keeping_events`)."""
FORMAT = 1


@dataclass(frozen=True, slots=True)
class KeptDocuments:
    """One version of what a site's catalog kept in a store."""

    seq: int
    at: Instant
    content: Mapping[str, object]

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        return hashlib.sha256(_written(self.content)).hexdigest()


def _written(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def is_reserved(key: str) -> bool:
    """Tell whether an object is ours and no footage.

    >>> is_reserved("spanstore.json"), is_reserved("spanstore.documents/north.0.json")
    (True, True)
    >>> is_reserved("spanstore.owners/north/2f.json")
    True
    """
    return key == IDENTITY_KEY or key.startswith((PREFIX, OWNERS, AUDIT, EVENTS))


def read_kept(store: ObjectStore, site: str) -> KeptDocuments | None:
    """Return the newest documents a store keeps for a site, ``None`` when it keeps none.

    Raises: ``DigestMismatch`` when there are some and none is whole; ``StoreUnavailable``.
    """
    slots = _read_slots(store, site)
    whole = [one for one in slots.values() if isinstance(one, KeptDocuments)]
    if whole:
        return max(whole, key=lambda one: one.seq)
    damaged = next(iter(slots.values()), None)
    if damaged is not None:
        raise DigestMismatch(
            f"store {store.name}: {damaged}",
            hint=f"recorder restore a backup, or {PAST_DAMAGED}",
        )
    return None


def write_kept(store: ObjectStore, site: str, kept: KeptDocuments) -> None:
    """Write documents over both that a store keeps, the older first: one is whole at any time.

    Where another node has written newer ones meanwhile those stay.
    """
    slots = _read_slots(store, site)
    whole = {slot: one.seq for slot, one in slots.items() if isinstance(one, KeptDocuments)}
    if max(whole.values(), default=0) > kept.seq:
        return
    body = {
        "format": FORMAT,
        "site": site,
        "seq": kept.seq,
        "at": kept.at,
        "digest": kept.digest,
        "content": kept.content,
    }
    raw = json.dumps(body).encode()
    for slot in sorted((0, 1), key=lambda one: whole.get(one, -1)):
        store.put(_key(site, slot), raw, "application/json", {})


def _key(site: str, slot: int) -> str:
    return f"{PREFIX}{site}.{slot}.json"


def _read_slots(store: ObjectStore, site: str) -> dict[int, KeptDocuments | str]:
    """Return what stands in each slot that is there: documents, or what is wrong with them.

    What is not given is not there if it is not listed either: a catalog that has lost its holds
    would go on as if it knew all of them.
    Raises: ``StoreUnavailable``.
    """
    found: dict[int, KeptDocuments | str] = {}
    listed: set[str] | None = None
    for slot in (0, 1):
        key = _key(site, slot)
        info = store.head(key)
        if info is not None:
            found[slot] = _parse(_read(store, info)) or f"{key} is damaged, or from a newer release"
            continue
        if listed is None:
            listed = {one.key for one in store.list(f"{PREFIX}{site}.")}
        if key in listed:
            raise _not_given(store, key)
    return found


def _read(store: ObjectStore, info: ObjectInfo) -> bytes:
    try:
        return b"".join(store.read(info.key, 0, info.size))
    except CopyMissing as exc:
        raise _not_given(store, info.key) from exc


def _not_given(store: ObjectStore, key: str) -> StoreUnavailable:
    return StoreUnavailable(f"store {store.name}: {key} is there, and is not given")


def _parse(body: bytes) -> KeptDocuments | None:
    try:
        said = read_json(body, "documents")
        seq, at = check_integer(said["seq"], "seq", 0), check_integer(said["at"], "at", 0, LATEST)
        kept = KeptDocuments(seq, at, dict(said["content"]))
        whole = said["format"] == FORMAT and said["digest"] == kept.digest
    except (RequestError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return kept if whole else None
