"""What happens to nodes, cameras, lines and databases, for a while."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from tests.fault.tree import Tree
from tests.support.nodes import Node


def _any(tree: Tree, nodes: list[Node]) -> Node:
    free = [node for node in nodes if node.folder.name not in tree.taken]
    return tree.dice.choice(free or nodes)


@contextmanager
def _taken(tree: Tree, said: str, away: Callable[[Node], object], back: Callable[[Node], object]
           ) -> Iterator[None]:  # fmt: skip
    """Do something to a node that nobody else has, and undo it at the end."""
    node = _any(tree, tree.nodes)
    with tree.taking(node.folder.name) as free:
        taken = free and node.process is not None
        if taken:
            tree.say(f"{node.folder.name} {said}")
            away(node)
        yield
        if taken:
            back(node)


def a_node_dies(tree: Tree) -> AbstractContextManager[None]:
    """SIGKILL of a recorder, with its ffmpegs or without."""

    def kill(node: Node) -> None:
        node.kill()
        if tree.dice.random() < 0.5:
            tree.kill_ffmpegs(node)

    return _taken(tree, "dies", kill, Node.start)


def a_node_is_stopped(tree: Tree) -> AbstractContextManager[None]:
    """SIGTERM of a recorder."""
    return _taken(tree, "is stopped", lambda node: node.stop(120), Node.start)


def a_node_hangs(tree: Tree) -> AbstractContextManager[None]:
    """SIGSTOP of a recorder."""

    def tell(number: signal.Signals) -> Callable[[Node], object]:
        return lambda node: node.process and node.process.send_signal(number)

    return _taken(tree, "hangs", tell(signal.SIGSTOP), tell(signal.SIGCONT))


@contextmanager
def its_ffmpegs_die(tree: Tree) -> Iterator[None]:
    """SIGKILL of what records."""
    node = _any(tree, tree.nodes)
    tree.say(f"{node.folder.name}: ffmpegs die")
    tree.kill_ffmpegs(node)
    yield


@contextmanager
def a_camera_hangs(tree: Tree) -> Iterator[None]:
    """A camera sends nothing for a while."""
    site = tree.dice.choice(tree.posts)
    assert site.camera is not None
    with tree.taking(f"camera {site.name}") as free:
        if free:
            tree.say(f"camera of {site.name} hangs")
            site.camera.pause()
        yield
        if free:
            site.camera.resume()


@contextmanager
def a_line_is_bad(tree: Tree) -> Iterator[None]:
    """A line to the centre is cut, hangs, is slow, or loses the answers."""
    site = tree.dice.choice(tree.posts)
    assert site.line is not None
    with tree.taking(f"line {site.name}") as free:
        if free:
            mode = tree.dice.choice(["refuse", "hang", "error", "truncate", "unanswered", "slow"])
            tree.say(f"line of {site.name}: {mode}")
            site.line.set(mode)
        yield
        if free:
            site.line.set("ok")


@contextmanager
def the_database_dies(tree: Tree) -> Iterator[None]:
    """PostgreSQL is stopped at once, and started again."""
    with tree.taking("database") as free:
        if free:
            tree.say("database dies")
            tree.postgres.pause()
        yield
        if free:
            tree.postgres.resume()


@contextmanager
def the_database_hangs(tree: Tree) -> Iterator[None]:
    """Every process of PostgreSQL is stopped, and goes on."""
    with tree.taking("database") as free:
        pids = _processes(tree.postgres.folder / "data") if free else []
        if free:
            tree.say("database hangs")
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        yield
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _processes(data: Path) -> list[int]:
    """Return the server's first process, and those it forked."""
    first = int((data / "postmaster.pid").read_text().split()[0])
    forked = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    return [first, *map(int, forked)]


@contextmanager
def a_data_folder_is_lost(tree: Tree) -> Iterator[None]:
    """A node of several that stored all it had is stopped; another machine takes its place."""
    node = _any(tree, tree.sites["post1"].nodes)
    needs = (node.folder.name, "database", "store post1")
    with tree.taking(*needs) as free:
        lost = False
        if free:
            tree.say(f"{node.folder.name}: data folder lost")
            node.stop(120)
            spool = node.spool
            left = [*(spool / "sealed").rglob("*.mp4"), *(spool / "open").rglob("*.mp4")]
            lost = not left
            if lost:
                shutil.rmtree(node.folder / "data", ignore_errors=True)
                for path in spool.iterdir() if spool.exists() else ():
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
            else:
                tree.say(f"  (left, for it has what is not stored: {left[0].relative_to(spool)})")
        yield
        if free:
            node.start()
        if free and lost:  # nobody else knows that the old disk does not come back
            assert node.run("check", "--lose-missing").returncode in (0, 65)


BREAKS = [
    (2, a_node_dies), (2, a_node_is_stopped), (1, a_node_hangs), (1, its_ffmpegs_die),
    (1, a_camera_hangs), (2, a_line_is_bad), (1, the_database_dies), (1, the_database_hangs),
    (1, a_data_folder_is_lost),
]  # fmt: skip
