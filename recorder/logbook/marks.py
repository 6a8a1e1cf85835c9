"""What was signed of a log, wherever it is known: what is written anew must be just that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from recorder.audit.note import Checkpoint, Key
from recorder.audit.tiles import WIDTH, Edge
from recorder.audit.tree import leaf_hash
from recorder.errors import IntegrityError
from recorder.ports import AuditTree, LogState

CHUNK = 16 * WIDTH
"""So many entries are taken at a time."""
_HINT = (
    "nothing of it is written or signed until its rows, or its store, are back as they were; "
    "recorder audit begin goes on with a new log that names this one"
)


@dataclass(frozen=True, slots=True)
class Marks:
    """Roots of a log by its size and by who says so."""

    origin: str = ""
    roots: Mapping[int, Mapping[str, bytes]] = field(default_factory=dict)

    @property
    def last(self) -> int:
        """The greatest size that is known."""
        return max(self.roots, default=0)

    def look(self, edge: Edge) -> None:
        """Look at a tree that grows.  Raises: ``IntegrityError`` when it is not what was signed."""
        for who, root in self.roots.get(edge.size, {}).items():
            if edge.root() != root:
                raise IntegrityError(
                    f"the audit log {self.origin}: what the catalog has of it up to {edge.size} is "
                    f"not what was signed, as {who} has it: rows were changed",
                    hint=_HINT,
                )


def marks_of(
    state: LogState, key: Key, signed: Checkpoint | None, kept: Mapping[str, Checkpoint | None]
) -> Marks:
    """Gather what is known of a log: ``signed`` by the catalog, ``kept`` by stores, by their names.

    What the site's key has not signed is nobody's word.
    Raises: ``IntegrityError`` when that of the catalog is such.
    """
    if state.size and (signed is None or not signed.by(key)):
        raise IntegrityError(
            f"the audit log {state.origin}: what the catalog says was signed is not signed with "
            "the site's key",
            hint=_HINT,
        )
    found = {} if signed is None else {"the catalog": signed}
    found |= {f"store {name}": one for name, one in kept.items() if one is not None and one.by(key)}
    roots: dict[int, dict[str, bytes]] = {}
    for who, one in found.items():
        roots.setdefault(one.size, {})[who] = one.root
    return Marks(state.origin, roots)


def hold_to(tree: AuditTree, state: LogState, marks: Marks) -> None:
    """See that what the catalog has of a log is what was signed, before anything is written.

    Raises: ``IntegrityError``.
    """
    edge = Edge()
    for start in range(0, marks.last, CHUNK):
        end = min(start + CHUNK, marks.last)
        for leaf in tree.leaves(state.number, start, end):
            for _ in edge.add(leaf_hash(leaf)):
                pass
            marks.look(edge)
        if edge.size != end:
            raise lacking(edge.size)


def lacking(place: int) -> IntegrityError:
    """Say that the catalog lacks an entry."""
    return IntegrityError(
        f"the audit log: entry {place} is not in the catalog",
        hint="recorder rebuild takes up what the store has of the log",
    )
