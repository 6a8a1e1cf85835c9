"""Two stores that contradict each other in the bytes of one segment: which of them is believed.

An object of ours says of itself what all its bytes before the footer are.  Where a catalog was
rebuilt from one store whose object is not that, and another store has one that is, that one is
believed.  What was known from the moment of sealing, by its link, is never given up for an object.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Protocol

from recorder.errors import CopyMissing, IndexCorrupt, StoreRefused, StoreUnavailable
from recorder.evidence.chain import read_link
from recorder.model.media import Copy, Segment
from recorder.ports import Chain, Footage, ObjectStore, Planning
from recorder.segment.tail import read_tail

BOTH = "both objects are kept"


class KnownCatalog(Protocol):
    """The parts of the catalog that say what is known of a segment."""

    @property
    def footage(self) -> Footage:
        """Where its copies are."""

    @property
    def planning(self) -> Planning:
        """What is known of them."""

    @property
    def chain(self) -> Chain:
        """What was sealed."""


def body_is_said(store: ObjectStore, segment: Segment) -> bool | None:
    """Tell whether a stored object has its digest, and is what its own footer says.

    ``None`` where nobody can say: the store does not answer, or the footer says nothing of it.
    """
    key, size = segment.key, segment.size_bytes
    try:
        footer = read_tail(lambda at, length: b"".join(store.read(key, at, length)), size)
        if footer is None or not footer.meta.get("body_sha256"):
            return None
        whole, body, left = hashlib.sha256(), hashlib.sha256(), footer.offset
        for block in store.read(key, 0, size):
            whole.update(block)
            body.update(block[:left])
            left -= min(left, len(block))
    except (CopyMissing, IndexCorrupt):
        return False
    except (StoreUnavailable, StoreRefused):
        return None
    right = whole.hexdigest() == segment.digest
    return right and body.hexdigest() == footer.meta["body_sha256"]


def false_copies(
    catalog: KnownCatalog, stores: Mapping[str, ObjectStore], store: ObjectStore, found: Segment
) -> list[Copy]:
    """Return the known copies that the one found in a store is to be believed instead of.

    None where the known one may be right: it was sealed so, it is in this very store or where
    nobody can look now, or is what its own footer says.
    """
    for link in catalog.chain.of([found.id]):
        if read_link(link.line).sha256 != found.digest:
            return []
    places = [one.place for one in catalog.footage.copies([found])[found.key]]
    known = [one for place in places for one in catalog.planning.copies_by_id(place, [found.id])]
    if not known or any(one.place == store.name or one.place not in stores for one in known):
        return []
    if body_is_said(store, found) is not True:
        return []
    said = [body_is_said(stores[one.place], one.segment) for one in known]
    return known if all(one is False for one in said) else []
