"""The Merkle tree of the audit log, beside one that others wrote."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree
from pymerkle.proof import InvalidProof, verify_consistency, verify_inclusion

from recorder.audit.tiles import (
    WIDTH,
    Edge,
    edge_from_tiles,
    hashes_in,
    read_bundle,
    read_edge,
    read_tile,
    tile_path,
    write_bundle,
)
from recorder.audit.tree import (
    EMPTY,
    check_consistency,
    check_inclusion,
    consistency,
    hashes_of,
    inclusion,
    leaf_hashes,
    root,
)

sizes = st.integers(1, 70)


def entries(count: int) -> list[bytes]:
    return [b"entry %d" % number for number in range(count)]


def theirs(count: int) -> InmemoryTree:
    return InmemoryTree.init_from_entries(entries(count), algorithm="sha256")


def test_its_root_is_that_of_another_implementation() -> None:
    assert theirs(0).get_root() == EMPTY == root([])
    for size in range(1, 70):
        assert root(leaf_hashes(entries(size))) == theirs(size).get_root(), size


def test_the_vectors_of_certificate_transparency_hold() -> None:
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
              "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
    found = root(leaf_hashes([bytes.fromhex(one) for one in inputs]))
    assert found.hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_its_proofs_of_inclusion_are_those_of_another_implementation() -> None:
    for size in (1, 2, 3, 7, 8, 21):
        leaves, tree = leaf_hashes(entries(size)), theirs(size)
        for index in range(size):
            ours = inclusion(index, size, hashes_of(leaves))
            other = tree.prove_inclusion(index + 1)
            verify_inclusion(leaves[index], root(leaves), other)
            assert ours == other.path[1:], "theirs begins with the leaf itself"
            assert check_inclusion(leaves[index], index, size, ours, root(leaves))


def test_its_proofs_of_consistency_are_held_good_by_another_implementation() -> None:
    for size in (1, 2, 5, 8, 21):
        leaves, tree = leaf_hashes(entries(size)), theirs(size)
        for old in range(1, size + 1):
            other = tree.prove_consistency(old, size)
            verify_consistency(root(leaves[:old]), root(leaves), other)
            with pytest.raises(InvalidProof):
                verify_consistency(EMPTY, root(leaves), other)
            ours = consistency(old, size, hashes_of(leaves))
            assert check_consistency(old, size, ours, root(leaves[:old]), root(leaves))


@given(sizes, st.data())
def test_a_proof_that_was_changed_proves_nothing(size: int, data: st.DataObject) -> None:
    leaves = leaf_hashes(entries(size))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    hash_of, whole, before = hashes_of(leaves), root(leaves), root(leaves[:old])
    trials: list[tuple[list[bytes], Callable[[list[bytes]], bool]]] = [
        (
            inclusion(index, size, hash_of),
            lambda one: check_inclusion(leaves[index], index, size, one, whole),
        ),
        (
            consistency(old, size, hash_of),
            lambda one: check_consistency(old, size, one, before, whole),
        ),
    ]
    for proof, holds in trials:
        assert holds(proof)
        assert not holds([*proof, EMPTY])
        if proof:
            place = data.draw(st.integers(0, len(proof) - 1))
            assert not holds([*proof[:place], EMPTY, *proof[place + 1 :]])
            assert not holds(proof[:-1])


@given(sizes, st.data())
def test_no_other_root_is_proven(size: int, data: st.DataObject) -> None:
    leaves = leaf_hashes(entries(size))
    old = data.draw(st.integers(1, size))
    proof = consistency(old, size, hashes_of(leaves))
    other = [*leaves[: old - 1], EMPTY]
    assert not check_consistency(old, size, proof, root(other), root(leaves))


class Tiles:
    """What a growing tree writes, by name."""

    def __init__(self, count: int) -> None:
        self.edge, self.tiles = Edge(), dict[tuple[int, int], list[bytes]]()
        for leaf in leaf_hashes(entries(count)):
            for level, number, hashes in self.edge.add(leaf):
                self.tiles[level, number] = list(hashes)
        for level, number, hashes in self.edge.partial():
            self.tiles[level, number] = list(hashes)

    def __call__(self, level: int, number: int, width: int) -> Sequence[bytes]:
        return self.tiles[level, number][:width]


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 700, WIDTH * WIDTH, WIDTH * WIDTH + 300])
def test_the_tiles_of_a_tree_give_its_root_its_edge_and_its_proofs(size: int) -> None:
    tiles, leaves = Tiles(size), leaf_hashes(entries(size))
    assert tiles.edge.root() == root(leaves)
    assert edge_from_tiles(size, tiles) == tiles.edge
    assert read_edge(size, tiles.edge.write()) == tiles.edge
    chance, hash_of = random.Random(size), hashes_in(size, tiles)
    for _ in range(10 if size else 0):
        index, old = chance.randrange(size), chance.randrange(1, size + 1)
        proof = inclusion(index, size, hash_of)
        assert check_inclusion(leaves[index], index, size, proof, root(leaves))
        steps = consistency(old, size, hash_of)
        assert check_consistency(old, size, steps, root(leaves[:old]), root(leaves))


def test_an_edge_of_another_size_is_refused() -> None:
    written = Tiles(300).edge.write()
    for size in (0, 299, 301, 300 + WIDTH * WIDTH):
        with pytest.raises(ValueError, match="edge"):
            read_edge(size, written)


def test_tiles_are_named_and_bundles_written_as_others_read_them() -> None:
    assert tile_path(1, 1234067, 17) == "tile/1/x001/x234/067.p/17"
    assert write_bundle([b"a", b""]) == b"\x00\x01a\x00\x00"
    assert read_bundle(write_bundle(entries(9))) == entries(9)
    for cut in (b"\x00", b"\x00\x05abc"):
        with pytest.raises(ValueError, match="ends within"):
            read_bundle(cut)
    with pytest.raises(ValueError, match="no tile"):
        read_tile(b"x" * 33)
