"""Proving the log: the store's tiles against signatures, kept checkpoints and the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from recorder.audit.note import BadNote, Checkpoint, Key, read_checkpoint, read_key
from recorder.audit.tiles import WIDTH, read_bundle, tile_path
from recorder.audit.verify import Fault, verify
from recorder.errors import IntegrityError
from recorder.logbook.shelf import Shelf, read_newest
from recorder.ports import AuditTree, LogState, ObjectStore

SHOWN = 20
"""So many entries that differ are named."""


@dataclass(slots=True)
class Proof:
    """What was looked at, and what is wrong."""

    origin: str = ""
    checkpoint: Checkpoint | None = None
    waiting: int = 0
    keys: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)


def prove(
    tree: AuditTree,
    store: ObjectStore,
    site: str,
    own: Key | None,
    given: Sequence[Key] = (),
    kept: Sequence[Checkpoint] = (),
) -> Proof:
    """Prove a site's log; with ``kept`` of an earlier one, that one.

    ``given``: keys that the asker trusts, instead of ``own`` (what this machine knows).
    """
    logs = {one.origin: one for one in tree.logs()}
    last = next(reversed(logs.values()), None)
    done = Proof(waiting=tree.waiting()[0])
    done.origin = kept[0].origin if kept else (last.origin if last is not None else "")
    done.origin = done.origin or read_newest(store, site)
    if not done.origin:
        return done
    state = logs.get(done.origin)
    keys = list(given) or _keys(done.origin, state, own)
    done.keys = [str(key) for key in keys]
    shelf = Shelf(store, done.origin)
    try:
        done.checkpoint = shelf.checkpoint()
    except IntegrityError as exc:
        done.faults.append(Fault("changed", str(exc)))
        return done
    if done.checkpoint is None:
        said = f"store {store.name} has no checkpoint of {done.origin}"
        if kept or (state is not None and state.checkpoint):
            done.faults.append(Fault("missing", said))
        return done
    marks = [*kept, *_signed(state)]
    done.faults += verify(done.checkpoint, keys, shelf.read, marks)
    if state is not None:
        done.faults += _rows(tree, state, shelf, done.checkpoint.size)
    newest = read_newest(store, site)
    if newest and newest not in logs and logs:
        done.faults.append(Fault("fork", f"the store's newest log is {newest}, unknown here"))
    return done


def _keys(origin: str, state: LogState | None, own: Key | None) -> list[Key]:
    """Return the keys that this machine knows of a log: its own, else what the catalog says.

    Its own alone where the catalog says another: who can change the catalog must not choose it.
    """
    if own is not None:
        return [Key(origin, own.public)]
    try:
        return [read_key(state.key)] if state is not None and state.key else []
    except BadNote:
        return []  # then it is not known, and the log is not found to be signed


def _signed(state: LogState | None) -> list[Checkpoint]:
    """Return what the catalog says was signed last."""
    try:
        return [read_checkpoint(state.checkpoint)] if state and state.checkpoint else []
    except BadNote:
        return []


def _rows(tree: AuditTree, state: LogState, shelf: Shelf, size: int) -> Iterator[Fault]:
    """Compare the catalog's entries with the store's, place by place."""
    differing: list[int] = []
    for first in range(0, size, WIDTH):
        width = min(WIDTH, size - first)
        number = first // WIDTH
        body = shelf.read(tile_path("entries", number, width))
        if body is None:
            body = shelf.read(tile_path("entries", number)) or b""
        try:
            stored = read_bundle(body)[:width]
        except ValueError:
            continue  # said already
        rows = tree.leaves(state.number, first, first + len(stored))
        differing += [
            first + place
            for place, raw in enumerate(stored)
            if place >= len(rows) or rows[place] != raw
        ]
    if differing:
        said = ", ".join(map(str, differing[:SHOWN]))
        more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
        yield Fault("changed", f"entry {said}{more}: the catalog has not what the store has")
