"""Whatever breaks, in whatever order: what must be kept is there, and all is sound.

``FAULT_SEED`` and ``FAULT_ROUNDS`` try another order, or for longer; ``FAULT_ONLY`` names breaks,
with commas between, that alone happen.  Half of all seeds let policy delete within the test.

What was found by it, and what was breaking: copies damaged in the spool with their object (2), a
copied machine that wrote over the original's objects (21), chains of links that part (13), a full
disk that kept a node from looking at its cameras, and others from recording them (11, 14), a clock
that leapt by 200 days, whereupon a node did nothing for minutes (18), footage that was nowhere and
shown, for the parent had let it go first (18, 41), a check beside a purge (41).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.fault import (
    breaks_catalogs,
    breaks_documents,
    breaks_nodes,
    breaks_people,
    breaks_sites,
    breaks_stores,
)
from tests.fault.judging import all_is_sound, is_whole
from tests.fault.tree import Tree
from tests.support.postgres import Postgres

Break = Callable[[Tree], AbstractContextManager[None]]

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "5"))
ONLY = os.environ.get("FAULT_ONLY", "")
ROOMS = (
    breaks_nodes,
    breaks_stores,
    breaks_catalogs,
    breaks_sites,
    breaks_documents,
    breaks_people,
)
BREAKS: list[Break] = [
    one for room in ROOMS for weight, one in room.BREAKS for _ in range(weight)
    if not ONLY or one.__name__ in ONLY.split(",")
]  # fmt: skip


def one_round(tree: Tree) -> None:
    """Let up to four things happen, one within another, each for some seconds, and end."""
    dice = tree.dice
    with contextlib.ExitStack() as stack:
        for _ in range(dice.choice([1, 2, 3, 3, 4])):
            stack.enter_context(dice.choice(BREAKS)(tree))
            tree.watch(dice.uniform(0.5, 7))
    tree.watch(dice.uniform(0.5, 4))


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """One that may die."""
    one = Postgres().start()
    yield one
    one.stop()


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [int(os.environ.get("FAULT_SEED", "1"))])
def test_what_must_be_kept_stays_whatever_breaks(
    seed: int, own_postgres: Postgres, h264_file: Path, tmp_path: Path
) -> None:
    tree = Tree(tmp_path, own_postgres, h264_file, seed)
    try:
        tree.start()
        for number in range(ROUNDS):
            one_round(tree)
            tree.revive()
            is_whole(tree)
            print(f"round {number}: {[(*key, len(one)) for key, one in tree.shown.items()]}",
                  flush=True)  # fmt: skip
        all_is_sound(tree, tmp_path)
    finally:
        tree.close()
