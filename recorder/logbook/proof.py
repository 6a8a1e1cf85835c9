"""Proving the log: the store's tiles against signatures, kept checkpoints and the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from recorder.audit.note import BadNote, Checkpoint, Key, read_checkpoint, read_key
from recorder.audit.tiles import WIDTH, read_tile, tile_path
from recorder.audit.tree import leaf_hash
from recorder.audit.verify import Fault, verify
from recorder.errors import IntegrityError, StoreRefused, StoreUnavailable
from recorder.logbook.shelf import Shelf, read_newest
from recorder.ports import AuditTree, ObjectStore

MOST_FAULTS = 1000
"""Then it is no log any more: a size that nobody has signed may be any."""
SHOWN = 20
"""So many entries that differ are named."""


@dataclass(frozen=True, slots=True)
class Known:
    """A log as its site's catalog knows it; ``checkpoint``: what it says was signed last."""

    origin: str
    key: str
    checkpoint: str


class Evidence(Protocol):
    """What a log is proved from, wherever it is fetched."""

    place: str
    """What is asked for tiles, as people know it."""

    def logs(self) -> list[Known]:
        """Return the site's logs, the present one last."""

    def newest(self) -> str:
        """Return the log that the tiles' place says is the newest; empty where it says none."""

    def read(self, origin: str, path: str) -> bytes | None:
        """Return an object of a log, ``None`` when there is none."""

    def entries(self, origin: str, size: int) -> Iterator[tuple[int, bytes]]:
        """Yield what the catalog has of a log's first entries, each with its place."""

    def waiting(self) -> int:
        """Return how many entries have no place yet; asked when all the rest was."""


class CatalogEvidence:
    """Evidence at hand: the catalog, and the store that the log is put in."""

    def __init__(self, tree: AuditTree, store: ObjectStore, site: str) -> None:
        self._tree, self._store, self._site = tree, store, site
        self.place = f"store {store.name}"

    def logs(self) -> list[Known]:
        """See :class:`Evidence`."""
        return [Known(one.origin, one.key, one.checkpoint) for one in self._tree.logs()]

    def newest(self) -> str:
        """See :class:`Evidence`."""
        return read_newest(self._store, self._site)

    def read(self, origin: str, path: str) -> bytes | None:
        """See :class:`Evidence`."""
        return Shelf(self._store, origin).read(path)

    def entries(self, origin: str, size: int) -> Iterator[tuple[int, bytes]]:
        """See :class:`Evidence`."""
        number = next(one.number for one in self._tree.logs() if one.origin == origin)
        for first in range(0, size, WIDTH):
            try:
                rows = self._tree.leaves(number, first, min(size, first + WIDTH))
            except (IntegrityError, StoreUnavailable, StoreRefused):
                continue  # what has left is not as it left, or not to be had: it differs
            yield from enumerate(rows, first)

    def waiting(self) -> int:
        """See :class:`Evidence`."""
        return self._tree.waiting()[0]


@dataclass(slots=True)
class Proof:
    """What was looked at, and what is wrong."""

    origin: str = ""
    checkpoint: Checkpoint | None = None
    waiting: int = 0
    keys: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def prove(
    evidence: Evidence,
    own: Key | None,
    given: Sequence[Key] = (),
    kept: Sequence[Checkpoint] = (),
) -> Proof:
    """Prove a site's log; with ``kept`` of an earlier one, that one.

    ``given``: keys that the asker trusts, instead of ``own`` (what this machine knows).
    """
    logs = {one.origin: one for one in evidence.logs()}
    last = next(reversed(logs.values()), None)
    done = Proof()
    done.origin = kept[0].origin if kept else (last.origin if last is not None else "")
    done.origin = done.origin or evidence.newest()
    if done.origin:
        state = logs.get(done.origin)
        keys = list(given) or _keys(done.origin, state, own)
        done.keys = [str(key) for key in keys]
        missed = bool(kept) or (state is not None and bool(state.checkpoint))
        done.checkpoint = _checkpoint(evidence, done, missed=missed)
        if done.checkpoint is not None:
            marks = [*kept, *_signed(state)]
            found = _look(evidence, done.checkpoint, keys, marks, known=state is not None)
            done.faults += islice(found, MOST_FAULTS)
            newest = evidence.newest()
            if newest and newest not in logs and logs:
                said = f"the store's newest log is {newest}, unknown here"
                done.faults.append(Fault("fork", said))
    done.waiting = evidence.waiting()
    return done


def _checkpoint(evidence: Evidence, done: Proof, *, missed: bool) -> Checkpoint | None:
    """Read the log's checkpoint; ``missed``: somebody knows that there was one."""
    raw = evidence.read(done.origin, "checkpoint")
    if raw is None:
        if missed:
            said = f"{evidence.place} has no checkpoint of {done.origin}"
            done.faults.append(Fault("missing", said))
        return None
    try:
        found = read_checkpoint(raw.decode())
    except (BadNote, UnicodeDecodeError) as exc:
        done.faults.append(Fault("changed", f"{evidence.place}: {done.origin}: {exc}"))
        return None
    if found.origin != done.origin:
        said = f"the checkpoint is of log {found.origin}, not {done.origin}"
        done.faults.append(Fault("fork", said))
    return found


def _look(
    evidence: Evidence,
    signed: Checkpoint,
    keys: Sequence[Key],
    marks: Sequence[Checkpoint],
    *,
    known: bool,
) -> Iterator[Fault]:
    """Look through the tiles, and at what the catalog has, where it knows the log."""
    yield from verify(signed, keys, lambda path: evidence.read(signed.origin, path), marks)
    if known:
        yield from _rows(evidence, signed)


def _keys(origin: str, state: Known | None, own: Key | None) -> list[Key]:
    """Return the keys that this machine knows of a log: its own, else what the catalog says.

    Its own alone where the catalog says another: who can change the catalog must not choose it.
    """
    if own is not None:
        return [Key(origin, own.public)]
    try:
        return [read_key(state.key)] if state is not None and state.key else []
    except BadNote:
        return []  # then it is not known, and the log is not found to be signed


def _signed(state: Known | None) -> list[Checkpoint]:
    """Return what the catalog says was signed last."""
    try:
        return [read_checkpoint(state.checkpoint)] if state and state.checkpoint else []
    except BadNote:
        return []


def _rows(evidence: Evidence, signed: Checkpoint) -> Iterator[Fault]:
    """Compare the catalog's entries with the leaves, place by place."""
    seen, differing = bytearray(signed.size), set[int]()
    number, leaves = -1, list[bytes]()
    for place, raw in evidence.entries(signed.origin, signed.size):
        if place >= signed.size:
            continue
        if place // WIDTH != number:
            number, leaves = place // WIDTH, _leaves(evidence, signed, place // WIDTH)
        seen[place] = 1
        at = place % WIDTH
        if at < len(leaves) and leaves[at] != leaf_hash(raw):
            differing.add(place)
    differing.update(place for place, there in enumerate(seen) if not there)
    if differing:
        named = sorted(differing)
        said = ", ".join(map(str, named[:SHOWN]))
        more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
        yield Fault("changed", f"entry {said}{more}: the catalog has not what the store has")


def _leaves(evidence: Evidence, signed: Checkpoint, number: int) -> list[bytes]:
    """Return the leaves' hashes of a tile; none where it is missing, which was said already."""
    width = min(WIDTH, signed.size - number * WIDTH)
    body = evidence.read(signed.origin, tile_path(0, number, width))
    body = evidence.read(signed.origin, tile_path(0, number)) if body is None else body
    try:
        return read_tile(body or b"")[:width]
    except ValueError:
        return []
