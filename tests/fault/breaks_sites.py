"""What happens to whole sites and machines: moved, copied, replaced, with a wrong clock, full."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager

import yaml

from recorder.model.timebase import DAY, SECOND
from tests.fault.breaks_catalogs import NOTED_NS
from tests.fault.tree import Site, Tree, policy
from tests.support.disk import fill
from tests.support.nodes import Node
from tests.support.ports import until


def _needs(site: Site) -> list[str]:
    names = [f"store {site.name}", f"catalog {site.name}", f"line {site.name}"]
    return [*names, *(node.folder.name for node in site.nodes)]


@contextmanager
def a_post_moves(tree: Tree) -> Iterator[None]:
    """A post is given another parent, and after a while the old one again."""
    site = tree.sites["post2"]
    with tree.taking(*_needs(site), "policy", "other centre") as free:
        if free:
            tree.say("post2 moves to another parent")
            begun = time.time_ns() - 2 * (SECOND * 70)
            other = tree.other_centre()
            site.node.stop(120)
            site.set(parent=f"http://127.0.0.1:{other.port}")
            site.node.start()
        yield
        if free:
            tree.say("post2 moves back")
            site.node.stop(120)
            assert site.line is not None
            site.set(parent=f"http://127.0.0.1:{site.line.port}")
            site.node.start()
            other.stop(120)
            if tree.short:  # what went there alone is there alone
                tree.promises.shed.append(("post2", begun, time.time_ns()))


@contextmanager
def a_machine_is_copied(tree: Tree) -> Iterator[None]:
    """The image of a machine is started beside it, for a while."""
    site = tree.sites["post2"]
    node = site.node
    with tree.taking(*_needs(site), "camera post2") as free:
        copy = None
        if free:
            tree.say("m1 is copied, and both run")
            node.stop(120)
            copy = _copy_of(node, tree)
            node.start()
            copy.start()
            tree.copied = True
        yield
        if copy is not None:
            tree.say("the copy of m1 ends")
            copy.stop(120)
            copy.close()
            shutil.rmtree(copy.folder)
            done = node.run("rebuild", "--json")
            assert tree.is_rebuilt(done), (done.stdout, done.stderr)


def _copy_of(node: Node, tree: Tree) -> Node:
    copy = Node(tree.folder / f"m1-copy-{time.monotonic_ns()}")
    shutil.copytree(node.folder / "data", copy.folder / "data")
    body = yaml.safe_load(node.config.read_text())
    body |= {"data": str(copy.folder / "data"), "api": {"listen": f"127.0.0.1:{copy.port}"}}
    copy.config.write_text(yaml.safe_dump(body))
    copy.env = dict(node.env)
    return copy


@contextmanager
def a_machine_is_replaced(tree: Tree) -> Iterator[None]:
    """A post's only machine is gone, all but the store; a new one takes its place."""
    site = tree.sites["post2"]
    node = site.node
    with tree.taking(*_needs(site)) as free:
        lost = False
        if free:
            tree.say("post2: another machine takes its place")
            node.stop(120)
            spool = node.spool
            lost = not [*(spool / "sealed").rglob("*.mp4"), *(spool / "open").rglob("*.mp4")]
            if lost:
                tree.lost(site, time.time_ns() - NOTED_NS)
                shutil.rmtree(node.folder / "data")
                for command in (("store", "adopt", "main", "--yes"), ("rebuild", "--json")):
                    done = node.run(*command)
                    assert done.returncode == 0, (command, done.stdout, done.stderr)
            node.start()
        yield
    if lost:
        tree.add_camera(site)


@contextmanager
def the_centre_burns_down(tree: Tree) -> Iterator[None]:
    """Nothing of the centre is left; a new one takes its name and address."""
    site = tree.centre
    with tree.taking(*_needs(site), "policy", *(f"store {one.name}" for one in tree.posts)) as free:
        gone = free and not (tree.short or tree.damaged or tree.renewed)
        if gone:
            tree.renewed = True
            tree.say("the centre burns down")
            site.node.kill()
            shutil.rmtree(site.node.folder / "data")
            shutil.rmtree(site.store)
            site.backups.clear()
            shutil.rmtree(tree.folder / "centre-image", ignore_errors=True)
            tree.lost(site, 0)
            for post in tree.posts:
                tree.shown.pop((post.name, "centre"), None)
            site.node.start()
            until(lambda: tree.put("/api/v1/policy", policy(tree.short)), 30, "a policy")
        yield


@contextmanager
def a_clock_leaps(tree: Tree) -> Iterator[None]:
    """A clock is off by days, either way, and right again; the one of nodes that do not record."""
    with tree.taking("clock", "catalog centre") as free:
        if free:
            shift = tree.dice.choice([-1, 1]) * round(tree.dice.choice([0.02, 3, 200]) * DAY)
            tree.say(f"the clock of the centre leaps by {shift / DAY:g} d")
            tree.clock.set(shift)
        yield
        if free:
            tree.say("the clock is right again")
            tree.clock.set(0)


@contextmanager
def a_spool_is_full(tree: Tree) -> Iterator[None]:
    """The disk under a node's spool has no byte left."""
    node = tree.sites["post1"].nodes[1]
    with tree.taking("disk n2") as free:
        filler = None
        if free and tree.small_disk is not None:
            tree.say(f"the spool of {node.folder.name} is full")
            tree.filled = True
            filler = fill(tree.small_disk)
        yield
        if filler is not None:
            filler.unlink()


BREAKS = [
    (1, a_post_moves), (1, a_machine_is_copied), (1, a_machine_is_replaced),
    (1, the_centre_burns_down), (2, a_clock_leaps), (1, a_spool_is_full),
]  # fmt: skip
