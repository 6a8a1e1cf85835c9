"""Two machines of one image, site, catalog and all, never believe what was told to the other."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import NameTaken
from recorder.model.media import Copy
from recorder.model.timebase import SECOND
from recorder.sites.admitted import turned_away
from recorder.sites.link import Link
from recorder.sites.linked import LinkSettings
from recorder.sites.tree import show_tree
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.unit.test_told import NOW, STREAM, Parent, nothing, one_of

SEGMENTS = [one_of(STREAM, 60 * i) for i in range(2)]


class Tree:
    """A centre, and a post whose machine was copied with its data folder."""

    def __init__(self, folder: Path) -> None:
        self.centre = SqlCatalog("sqlite://", site="here")
        self.parent = Parent(self.centre, "\0", "c1")
        self.catalogs: list[SqlCatalog] = []
        self.folder = folder
        post = self.post("a")
        link = self.link(post)
        for one in SEGMENTS:
            post.commits.add_segment(one, "main", "", one.end)
        link.exchange()
        for one in SEGMENTS:
            self.centre.commits.add_segment(one, "main", "", NOW)
            post.commits.add_segment(one, "../main", "", NOW)
        for _ in range(3):
            link.exchange()
        post.close()
        shutil.copy(folder / "a.db", folder / "b.db")

    def post(self, name: str) -> SqlCatalog:
        one = SqlCatalog(f"sqlite:///{self.folder}/{name}.db", parent=True, site=STREAM.site)
        self.catalogs.append(one)
        return one

    def link(self, post: SqlCatalog, node: str = "n1") -> Link:
        settings = LinkSettings(STREAM.site, "post", "", catalog_id=lambda: "its", node=node)
        store, clock, parent = MemoryStore("main"), FakeClock(NOW), self.parent
        return Link(parent, post, store, clock, settings, nothing, nothing)  # type: ignore[arg-type]

    def later(self, seconds: float) -> None:
        self.parent.now += round(seconds * SECOND)

    def let_go(self, number: int) -> None:
        copy = Copy(SEGMENTS[number], "main")
        self.centre.deletion.condemn([copy], self.parent.now, [])
        self.centre.commits.forget([copy], "purged")

    def above(self, post: SqlCatalog) -> list[int]:
        """Return the numbers of what a post believes to lie above."""
        found = post.footage.copies(SEGMENTS)
        living = [
            [one for one in found[each.key] if one.at.above and not one.condemned_at]
            for each in SEGMENTS
        ]
        return [number for number, copies in enumerate(living) if copies]


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    one = Tree(tmp_path)
    yield one
    for each in (*one.catalogs, one.centre):
        each.close()


def refused(link: Link) -> str:
    with pytest.raises(NameTaken) as said:
        link.exchange()
    return f"{said.value}; {said.value.hint}"


def test_of_two_machines_that_speak_for_one_site_the_first_is_turned_away_and_both_say_so(
    tree: Tree,
) -> None:
    first, second = (tree.link(tree.post(name)) for name in "ab")
    first.exchange()
    tree.later(1)
    second.exchange()  # as one that was started anew would
    for _ in range(3):
        tree.later(1)
        assert "two machines speak by its name" in refused(first)
        tree.later(1)
        second.exchange()
    claim = turned_away(tree.centre, tree.parent.now)[STREAM.site]
    assert claim.twin
    found = show_tree(tree.centre, tree.parent.now)
    (shown,) = [one for one in found if one["site"] == STREAM.site]
    said: Any = shown["turned_away"]
    assert "copied?  Stop one of them" in said["advice"]
    assert "spoken" not in str(shown)


@pytest.mark.parametrize("quiet_s", [1, 30])
def test_what_the_other_was_told_meanwhile_is_believed_by_neither(
    tree: Tree, quiet_s: float
) -> None:
    posts = [tree.post(name) for name in "ab"]
    first, second = map(tree.link, posts)
    first.exchange()
    tree.let_go(0)
    for _ in range(2):  # it hears of it, and says so
        tree.later(1)
        second.exchange()
    assert tree.above(posts[1]) == [1]
    tree.later(quiet_s)
    if quiet_s < 10:
        refused(first)
        tree.later(30)
    first.exchange()
    assert tree.above(posts[0]) == [], "until it is told"


def test_nodes_of_one_site_take_turns_and_a_node_may_be_started_anew(tree: Tree) -> None:
    post = tree.post("a")
    one, other = tree.link(post, "n1"), tree.link(post, "n2")
    for speaks in (one, other, one, tree.link(post, "n1"), other, tree.link(post, "n1")):
        tree.later(1)
        speaks.exchange()
    assert tree.above(post) == [0, 1]
    assert turned_away(tree.centre, tree.parent.now) == {}
