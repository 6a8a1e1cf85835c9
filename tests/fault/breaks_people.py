"""What people do while all that breaks: they look, they mend in haste, they ask for evidence."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise

import httpx

from recorder.model.timebase import SECOND, format_instant
from tests.fault.tree import Tree
from tests.support import media
from tests.support.nodes import Node

COMMANDS = (
    ("scrub",), ("check",), ("check", "--digest"), ("rebuild",), ("rebuild", "--keep"), ("doctor",),
    ("policy", "plan"), ("policy", "apply"), ("audit", "verify"), ("store", "usage"),
)  # fmt: skip


@contextmanager
def somebody_looks(tree: Tree) -> Iterator[None]:
    """A command is run on a node in the midst of it; it may say anything, and must not fail."""
    node = _running(tree)
    command = tree.dice.choice(COMMANDS)
    if node is not None:
        done = node.run(*command)
        tree.say(f"{node.folder.name}: {' '.join(command)}: {done.returncode}")
        assert "Traceback" not in done.stderr, done.stderr
    yield


def _shown(tree: Tree) -> tuple[Node, str, int] | None:
    """Return a node that runs, a camera that it shows, and when it showed it (ns)."""
    node = _running(tree)
    if node is None:
        return None
    camera = tree.dice.choice(tree.seen_from(node))
    shown = sorted(tree.shown.get((camera, tree.site_of(node).name), ()))
    return (node, camera, tree.dice.choice(shown) * SECOND // 5) if shown else None


@contextmanager
def footage_is_asked_for(tree: Tree) -> Iterator[None]:
    """A clip of what is shown: the frames in their order, or an error."""
    found = _shown(tree)
    if found is not None:
        node, camera, start = found
        end = start + round(tree.dice.uniform(1, 12) * SECOND)
        tree.say(f"{node.folder.name}: clip of {camera} at {format_instant(start, 1)[11:]}")
        path = tree.folder / "asked.mp4"
        with suppress(httpx.HTTPError):
            answer = node.clip("cam", start, end, site=camera)
            if answer.status_code == 200:
                path.write_bytes(answer.content)
                _in_order(media.read_numbers(path))
    yield


def _in_order(numbers: list[int]) -> None:
    """Where the camera's film begins again, and where frames are missing, numbers leap."""
    assert -1 not in numbers, "a frame that the camera never sent"
    back = [(a, b) for a, b in pairwise(numbers) if b < a and b > 50]
    assert not back, back


@contextmanager
def evidence_is_made(tree: Tree) -> Iterator[None]:
    """A bundle of what is shown: where it is made, it is verified."""
    found = _shown(tree)
    if found is not None:
        node, camera, start = found
        times = [format_instant(at) for at in (start, start + 8 * SECOND)]
        path = tree.folder / f"bundle-{time.monotonic_ns()}"
        argv = ["export", "create", "--camera", f"{camera}/cam", "--start", times[0], "--end",
                times[1], "--case", "17", "--purpose", "theft", "-o", str(path)]  # fmt: skip
        made = node.run(*argv)
        tree.say(f"{node.folder.name}: bundle of {camera}: {made.returncode}")
        assert "Traceback" not in made.stderr, made.stderr
        if made.returncode == 0:
            said = node.run("verify", str(path))
            assert said.returncode == 0, (path, said.stdout, said.stderr)
            shutil.rmtree(path)
    yield


def _running(tree: Tree) -> Node | None:
    nodes = [one for one in tree.nodes if one.process is not None]
    nodes = [one for one in nodes if one.folder.name not in tree.taken]
    return tree.dice.choice(nodes) if nodes else None


BREAKS = [(3, somebody_looks), (1, footage_is_asked_for), (1, evidence_is_made)]
