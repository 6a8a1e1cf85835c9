"""Signing the log: entries get their places, tiles and a checkpoint go into the store.

Tiles come first, then the checkpoint, then the catalog is told: a death in between leaves tiles
that are written again with the same bytes, or a checkpoint that the catalog finds to be its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from recorder import telemetry
from recorder.audit.note import Checkpoint, Signature, read_checkpoint, read_key, read_signature
from recorder.audit.tiles import WIDTH, Edge, read_edge, tile_path, write_bundle
from recorder.audit.tree import leaf_hash
from recorder.errors import IntegrityError, StateError
from recorder.logbook.keys import Signer, own_signer
from recorder.logbook.marks import CHUNK, Marks, lacking
from recorder.logbook.settle import Settled, settle
from recorder.logbook.shelf import Shelf
from recorder.model.timebase import SECOND
from recorder.ports import AuditTree, Clock, LogState, ObjectStore, Witnessed

log = logging.getLogger("recorder.logbook")

RESTING = 9
"""So many times as long as it took to find that nothing may be signed, nobody looks again."""


class LogCatalog(Protocol):
    """The parts of the catalog that signing uses."""

    @property
    def audit_tree(self) -> AuditTree:
        """Where entries stand."""

    @property
    def witnessed(self) -> Witnessed:
        """The logs of sites below."""


@dataclass(frozen=True, slots=True)
class Own:
    """Whose log it is: site and node, the file of its key, and how ids are made."""

    site: str
    node: str
    key: Path
    make_id: Callable[[], str]

    def signer(self) -> Signer:
        """Return the site's key, made the first time."""
        return own_signer(self.key)

    def new_id(self) -> str:
        """Make what tells a new log from others."""
        return self.make_id()


class Press:
    """Signs a site's log; one at a time of all nodes of a site, or the later one begins again."""

    def __init__(
        self,
        catalog: LogCatalog,
        store: Callable[[], ObjectStore],
        clock: Clock,
        own: Own,
        drop: Callable[[Sequence[str]], object] = lambda keys: None,
        second: Callable[[], ObjectStore | None] = lambda: None,
    ) -> None:
        """``store``: where tiles and checkpoints go; ``drop`` takes tiles away that are not full.

        ``second``: where checkpoints are kept besides, by which a log is known if it is lost.

        Source: C2SP tlog-tiles, which allows it once the full one is there.
        """
        self._drop, self._second = drop, second
        self._catalog, self._store, self._clock, self._own = catalog, store, clock, own
        self._in_store: tuple[str, int] | None = None
        self._refused: tuple[float, IntegrityError] | None = None

    def begin(self, why: str) -> LogState:
        """Begin a new log that names the one before; the operator's word, nobody else's."""
        self._in_store = None
        return self.settle(why).state

    def signer(self) -> Signer:
        """Return the key that signs the log, and what else this site vouches for.

        Raises: ``StateError`` when this node has another one than signs the log.
        """
        logs, signer = self._catalog.audit_tree.logs(), self._own.signer()
        if logs and str(signer.key(logs[-1].origin)) != logs[-1].key:
            raise other_key(logs[-1], str(signer.key(logs[-1].origin)))
        return signer

    def settle(self, why: str = "") -> Settled:
        """Say which log goes on, having compared the catalog with the store.

        Raises: ``IntegrityError`` when none may; it is said again, not looked for, for a while.
        """
        begin, now, tree = self._clock.monotonic(), self._clock.now(), self._catalog.audit_tree
        if self._refused is not None and not why and begin < self._refused[0]:
            raise self._refused[1]
        try:
            done = settle(tree, self._store(), now, self._own, why, self._second)
        except IntegrityError as exc:
            end = self._clock.monotonic()
            self._refused = (end + RESTING * (end - begin), exc)
            raise
        self._refused = None
        if done.said:
            log.error("the audit log begins anew", extra={"why": done.said})
        return done

    def publish(self) -> LogState:
        """Sign all that is written, and put it into the store.

        Raises: ``StateError`` when another node signs; what catalog and store raise.
        """
        tree = self._catalog.audit_tree
        logs, marks = tree.logs(), Marks()
        if not logs or self._in_store != (logs[-1].origin, logs[-1].size):
            done = self.settle()
            logs, self._in_store = tree.logs(), (done.state.origin, done.in_store)
            marks = done.marks
        signer, state = self.signer(), logs[-1]
        while tree.assign(state.number, CHUNK) == CHUNK:
            pass
        state = tree.logs()[-1]
        if state.assigned != self._in_store[1] or not state.checkpoint:
            state = self._print(state, signer, self._in_store[1], marks)
        self._in_store = (state.origin, state.size)
        telemetry.AUDIT_SIGNED.set(self._clock.now() / SECOND)
        telemetry.AUDIT_WAITING.set(tree.waiting()[0])
        return state

    def _print(self, state: LogState, signer: Signer, in_store: int, marks: Marks) -> LogState:
        """Write tiles from where the store ends, then the checkpoint; tell the catalog."""
        store = self._store()
        shelf = Shelf(store, state.origin)
        edge = read_edge(state.size, state.edge)
        if in_store != state.size:  # the store is behind: what it should have is made again
            edge = Edge()
        self._write_tiles(state, edge, shelf, marks)
        key = signer.key(state.origin)
        signed = Checkpoint(state.origin, edge.size, edge.root()).signed(key, signer.sign)
        shelf.put_checkpoint(signed)
        now, was = self._clock.now(), state.size
        state = replace(
            state, size=edge.size, edge=edge.write(), checkpoint=signed.note, signed=now
        )
        if not self._catalog.audit_tree.put(state, was):
            self._in_store = None
            raise StateError("the audit log: another node has signed it meanwhile")
        return state

    def _write_tiles(self, state: LogState, edge: Edge, shelf: Shelf, marks: Marks) -> None:
        tree, begun = self._catalog.audit_tree, edge.size
        base = begun // WIDTH * WIDTH
        full: list[tuple[int, int]] = []
        for start in range(base, state.assigned, CHUNK):
            end = min(start + CHUNK, state.assigned)
            leaves = tree.leaves(state.number, start, end)
            if len(leaves) != end - start:
                raise lacking(start + len(leaves))
            for first in range(0, len(leaves), WIDTH):
                part = leaves[first : first + WIDTH]
                path = tile_path("entries", (start + first) // WIDTH, len(part))
                shelf.put(path, write_bundle(part))
            for leaf in leaves[max(0, begun - start) :]:
                for level, number, hashes in edge.add(leaf_hash(leaf)):
                    shelf.put(tile_path(level, number), b"".join(hashes))
                    full.append((level, number))
                marks.look(edge)
        for level, number, hashes in edge.partial():
            shelf.put(tile_path(level, number, len(hashes)), b"".join(hashes))
        self._sweep(full, begun, shelf)

    def _sweep(self, full: list[tuple[int, int]], begun: int, shelf: Shelf) -> None:
        """Drop what full tiles have taken the place of: of those alone that had begun before."""
        over = WIDTH
        had: set[tuple[int, int]] = set()
        for level in range(8):
            had.add((level, begun // over))
            over *= WIDTH
        for level, number in full:
            if (level, number) in had:
                keys = shelf.partial_keys(level, number)
                self._drop(keys if level else keys + shelf.partial_keys("entries", number))

    # -- who vouches for it ----------------------------------------------------------------

    def join(self, origin: str, size: int, line: str, parent: str) -> bool:
        """Put the parent's countersignature below the checkpoint that it is of.

        False when that is not the present one, or the signature is not what the parent's key says.
        """
        logs = self._catalog.audit_tree.logs()
        if not logs or (logs[-1].origin, logs[-1].size) != (origin, size):
            return False
        state, signature, key = logs[-1], read_signature(line), read_key(parent)
        checkpoint = read_checkpoint(state.checkpoint).joined(signature)
        if not checkpoint.by(key):
            return False
        if checkpoint.note != state.checkpoint:
            Shelf(self._store(), origin).put_checkpoint(checkpoint)
            self._catalog.audit_tree.put(replace(state, checkpoint=checkpoint.note), size)
        telemetry.AUDIT_COUNTERSIGNED.set(self._clock.now() / SECOND)
        return True


def signatures_of(checkpoint: Checkpoint) -> tuple[Signature, ...]:
    """Return who vouches for a checkpoint besides the log itself."""
    return tuple(one for one in checkpoint.signatures if one.name != checkpoint.origin)


def other_key(state: LogState, own: str) -> StateError:
    """Say that this node may not sign the log."""
    return StateError(
        f"the audit log {state.origin} is signed with key {state.key}, this node has {own}",
        hint="copy data/audit.key from the node that began it, or put it back from a backup; if it "
        "is lost for good: recorder audit begin",
    )
