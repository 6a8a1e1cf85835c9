"""How much room stores have, asked of all at once: one that swallows questions delays no answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recorder.errors import StoreRefused, StoreUnavailable
from recorder.ports import ObjectStore
from recorder.side_by_side import SideBySide
from recorder.store.identity import IDENTITY_KEY

PATIENCE_S = 3.0
"""So long all stores together have to answer: one round trip each, and a person waits."""


@dataclass(frozen=True, slots=True)
class AskedStore:
    """A :class:`recorder.ports.Measured` that was asked, and says again what it said then.

    ``room``: free and total bytes; ``away``: why it did not answer, if it did not; ``silent``: it
    was waited for in vain, and so would whatever else it is asked be.
    """

    name: str
    room: tuple[int, int] | None = None
    away: str = ""
    silent: bool = False

    def free_bytes(self) -> tuple[int, int] | None:
        """Return (free, total) bytes where the store knows them."""
        if self.away:
            raise StoreUnavailable(self.away)
        return self.room


def ask_room(stores: Mapping[str, ObjectStore]) -> dict[str, AskedStore]:
    """Ask stores for their room, side by side; who has not answered in time is away."""
    heard = _SIDE_BY_SIDE.ask(stores, PATIENCE_S)
    late = f"no answer within {PATIENCE_S:g} s"
    return {
        name: heard.get(name) or AskedStore(name, away=f"store {name}: {late}", silent=True)
        for name in stores
    }


def silent_stores(stores: Mapping[str, ObjectStore]) -> dict[str, str]:
    """Say which stores swallow what they are asked, and how long they were waited for."""
    return {name: one.away for name, one in ask_room(stores).items() if one.silent}


def _ask(store: ObjectStore) -> AskedStore:
    """Ask one store; one that knows no room is asked who it is."""
    try:
        room = store.free_bytes()
        if room is None:
            store.head(IDENTITY_KEY)
    except (StoreUnavailable, StoreRefused) as exc:
        return AskedStore(store.name, away=str(exc))
    return AskedStore(store.name, room)


_SIDE_BY_SIDE = SideBySide("room", _ask)
