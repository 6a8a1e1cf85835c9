"""The Merkle tree of RFC 6962 and its proofs.

A proof is a list of hashes of whole subtrees.  Which ones is worked out as ranges of leaves;
what such a range hashes to is asked of whoever has the tree.  Source: RFC 6962, section 2.1;
RFC 9162, section 2.1, for how proofs are checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

EMPTY = sha256(b"").digest()
"""The root of a tree without leaves."""

HashOf = Callable[[int, int], bytes]
"""Returns the hash over leaves ``[start, end)``, which is a subtree of RFC 6962."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash an entry as a leaf.

    >>> leaf_hash(b"").hex()[:16]
    '6e340b9cffb37a98'
    """
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees as the node above them."""
    return sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """Return the largest power of two that is smaller than ``size``: the left subtree's leaves.

    >>> split(2), split(5), split(8)
    (1, 4, 4)
    """
    return 1 << ((size - 1).bit_length() - 1)


def root(hashes: Sequence[bytes]) -> bytes:
    """Return the root over the hashes of leaves."""
    if not hashes:
        return EMPTY
    level = list(hashes)
    while len(level) > 1:  # an odd one out goes up as it is: the same tree as by splitting
        pairs = [node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(level) & ~1 :]
    return level[0]


def inclusion(index: int, size: int, hash_of: HashOf) -> list[bytes]:
    """Prove that leaf ``index`` is in the tree of ``size`` leaves.

    Raises: ``ValueError`` when it cannot be in it.
    """
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    return [hash_of(start, end) for start, end in _inclusion(index, 0, size)]


def _inclusion(index: int, start: int, end: int) -> list[tuple[int, int]]:
    if end - start == 1:
        return []
    middle = start + split(end - start)
    if index < middle:
        return [*_inclusion(index, start, middle), (middle, end)]
    return [*_inclusion(index, middle, end), (start, middle)]


def consistency(old: int, size: int, hash_of: HashOf) -> list[bytes]:
    """Prove that the tree of ``size`` leaves begins with the one of ``old``.

    Raises: ``ValueError`` when it cannot.
    """
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {size} does not begin with one of {old}")
    if old in (0, size):
        return []
    return [hash_of(start, end) for start, end in _consistency(old, 0, size, whole=True)]


def _consistency(old: int, start: int, end: int, *, whole: bool) -> list[tuple[int, int]]:
    """``whole``: the old tree is, up to here, one that the checker knows the root of."""
    if start + old == end:
        return [] if whole else [(start, end)]
    middle = start + split(end - start)
    if start + old <= middle:
        return [*_consistency(old, start, middle, whole=whole), (middle, end)]
    return [*_consistency(old - (middle - start), middle, end, whole=False), (start, middle)]


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes
) -> bool:
    """Tell whether a proof shows that the leaf of this hash is at ``index`` of a tree."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    return last == 0 and found == expected


def check_consistency(
    old: int, size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes
) -> bool:
    """Tell whether a proof shows that the tree of ``size`` begins with the one of ``old``."""
    if old == size or old == 0:
        return not proof and (old_root == new_root if old else old_root == EMPTY) and old <= size
    if old > size or not proof:
        return False
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, step)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def hashes_of(leaves: Sequence[bytes]) -> HashOf:
    """Answer for ranges of a tree whose leaves' hashes are all at hand."""
    return lambda start, end: root(leaves[start:end])


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """Hash entries as leaves."""
    return [leaf_hash(entry) for entry in entries]
