"""A recorder's sign of life in its stores, and what others' there mean.

Nobody's clock is believed where something is deleted: another owner is gone when its sign has
not changed for a while that was waited for here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from recorder.errors import StoreRefused
from recorder.janitor.signs import Signs
from recorder.model.timebase import MINUTE, SECOND, Instant
from recorder.ports import Clock, DeletableStore, ObjectStore
from recorder.store.owners import Owner, owner_advice, read_owners

BEAT_S = 300.0
"""How often a sign of life is written: a bucket that keeps versions keeps each."""
SILENT_NS = 16 * MINUTE
"""An owner whose sign did not change for so long is gone: three times it was not written."""


class Owners:
    """Keeps this recorder's sign of life in its stores, and watches for others'."""

    def __init__(self, me: Callable[[], Owner], clock: Clock, signs: Signs) -> None:
        """``me``: this recorder, whenever its sign is written."""
        self._me, self._clock, self._signs = me, clock, signs
        self._beaten: dict[str, float] = {}
        self._left = False
        self._seen: dict[tuple[str, str], tuple[Instant | None, float]] = {}
        self._copies: dict[str, tuple[Owner, float]] = {}
        """By store, the last sign of a copy of this recorder, and when it was seen."""

    def others(self, store: ObjectStore) -> list[Owner]:
        """Return who else writes into a store as this site, or did."""
        me = self._me()
        return [one for one in read_owners(store, me.site) if self._is_other(one, me)]

    def _is_other(self, one: Owner, me: Owner) -> bool:
        if one.catalog == me.catalog:
            return self._signs.is_copy(one)
        return not (one.spool and one.spool == me.spool)

    def lives(self, other: Owner) -> bool:
        """Tell whether another wrote its sign lately, as far as its clock can be believed."""
        if other.at is None:
            return True
        return not other.left and self._clock.now() - other.at < SILENT_NS

    def check_free(self, store: DeletableStore, *, over: bool, sure: bool) -> None:
        """See that no other recorder writes into a store that is to become ours.

        ``over``: one that is silent is told to be gone, and another node of this site with the
        catalog that both have lost is none; ``sure``: whatever its sign says.
        Raises: ``StoreRefused``.
        """
        gone = []
        for one in self.others(store):
            lives = self.lives(one)
            if over and lives and not sure and self._signs.had(one.catalog):
                continue  # its sign stays: nothing is deleted here as long as it changes
            gone.append(one)
            if not over or (lives and not sure):
                raise StoreRefused(
                    f"store {store.name}: another recorder {'writes' if lives else 'wrote'} there "
                    f"as site {one.site}: {one}",
                    hint=owner_advice(store.name),
                )
        store.delete([one.key for one in gone])

    def beat(self, store: DeletableStore) -> None:
        """Write this recorder's sign of life, when it is due."""
        now = self._clock.monotonic()
        if self._left:  # what is on its way still is the last
            return
        if now - self._beaten.get(store.name, float("-inf")) < BEAT_S:
            return
        me, known = self._me(), read_owners(store, self._me().site)
        self._see_copy(store, [one for one in known if self._is_other(one, me)], me)
        self._write(store, me, left=False)
        before = [
            one.key
            for one in known
            if one.catalog != me.catalog and one.spool and one.spool == me.spool
        ]
        store.delete(before)  # of this node's catalog that was lost
        self._beaten[store.name] = now

    def _write(self, store: ObjectStore, me: Owner, *, left: bool) -> None:
        body = {
            "format": 1,
            "node": me.node,
            "spool": me.spool,
            "at": self._clock.now(),
            "left": left,
            "sign": self._signs.new(me.node),
        }
        store.put(me.key, json.dumps(body).encode(), "application/json", {})

    def leave(self, stores: Iterable[ObjectStore]) -> None:
        """Say in the stores that this recorder was stopped: nobody needs to wait for it."""
        self._left = True
        for store in stores:
            if self._beaten.pop(store.name, None) is not None:
                self._write(store, self._me(), left=True)

    def _see_copy(self, store: ObjectStore, others: Iterable[Owner], me: Owner) -> None:
        """Remember a copy's sign: this recorder's own is written over it."""
        for one in others:
            if one.catalog == me.catalog and not one.left:
                self._copies[store.name] = (one, self._clock.monotonic())

    def doubt(self, store: ObjectStore) -> str:
        """Say why nothing may be deleted in a store: another writes there, or it is unknown.

        Unknown is who was not watched long enough: clocks of two machines prove nothing.
        """
        now, others, me = self._clock.monotonic(), self.others(store), self._me()
        self._see_copy(store, others, me)
        copy, seen_s = self._copies.get(store.name, (me, now - SILENT_NS / SECOND))
        if (now - seen_s) * SECOND < SILENT_NS:
            return (
                f"store {store.name} is written by a copy of this recorder, too: {copy}; was a "
                "machine, or a data folder, copied?  Nothing is deleted there until one of them "
                "has stopped"
            )
        for one in others:
            if one.left or one.catalog == me.catalog:
                continue
            name = (store.name, one.catalog)
            seen = self._seen.get(name)
            if seen is None or seen[0] != one.at:
                seen = self._seen[name] = (one.at, now)
            if (now - seen[1]) * SECOND < SILENT_NS:
                return (
                    f"store {store.name} is written by another recorder, too, as site {one.site}: "
                    f"{one}; nothing is deleted there until it has stopped"
                )
        return ""
