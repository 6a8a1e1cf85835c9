"""Catalogs that are lost and rebuilt, restored from a backup, or put back as they were."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from recorder.model.timebase import SECOND
from tests.fault.tree import Site, Tree
from tests.support.nodes import Node

NOTED_NS = 75 * SECOND
"""What was said so shortly before a catalog was lost may be in no store yet."""


@contextmanager
def _stopped(tree: Tree, why: str, *, clean: bool = True) -> Iterator[Site | None]:
    """Stop all nodes of a site, whose store and database stay; start them at the end."""
    site = tree.dice.choice(list(tree.sites.values()))
    needs = [f"store {site.name}", f"catalog {site.name}"]
    needs += [node.folder.name for node in site.nodes]
    needs += ["database"] if site.database else []
    with tree.taking(*needs) as free:
        if not free:
            yield None
            return
        tree.say(f"{site.name}: {why}")
        for node in site.nodes:
            if clean:
                node.stop(120)
            else:
                node.kill()
                tree.kill_ffmpegs(node)
        yield site
        for node in site.nodes:
            node.start()


def _files(node: Node) -> list[Path]:
    return sorted((node.folder / "data").glob("catalog.db*"))


def _rebuilt(tree: Tree, site: Site) -> None:
    """Rebuild on each node; the first try may be killed half way."""
    for node in site.nodes:
        if tree.dice.random() < 0.3:
            _killed(tree, node, "rebuild")
        done = node.run("rebuild", "--json")
        if "store adopt" in done.stderr:  # the last sign there is the other node's, which is dead
            node.run("store", "adopt", "main", "--yes")
            done = node.run("rebuild", "--json")
        assert tree.is_rebuilt(done), (node.folder, done.stdout, done.stderr)


def _killed(tree: Tree, node: Node, *argv: str) -> None:
    """Begin a command, and kill it."""
    patience = tree.dice.uniform(0.1, 1.5)
    tree.say(f"  {node.folder.name}: {argv[0]} killed after {patience:.1f} s")
    node.run_for(patience, *argv)


@contextmanager
def a_catalog_is_lost(tree: Tree) -> Iterator[None]:
    """All of a site's catalog is gone; it is rebuilt from the stores."""
    with ExitStack() as stack:
        site = stack.enter_context(_stopped(tree, "catalog lost", clean=tree.dice.random() < 0.5))
        if site is tree.centre and tree.renewed:
            tree.say("  (left: it was lost before)")
        elif site is not None:
            tree.renewed |= site is tree.centre
            tree.lost(site, time.time_ns() - NOTED_NS)
            if site.database:
                site.database = tree.postgres.database()
                site.set(catalog=site.database)
            for node in site.nodes:
                for path in _files(node):
                    path.unlink()
            _rebuilt(tree, site)
        yield
    if site is not None and site.camera is not None:
        tree.add_camera(site)


@contextmanager
def a_backup_is_made(tree: Tree) -> Iterator[None]:
    """A backup of a site's catalog is written while it runs."""
    site = tree.dice.choice(list(tree.sites.values()))
    _backed_up(tree, site)
    yield


def _backed_up(tree: Tree, site: Site) -> bool:
    needs = [f"catalog {site.name}", *(["database"] if site.database else [])]
    with tree.taking(*needs) as free:
        if not free:
            return False
        tree.say(f"{site.name}: backup")
        path = tree.folder / f"{site.name}-{len(site.backups)}.backup"
        if tree.dice.random() < 0.2:
            _killed(tree, site.node, "backup", str(path))
            path = path.with_name(f"{path.name}.again")
        done = site.node.run("backup", str(path))
        assert done.returncode == 0, (done.stdout, done.stderr)
        site.backups.append(path)
        return True


@contextmanager
def a_backup_is_restored(tree: Tree) -> Iterator[None]:
    """An old backup is put back; what was recorded since is found by a rebuild."""
    late = False
    with ExitStack() as stack:
        site = stack.enter_context(_stopped(tree, "backup restored"))
        if site is not None and site.backups:
            path = tree.dice.choice(site.backups)
            tree.lost(site, time.time_ns() - NOTED_NS)
            if tree.dice.random() < 0.3:
                _killed(tree, site.node, "restore", "--replace", str(path))
            done = site.node.run("restore", "--replace", str(path))
            assert done.returncode == 0, (done.stdout, done.stderr)
            late = tree.dice.random() < 0.5
            if late:
                tree.say("  started before the rebuild")
            else:
                _rebuilt(tree, site)
        yield
    if site is not None and late:
        _rebuilt(tree, site)
    if site is not None and site.camera is not None:
        tree.add_camera(site)


@contextmanager
def a_catalog_is_put_back(tree: Tree) -> Iterator[None]:
    """A catalog's file is put back as it was, and nobody rebuilds at once."""
    site = tree.dice.choice([tree.centre, tree.sites["post2"]])
    node = site.node
    needs = [f"store {site.name}", f"catalog {site.name}", node.folder.name]
    with tree.taking(*needs) as free:
        kept = tree.folder / f"{site.name}-image"
        back = free and kept.exists()
        if free:
            tree.say(f"{site.name}: catalog's file {'put back' if back else 'copied'}")
            node.stop(120)
            if back:
                tree.lost(site, time.time_ns() - NOTED_NS)
                for path in _files(node):
                    path.unlink()
                for path in kept.iterdir():
                    shutil.copy(path, node.folder / "data" / path.name)
                shutil.rmtree(kept)
            else:
                kept.mkdir()
                for path in _files(node):
                    shutil.copy(path, kept / path.name)
            node.start()
        yield
        if back:
            done = node.run("rebuild", "--json")
            assert tree.is_rebuilt(done), (node.folder, done.stdout, done.stderr)
    if back and site.camera is not None:
        tree.add_camera(site)


BREAKS = [
    (1, a_catalog_is_lost), (2, a_backup_is_made), (1, a_backup_is_restored),
    (1, a_catalog_is_put_back),
]  # fmt: skip
