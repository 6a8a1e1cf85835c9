"""Of what two nodes recorded at once is shown what can be read now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import StoreUnavailable
from recorder.model.media import Segment
from recorder.model.places import spool_of
from recorder.model.timebase import SECOND, TimeRange
from recorder.playback.frame import shown_at
from recorder.reading.reach import TOLD_S
from recorder.reading.view import View
from recorder.spool.disk import Spool
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0, segment


class Node:
    """Another node: it answers, or is dead."""

    def __init__(self) -> None:
        self.alive, self.asked = True, list[str]()

    def read(
        self, key: str, offset: int, length: int, avoid: str, hops: int = 1
    ) -> Iterator[bytes]:
        self.asked.append(key)
        if not self.alive:
            raise StoreUnavailable("refused")
        yield b"x" * length


class Site:
    """Node n3 of a site, where n1 and n2 record a critical stream; n1's last lies in its spool."""

    def __init__(self, folder: Path) -> None:
        self.catalog, self.clock = SqlCatalog("sqlite://"), FakeClock(T0 + 300 * SECOND)
        self.nodes = {spool_of("n1"): Node(), spool_of("n2"): Node()}
        self.first = [self.add(0, "n1", "main"), self.add(60, "n1", spool_of("n1"))]
        self.second = [self.add(10, "n2", "main"), self.add(70, "n2", "main")]
        self.view = View(
            self.catalog.footage, self.catalog.statuses, Spool(folder),
            {"main": MemoryStore("main")}, self.clock, STREAM.site, place=spool_of("n3"),
            remote=self.nodes.get,
        )  # fmt: skip

    def add(self, start_s: int, node: str, place: str) -> Segment:
        begin = T0 + start_s % 60 * SECOND
        one = segment(start_s, writer=f"{node}.1", span_start=begin)
        self.catalog.commits.add_segment(one, place, "", T0)
        return one

    def shown(self, start_s: float, end_s: float) -> list[str]:
        asked = TimeRange(T0 + round(start_s * SECOND), T0 + round(end_s * SECOND))
        with self.view.find(STREAM, asked) as found:
            return [one.segment.key for one in found.cut(asked)]

    def asked(self) -> list[str]:
        return [key for node in self.nodes.values() for key in node.asked]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.view.close()
    made.catalog.close()


def test_what_lies_with_a_dead_node_is_taken_from_the_other(site: Site) -> None:
    assert site.shown(80, 90) == [site.first[1].key], "the span that began first, while it answers"
    site.nodes[spool_of("n1")].alive = False
    site.clock.sleep(TOLD_S)
    assert site.shown(80, 90) == [site.second[1].key]
    assert site.shown(50, 80) == [site.first[0].key, site.second[0].key, site.second[1].key]
    at = T0 + 85 * SECOND
    with site.view.find(STREAM, TimeRange(at, at + 1)) as found:
        assert shown_at(found, at) == site.second[1], "so is a frame"
    site.nodes[spool_of("n1")].alive = True
    site.clock.sleep(TOLD_S)
    assert site.shown(80, 90) == [site.first[1].key], "it is back"


def test_a_place_is_asked_once_in_a_while_and_only_where_there_is_a_choice(site: Site) -> None:
    site.shown(20, 40)
    assert site.asked() == [], "a store of this node has both"
    for _ in range(3):
        site.shown(80, 90)
    assert site.asked() == [site.first[1].key]
    alone = site.add(200, "n1", spool_of("n1"))
    site.clock.sleep(TOLD_S)
    assert site.shown(210, 220) == [alone.key], "nobody else has it"
    assert len(site.asked()) == 1


def test_what_no_node_can_give_is_still_what_is_shown(site: Site) -> None:
    late = site.add(140, "n1", spool_of("n1")), site.add(150, "n2", spool_of("n2"))
    for node in site.nodes.values():
        node.alive = False
    assert site.shown(160, 170) == [late[0].key]
