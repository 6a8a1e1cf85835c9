"""Which log goes on: the catalog's and the store's are compared before anything is signed.

Nothing that was signed is ever signed otherwise.  Where the two contradict each other, a new log
begins, and its first entry names the old one and why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from recorder.audit.entry import Entry, Subject, write_entry
from recorder.audit.note import Checkpoint, read_checkpoint
from recorder.audit.tiles import WIDTH, Edge, edge_from_tiles, read_bundle, read_edge, tile_path
from recorder.audit.tree import leaf_hash
from recorder.errors import IntegrityError
from recorder.logbook.keys import Signer
from recorder.logbook.marks import Marks, hold_to, marks_of
from recorder.logbook.shelf import Shelf, read_newest
from recorder.model.caller import Caller, CallerKind
from recorder.model.counting import number_of
from recorder.model.timebase import Instant
from recorder.ports import AuditTree, LogState, ObjectStore


class Owner(Protocol):
    """Whose log it is."""

    @property
    def site(self) -> str:
        """The site."""

    @property
    def node(self) -> str:
        """The node that signs."""

    def signer(self) -> Signer:
        """Return the site's key."""

    def new_id(self) -> str:
        """Make what tells a new log from others."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The log that goes on; how much of it the store has; why it is another one, if so.

    ``marks``: what it must be, where the store gets it anew.
    """

    state: LogState
    in_store: int
    said: str = ""
    marks: Marks = field(default_factory=Marks)


def settle(
    tree: AuditTree,
    store: ObjectStore,
    now: Instant,
    own: Owner,
    why: str = "",
    second: Callable[[], ObjectStore | None] = lambda: None,
) -> Settled:
    """Return the log that goes on; ``why``: the operator wants a new one.

    ``second``: where its checkpoints are kept besides.
    Raises: ``IntegrityError`` when the store shows what cannot be read, or lost the log and what
    the catalog has of it is not what was signed; what catalog and stores raise.
    """
    logs = tree.logs()
    newest = read_newest(store, own.site)
    state = logs[-1] if logs else None
    if newest and newest not in {one.origin for one in logs}:
        return _take_up(tree, Shelf(store, newest), state, now, own, why)
    if state is None:
        return Settled(_begin(tree, None, None, now, own, why or "the first one"), 0)
    shown = Shelf(store, state.origin).checkpoint()
    if why:
        return Settled(_begin(tree, state, shown, now, own, why), 0, why)
    if shown is None or shown.size < state.size:  # the store is new, or behind: it gets all again
        return _anew(tree, state, {store.name: shown}, now, own, second())
    if shown.size > state.assigned:
        _take_back(tree, Shelf(store, state.origin), state, shown)
        known = number_of(state.assigned, "entry")
        said = f"the catalog has {known} of {state.origin}, the store {shown.size}"
        return Settled(_begin(tree, state, shown, now, own, said), 0, said)
    if _root_at(tree, state, shown.size) != shown.root:
        said = f"the store's checkpoint of {state.origin} at {shown.size} is not the catalog's"
        return Settled(_begin(tree, state, shown, now, own, said), 0, said)
    if shown.size > state.size:  # it died between the two
        return Settled(_catch_up(tree, state, shown), shown.size)
    return Settled(state, shown.size)


def _anew(
    tree: AuditTree,
    state: LogState,
    kept: dict[str, Checkpoint | None],
    now: Instant,
    own: Owner,
    second: ObjectStore | None,
) -> Settled:
    """Go on with a log that its store lost, once it is known to be what was signed."""
    key = own.signer().key(state.origin)
    if str(key) != state.key:
        return Settled(state, 0)  # this node signs nothing
    if second is not None:
        kept[second.name] = Shelf(second, state.origin).checkpoint()
    for name, one in kept.items():
        if one is not None and one.size > state.assigned and one.by(key):
            known = number_of(state.assigned, "entry")
            said = f"the catalog has {known} of {state.origin}, store {name} knows of {one.size}"
            return Settled(_begin(tree, state, one, now, own, said), 0, said)
    signed = read_checkpoint(state.checkpoint) if state.checkpoint else None
    marks = marks_of(state, key, signed, kept)
    hold_to(tree, state, marks)
    return Settled(state, 0, marks=marks)


def _root_at(tree: AuditTree, state: LogState, size: int) -> bytes:
    if size == state.size:
        return read_edge(state.size, state.edge).root()
    return _grown(tree, state, size).root()


def _grown(tree: AuditTree, state: LogState, size: int) -> Edge:
    edge = read_edge(state.size, state.edge)
    for start in range(state.size, size, 16 * WIDTH):
        leaves = tree.leaves(state.number, start, min(start + 16 * WIDTH, size))
        for leaf in leaves:
            for _ in edge.add(leaf_hash(leaf)):
                pass
    return edge


def _catch_up(tree: AuditTree, state: LogState, shown: Checkpoint) -> LogState:
    edge = _grown(tree, state, shown.size)
    found = _state(state.origin, state.key, state.begun, edge, shown, state.number)
    tree.put(found, state.size)
    return found


def _state(
    origin: str, key: str, begun: Instant, edge: Edge, shown: Checkpoint, number: int
) -> LogState:
    return LogState(
        origin, key, begun, number, edge.size, edge.size, edge.write(), shown.note, begun
    )


def _take_up(
    tree: AuditTree, shelf: Shelf, state: LogState | None, now: Instant, own: Owner, why: str
) -> Settled:
    """Go on with a log that only the store knows, where it is ours and whole; else begin anew."""
    shown = shelf.checkpoint()
    key = own.signer().key(shelf.origin)
    if shown is None:
        raise IntegrityError(f"store {shelf.store.name}: log {shelf.origin} has no checkpoint")
    edge = edge_from_tiles(shown.size, shelf.tile)
    whole, ours = edge.root() == shown.root, shown.by(key)
    said = why
    if not whole:
        said = f"the tiles of {shelf.origin} are not those that its checkpoint says"
    elif not ours:
        said = f"log {shelf.origin} is signed with another key than {key.id.hex()}"
    elif state is not None and not said:
        said = f"the store goes on with {shelf.origin}, which the catalog does not know"
    number = state.number if state is not None else 0
    if whole:  # what it says can be searched, whoever signed it
        name = str(key) if ours else ""
        before = state.origin if state is not None else ""
        state = tree.begin(_state(shelf.origin, name, now, edge, shown, number))
        _take_back(tree, shelf, state, shown, known=0)
        if not said:
            return Settled(state, shown.size)
        said += f" (before: {before})" if before else ""
    return Settled(_begin(tree, state, shown, now, own, said), 0, said)


def _take_back(
    tree: AuditTree, shelf: Shelf, state: LogState, shown: Checkpoint, known: int | None = None
) -> None:
    """Put the entries that only the store has into the catalog, to be searched."""
    start = (state.assigned if known is None else known) // WIDTH * WIDTH
    for first in range(start, shown.size, WIDTH):
        width = min(WIDTH, shown.size - first)
        number = first // WIDTH
        body = shelf.read(tile_path("entries", number, width))
        if body is None:
            body = shelf.read(tile_path("entries", number))
        try:
            leaves = read_bundle(body or b"")[:width]
        except ValueError as exc:
            raise IntegrityError(f"log {shelf.origin}: entries from {first} on: {exc}") from exc
        told = shelf.tile(0, number, width)
        if [leaf_hash(one) for one in leaves] != list(told):
            raise IntegrityError(
                f"log {shelf.origin}: entries from {first} on are not those that were hashed",
                hint="recorder audit verify names them; recorder audit begin goes on without them",
            )
        tree.take_in(state.number, first, leaves)


def _begin(
    tree: AuditTree,
    old: LogState | None,
    shown: Checkpoint | None,
    now: Instant,
    own: Owner,
    why: str,
) -> LogState:
    """Begin a log whose first entry names the one before, and why."""
    origin = f"spanstore/{own.site}/{own.new_id()[:13]}"
    last = shown
    if last is None and old is not None and old.checkpoint:
        last = read_checkpoint(old.checkpoint)
    details: dict[str, object] = {"log": origin, "why": why}
    if last is not None:
        details |= {"before": last.origin, "before_size": last.size, "before_root": last.root.hex()}
    entry = Entry(
        now, Caller(CallerKind.NODE, own.node), "log.begin", Subject(name=origin), details=details
    )
    raw = write_entry(entry, own.site, own.node)
    state = LogState(
        origin,
        str(own.signer().key(origin)),
        now,
        old.number if old is not None else 0,
        assigned=1,
        edge=Edge().write(),
    )
    return tree.begin(state, [raw])
