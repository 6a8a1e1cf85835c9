"""Proving that a log is what was signed, and that it begins with what was signed before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from recorder.audit.note import Checkpoint, Key
from recorder.audit.tiles import HASH, WIDTH, Edge, read_bundle, read_tile, tile_path
from recorder.audit.tree import leaf_hash
from recorder.model.counting import number_of

ReadTile = Callable[[str], bytes | None]
"""Returns an object of a log by its path, ``None`` when there is none."""
Marks = dict[int, set[bytes]]
"""The roots of kept checkpoints by their sizes: two of one size may contradict each other."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a log.

    ``kind``: ``key`` (not signed by a key that is known), ``cut`` (a tail is gone), ``missing``,
    ``changed``, ``order``, ``tree`` (not the one that was signed), ``fork`` (not the one that was
    signed before).
    """

    kind: str
    detail: str


def verify(
    signed: Checkpoint, keys: Sequence[Key], read: ReadTile, kept: Sequence[Checkpoint] = ()
) -> Iterator[Fault]:
    """Look through all of a log; ``kept``: checkpoints of it that somebody kept.

    All hashes are worked out anew from the entries: no proof is believed, none is needed.
    """
    for one in (signed, *kept):
        if one.origin != signed.origin:
            yield Fault("fork", f"the kept checkpoint is of log {one.origin}, not {signed.origin}")
        elif not any(one.by(key) for key in keys):
            many = number_of(one.size, "entry")
            yield Fault("key", f"the checkpoint of {many} has no signature of its key")
        if one.size > signed.size:
            after = f"after {signed.size}"
            are = (f"entry {after} is gone", f"entries {after} are gone")
            yield Fault("cut", number_of(one.size - signed.size, *are))
    marks = _marks(signed, kept)
    edge = Edge()
    yield from _marked(edge, marks)
    for number in range((signed.size + WIDTH - 1) // WIDTH):
        yield from _look(edge, number, min(WIDTH, signed.size - number * WIDTH), read, marks)
    if edge.size == signed.size and edge.root() != signed.root:
        yield Fault("tree", "the entries are not those that were signed")
    for level, number, hashes in edge.partial():
        if level:
            yield from _same(read, level, number, hashes)


def _marks(signed: Checkpoint, kept: Sequence[Checkpoint]) -> Marks:
    """Return what is held against the tree on the way: all but the checkpoint itself."""
    marks: Marks = {}
    for one in kept:
        if one.size <= signed.size and (one.size, one.root) != (signed.size, signed.root):
            marks.setdefault(one.size, set()).add(one.root)
    return marks


def _look(edge: Edge, number: int, width: int, read: ReadTile, marks: Marks) -> Iterator[Fault]:
    """Look at a bundle and its tile; what is missing of it counts as empty entries."""
    first = number * WIDTH
    try:
        entries = read_bundle(_find(read, "entries", number, width) or b"")[:width]
    except ValueError as exc:
        entries = []
        yield Fault("changed", f"entries from {first} on cannot be read: {exc}")
    found = [leaf_hash(entry) for entry in entries]
    try:
        told = read_tile(_find(read, 0, number, width) or b"")[:width]
    except ValueError as exc:
        told = []
        yield Fault("changed", f"the tile of entries from {first} on: {exc}")
    yield from _differences(first, width, found, told)
    for leaf in [*found, *told[len(found) :], *[bytes(HASH)] * width][:width]:
        for level, place, hashes in edge.add(leaf):
            if level:
                yield from _same(read, level, place, hashes)
        yield from _marked(edge, marks)


def _differences(
    first: int, width: int, found: Sequence[bytes], told: Sequence[bytes]
) -> Iterator[Fault]:
    """Say how a bundle's entries differ from what its tile says of them."""
    if len(told) < width:
        yield Fault("missing", f"the tile of entries from {first} on has {len(told)} of {width}")
    if len(found) < width:
        yield Fault("missing", f"{width - len(found)} of the entries from {first} on are gone")
    differing = [n for n, (one, two) in enumerate(zip(found, told, strict=False)) if one != two]
    if not differing:
        return
    if sorted(found) == sorted(told):
        yield Fault("order", f"entries from {first + differing[0]} on stand in another order")
        return
    said = ", ".join(str(first + one) for one in differing[:5])
    more = f" and {len(differing) - 5} more" if len(differing) > 5 else ""
    yield Fault("changed", f"entry {said}{more}: not the bytes that were hashed")


def _marked(edge: Edge, marks: Marks) -> Iterator[Fault]:
    for root in marks.get(edge.size, ()):
        if root != edge.root():
            many = number_of(edge.size, "entry is not that", "entries are not those")
            said = f"the first {many} of the kept checkpoint"
            yield Fault("fork", said)


def _same(read: ReadTile, level: int, number: int, hashes: Sequence[bytes]) -> Iterator[Fault]:
    body = _find(read, level, number, len(hashes))
    if body is None:
        yield Fault("missing", f"tile {level}/{number}")
    elif body[: len(hashes) * HASH] != b"".join(hashes):
        yield Fault("changed", f"tile {level}/{number}: not the hashes of what is below it")


def _find(read: ReadTile, level: int | str, number: int, width: int) -> bytes | None:
    """Read a tile of a width, or of the full one that came after it."""
    body = read(tile_path(level, number, width))
    return read(tile_path(level, number)) if body is None and width < WIDTH else body
