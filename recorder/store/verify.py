"""Ask a store what it holds of a segment: size and digest must be what was sent."""

from __future__ import annotations

import hashlib

from recorder.errors import CopyMissing, StoreRefused, StoreUnavailable
from recorder.model.media import Segment
from recorder.ports import ObjectStore
from recorder.store.identity import shows_identity

LONGER = "has bytes behind its end"
"""Of an object that begins with all of its segment; a rebuild looks at the end for what it is."""
NotGiven = StoreUnavailable | StoreRefused
"""What a store answers that does not give what it is asked for."""


def verify_stored(store: ObjectStore, segment: Segment, *, read_back: bool = False) -> None:
    """Make sure that a store holds a segment; ``read_back`` reads all of it again.

    Raises: ``StoreUnavailable`` when it does not, or does not answer.
    """
    info = store.head(segment.key)
    if info is None or info.size != segment.size_bytes:
        held = "nothing" if info is None else f"{info.size} bytes"
        raise StoreUnavailable(
            f"ship {segment.key}: the store holds {held} of {segment.size_bytes}"
        )
    if info.metadata.get("sha256", segment.digest) != segment.digest:
        raise StoreUnavailable(f"ship {segment.key}: the store holds another digest")
    if read_back and stored_digest(store, segment) != segment.digest:
        raise StoreUnavailable(f"ship {segment.key}: the store holds other bytes")


def shows(store: ObjectStore, segment: Segment) -> bool:
    """Tell whether a store says that it holds a segment: one request, no byte of it is read.

    Raises: ``StoreUnavailable``, ``StoreRefused``.
    """
    info = store.head(segment.key)
    return (
        info is not None
        and info.size == segment.size_bytes
        and info.metadata.get("sha256", segment.digest) == segment.digest
    )


def told_digest(store: ObjectStore, segment: Segment) -> str:
    """As :func:`stored_digest`; why, where a store that gives other things does not give this one.

    A bad sector, rights that are wrong, a key that is gone, an archive it must be fetched from:
    whatever it says of it, others may be fine.  A reason is words, a digest is one.
    Raises: ``StoreUnavailable``, ``StoreRefused``, where it is the store.
    """
    for last in (False, True):
        try:
            return stored_digest(store, segment)
        except (StoreUnavailable, StoreRefused) as exc:
            check_answers(store, exc)
            if last:
                return f"cannot be read: {exc}"
    return ""


def told_alone(store: ObjectStore, segment: Segment) -> str:
    """As :func:`told_digest`; :data:`LONGER`, where that is not all that the object holds."""
    found = told_digest(store, segment)
    if found != segment.digest:
        return found
    try:
        info = store.head(segment.key)
    except (StoreUnavailable, StoreRefused) as exc:
        check_answers(store, exc)
        return found  # its bytes were read
    return LONGER if info is not None and info.size > segment.size_bytes else found


def is_there(store: ObjectStore, key: str) -> bool | None:
    """Tell whether an object is there; ``None`` where a store that gives others does not say.

    Raises: ``StoreUnavailable``, ``StoreRefused``, where it is the store.
    """
    try:
        return store.head(key) is not None
    except (StoreUnavailable, StoreRefused) as exc:
        check_answers(store, exc)
        return None


def check_answers(store: ObjectStore, exc: NotGiven) -> None:
    """See whether it is the store that fails, or one object of it: its identity can be read then.

    Raises: ``exc``, where it is the store.
    """
    try:
        answers = shows_identity(store)
    except (StoreUnavailable, StoreRefused, CopyMissing):
        answers = False
    if not answers:
        raise exc


def stored_digest(store: ObjectStore, segment: Segment) -> str:
    """Read all of a stored segment; return its digest, nothing when it is not there whole."""
    digest = hashlib.sha256()
    try:
        for block in store.read(segment.key, 0, segment.size_bytes):
            digest.update(block)
    except CopyMissing:
        return ""
    return digest.hexdigest()
