"""What the site above asked for long ago and tells again undoes nothing that was changed since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.model.camera_document import parse_camera
from recorder.model.cameras import Camera
from recorder.model.timebase import HOUR, MINUTE
from recorder.ports import SiteBeat
from tests.support.keys import PassingKeys
from tests.unit.test_told import NOW, Parent, linked


def camera(url: str) -> Camera:
    return parse_camera("gate", {"url": url})


class Tree:
    """A post below a centre that asked it for a camera."""

    def __init__(self) -> None:
        self.centre = SqlCatalog("sqlite://", site="here", keys=PassingKeys())
        self.centre.sites.put(SiteBeat("post1", "post", "", NOW, {}))
        self.post = SqlCatalog("sqlite://", parent=True, site="post1", keys=PassingKeys())
        self.parent = Parent(self.centre, "\0", "c1")
        self.at = NOW - HOUR
        self.ask("rtsp://old/1")
        self.speak()

    def ask(self, url: str | None) -> None:
        self.at += MINUTE
        body = {"streams": {"main": {"url": url}}} if url else None
        self.centre.child_cameras.put("post1", "gate", body, "ann", self.at)

    def speak(self) -> None:
        link = linked(self.post, self.parent)
        for _ in range(2):
            link.exchange()

    def put_back(self) -> None:
        """Put the centre's catalog back: another identity, and all is told again."""
        self.parent = Parent(self.centre, "\0", f"{self.parent.catalog_id}+")
        self.speak()

    @property
    def url(self) -> str:
        found = self.post.cameras.get("gate")
        return found.streams["main"].url if found is not None else ""

    def close(self) -> None:
        self.centre.close()
        self.post.close()


@pytest.fixture
def tree() -> Iterator[Tree]:
    one = Tree()
    yield one
    one.close()


def test_a_camera_that_was_changed_here_since_stays_as_it_is(tree: Tree) -> None:
    assert tree.url == "rtsp://old/1"
    tree.post.cameras.put(camera("rtsp://new/1"), NOW, None)
    tree.put_back()
    assert tree.url == "rtsp://new/1", "recording would go dark"
    tree.ask("rtsp://newer/1")
    tree.speak()
    assert tree.url == "rtsp://newer/1", "what is asked for now counts"


def test_a_camera_that_was_removed_above_and_added_here_since_stays(tree: Tree) -> None:
    tree.ask(None)
    tree.speak()
    assert tree.url == ""
    tree.post.cameras.put(camera("rtsp://new/1"), NOW, None)
    tree.put_back()
    assert tree.url == "rtsp://new/1"
    tree.ask(None)
    tree.speak()
    assert tree.url == ""


def test_a_new_catalog_takes_no_old_wish_for_news_of_a_camera_that_it_has(tree: Tree) -> None:
    fresh = SqlCatalog("sqlite://", parent=True, site="post1", keys=PassingKeys())
    fresh.cameras.put(camera("rtsp://new/1"), NOW, None)  # a rebuild took it back
    before, tree.post = tree.post, fresh
    before.close()
    tree.centre.child_cameras.put("post1", "yard", {"streams": {}}, "ann", tree.at + 1)
    tree.speak()
    assert tree.url == "rtsp://new/1"
    tree.ask("rtsp://newer/1")
    tree.speak()
    assert tree.url == "rtsp://newer/1"


def test_what_a_site_between_passes_on_is_not_asked_for_anew(tree: Tree) -> None:
    tree.centre.sites.put(SiteBeat("below", "post", "", NOW, {"parent": "post1"}))
    body = {"streams": {"main": {"url": "rtsp://below/1"}}}
    tree.centre.child_cameras.put("below", "door", body, "ann", NOW)
    tree.speak()
    (first,) = tree.post.child_cameras.since()
    tree.put_back()
    assert tree.post.child_cameras.since() == [replace(first)]
