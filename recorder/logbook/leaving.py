"""Letting old rows of the log leave the catalog: once two stores have them, read back and proven.

Tiles come into the second store first, then both are read, then one transaction deletes the rows
of a tile and notes what was in them.  A death before it leaves all as it was; a doubt stops it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from recorder.audit.note import BadNote, Checkpoint, Key, read_key
from recorder.audit.tiles import WIDTH, hashes_in, read_edge, tile_path, write_bundle
from recorder.audit.tree import (
    check_consistency,
    check_inclusion,
    consistency,
    inclusion,
    leaf_hashes,
)
from recorder.errors import IntegrityError
from recorder.logbook.shelf import Shelf
from recorder.model.counting import number_of
from recorder.model.timebase import Instant
from recorder.ports import AuditLeft, AuditTree, LogState, ObjectStore

TILES = 256
"""So many may leave in one round: 65,536 rows in five minutes, where a county's centre writes
3,000."""
TRIES = 3
"""The log may be signed between a look at the catalog and one at the store."""
NAME = "audit rows"
"""What is kept of it, among how far long jobs are: ``why`` no row may leave; the tile (``log``,
``tile``) up to which what left was looked at again."""


class LeavingCatalog(Protocol):
    """The parts of the catalog that this uses."""

    @property
    def audit_tree(self) -> AuditTree:
        """Where entries stand."""

    @property
    def audit_left(self) -> AuditLeft:
        """What has left."""


class Leaving:
    """Lets rows leave that the log's store and a second one have."""

    def __init__(
        self, catalog: LeavingCatalog, first: ObjectStore, second: ObjectStore, key: Key
    ) -> None:
        """``first``: where the log is signed into; ``key``: the site's, by whatever name."""
        self._catalog, self._first, self._second, self._key = catalog, first, second, key

    def run(self, before: Instant, go_on: Callable[[], bool] = lambda: True) -> int:
        """Let tiles leave that are all of ``before``; return how many rows did.

        Raises: ``IntegrityError`` when rows, stores and signature do not say the same.
        """
        logs, done = self._catalog.audit_tree.logs(), 0
        for state in logs:
            if not self._ours(state):
                continue  # signed with a key that nobody here can vouch for
            old = self._catalog.audit_left.old(state.number, state.size, before, TILES - done)
            if not old:
                continue
            shelf = _Tiles(self._first, state.origin)
            signed = self._signed(shelf, state.number, written=state is logs[-1])
            for number in old:
                if not go_on():
                    return done * WIDTH
                done += self._let_go(shelf, signed, state.number, number)
        return done * WIDTH

    def keep_signed(self) -> None:
        """Keep the newest checkpoint in the second store, too: a log that is lost is held to it.

        Raises: ``IntegrityError`` when it does not go on from the one that is there.
        """
        for state in self._catalog.audit_tree.logs()[-1:]:
            if not state.size or not self._ours(state):
                continue
            shelf, second = _Tiles(self._first, state.origin), Shelf(self._second, state.origin)
            signed, kept = self._signed(shelf, state.number, written=True), second.checkpoint()
            if kept is None or not kept.by(Key(state.origin, self._key.public)):
                second.keep_checkpoint(signed)
            elif not _follows(shelf, kept, signed):
                said = f"it does not go on from what store {self._second.name} has kept of it"
                raise _doubt(shelf, said)
            elif signed.size > kept.size:
                second.keep_checkpoint(signed)

    def _ours(self, state: LogState) -> bool:
        try:
            return bool(state.key) and read_key(state.key).public == self._key.public
        except BadNote:
            return False

    def _signed(self, shelf: _Tiles, number: int, *, written: bool) -> Checkpoint:
        """Read the checkpoint from the store: it must go on from what the catalog says.

        ``written``: it is the log that goes on, and the catalog must know all of it.
        """
        said = ""
        for _ in range(TRIES):
            state = next(one for one in self._catalog.audit_tree.logs() if one.number == number)
            shown = shelf.checkpoint()
            if shown is None or shown.origin != state.origin:
                raise _doubt(shelf, "no checkpoint of it")
            said = _apart(state, shown, written=written)
            if not said:
                break
        else:
            raise _doubt(shelf, said)
        if not shown.by(Key(state.origin, self._key.public)):
            raise _doubt(shelf, "its checkpoint is not signed with the site's key")
        if not _goes_on(shelf, state, shown):
            raise _doubt(shelf, f"what it has up to {state.size} is not what was signed")
        return shown

    def _let_go(self, shelf: _Tiles, signed: Checkpoint, log: int, number: int) -> bool:
        """Let one tile go; false when another node did so meanwhile."""
        left = self._catalog.audit_left
        rows = left.rows(log, number)
        hashes, first = leaf_hashes(rows), number * WIDTH
        objects = {
            tile_path("entries", number): write_bundle(rows),
            tile_path(0, number): b"".join(hashes),
        }
        said = f"entries {first} to {first + WIDTH - 1}"
        if not rows:
            return False
        if len(rows) != WIDTH:
            raise _doubt(shelf, f"{said}: the catalog has {len(rows)} of them")
        _must_have(shelf, objects, said)
        # the first leaf's proof has, up to its tile's root, the hashes over all others of the tile
        proof = inclusion(first, signed.size, hashes_in(signed.size, shelf.tile))
        if not check_inclusion(hashes[0], first, signed.size, proof, signed.root):
            raise _doubt(shelf, f"{said} do not lead to the signed root")
        second = Shelf(self._second, shelf.origin)
        for path, body in objects.items():
            if second.read(path) != body:
                second.put(path, body)
        _must_have(second, objects, said)
        if left.let_go(log, number, rows):
            return True
        if left.rows(log, number):
            raise _doubt(shelf, f"{said}: their rows say other than their bytes, or are the newest")
        return False


class _Tiles(Shelf):
    """A log's objects, of which the small tiles above the leaves are read once."""

    def __init__(self, store: ObjectStore, origin: str) -> None:
        super().__init__(store, origin)
        self._known: dict[tuple[int, int, int], Sequence[bytes]] = {}

    def tile(self, level: int, number: int, width: int) -> Sequence[bytes]:
        """Return the first hashes of a tile."""
        name = (level, number, width)
        if name not in self._known:
            self._known[name] = super().tile(*name)
        return self._known[name]


def _apart(state: LogState, shown: Checkpoint, *, written: bool) -> str:
    """Say whether catalog and store are not equally far; for a moment, while it is signed."""
    if shown.size < state.size:
        return f"{number_of(shown.size, 'entry')}, and {state.size} are signed"
    if written and shown.size > state.assigned:
        there = number_of(shown.size, "entry")
        return f"{there}, and the catalog {state.assigned}: it is older"
    return ""


def _goes_on(shelf: _Tiles, state: LogState, shown: Checkpoint) -> bool:
    try:
        before = read_edge(state.size, state.edge).root()
    except ValueError:
        return False
    return _follows(shelf, Checkpoint(state.origin, state.size, before), shown)


def _follows(shelf: _Tiles, before: Checkpoint, shown: Checkpoint) -> bool:
    """Tell whether a log, as a store shows it, goes on from what it was before."""
    if shown.size <= before.size:
        return (shown.size, shown.root) == (before.size, before.root)
    proof = consistency(before.size, shown.size, hashes_in(shown.size, shelf.tile))
    return check_consistency(before.size, shown.size, proof, before.root, shown.root)


def _must_have(shelf: Shelf, objects: dict[str, bytes], said: str) -> None:
    for path, body in objects.items():
        if shelf.read(path) != body:
            raise _doubt(shelf, f"{path}: {said} are not there as the catalog has them")


def _doubt(shelf: Shelf, said: str) -> IntegrityError:
    return IntegrityError(
        f"store {shelf.store.name}: log {shelf.origin}: {said}: no row leaves the catalog",
        hint="recorder audit verify says what is wrong",
    )
