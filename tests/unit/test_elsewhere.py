"""Footage that another node of the site still writes is about to come; it is no gap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.errors import HasGaps, NoFootage, NotYet
from recorder.model.camera_document import parse_camera
from recorder.model.causes import NOT_YET
from recorder.model.places import spool_of
from recorder.model.timebase import SECOND, TimeRange
from recorder.ports import StreamStatus
from recorder.reading.absent import explained, look, refuse_gaps
from recorder.reading.named import Named
from recorder.reading.view import View
from recorder.spool.disk import Spool
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0, segment

CAMERA = parse_camera(STREAM.camera, {"url": "rtsp://h/1"})
NAMED = Named(STREAM, CAMERA)


class Site:
    """Node n1 of a site where n2 records: sealed up to a minute ago, and going on."""

    def __init__(self, folder: Path) -> None:
        self.catalog, self.clock = SqlCatalog("sqlite://"), FakeClock(T0 + 120 * SECOND)
        self.catalog.commits.add_segment(segment(0, 60), "main", "", T0)
        self.view = View(
            self.catalog.footage, self.catalog.statuses, Spool(folder),
            {"main": MemoryStore("main")}, self.clock, STREAM.site, place=spool_of("n1"),
        )  # fmt: skip
        self.state("recording")

    def state(self, state: str, node: str = "n2") -> None:
        now = self.clock.now()
        self.catalog.statuses.put([StreamStatus(STREAM, node, state, "source", "", "", T0, now)])

    def close(self) -> None:
        self.view.close()
        self.catalog.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def ago(site: Site, start_s: int, end_s: int) -> TimeRange:
    now = site.clock.now()
    return TimeRange(now - start_s * SECOND, now - end_s * SECOND)


@pytest.mark.parametrize("asked", [(90, 30), (90, 0), (90, 50)])
def test_what_another_node_may_still_write_is_about_to_come(
    site: Site, asked: tuple[int, int]
) -> None:
    missing = look(site.view, NAMED, ago(site, *asked))
    assert [gap.cause for gap in missing.gaps] == [NOT_YET]
    assert missing.gaps[0].range.start == T0 + 60 * SECOND
    with pytest.raises(NotYet) as caught:
        refuse_gaps(site.view, NAMED, missing)
    assert (caught.value.http_status, caught.value.retryable) == (503, True)
    line = site.view.timeline(STREAM, ago(site, *asked), CAMERA)
    assert [span.open for span in line.spans] == [True]


def test_a_clip_or_frame_of_it_alone_is_not_there_yet(site: Site) -> None:
    asked = ago(site, 40, 30)
    with pytest.raises(NotYet), explained(site.view, NAMED, asked):
        site.view.find_some(STREAM, asked)


def test_what_a_later_segment_shows_to_be_missing_is_a_gap(site: Site) -> None:
    later = replace(segment(90, 20), span_start=T0 + 90 * SECOND, gap_cause="source")
    site.catalog.commits.add_segment(later, "main", "", T0)
    missing = look(site.view, NAMED, ago(site, 90, 40))
    assert [str(gap.cause) for gap in missing.gaps] == ["source"]
    with pytest.raises(HasGaps):
        refuse_gaps(site.view, NAMED, missing)


@pytest.mark.parametrize("why", ["it stopped", "it is silent", "it is long ago", "it is ours"])
def test_it_is_a_gap_when_nobody_writes_it(site: Site, why: str) -> None:
    asked = ago(site, 90, 30)
    if why == "it stopped":
        site.state("failing")
    elif why == "it is silent":
        site.clock.sleep(16)
    elif why == "it is ours":
        site.state("recording", "n1")
    else:
        site.clock.sleep(150)
        site.state("recording")
    missing = look(site.view, NAMED, asked)
    assert missing.lasting, why
    with pytest.raises(NoFootage), explained(site.view, NAMED, ago(site, 40, 30)):
        site.view.find_some(STREAM, ago(site, 40, 30))
