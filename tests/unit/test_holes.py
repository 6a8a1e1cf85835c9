"""After a rebuild no timeline shows as footage what is not there between two segments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from recorder.catalog.sql import SqlCatalog
from recorder.janitor.holes import say_holes
from recorder.janitor.vanished import check_sealed
from recorder.logbook.sealed import SealedLog
from recorder.model.camera_document import parse_camera
from recorder.model.causes import Cause
from recorder.model.media import Copy, Segment
from recorder.model.timebase import SECOND, TimeRange
from recorder.ports import AuditEntry
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import STREAM, T0, segment

ALL = TimeRange(0, 2 * T0)
MADE = [segment(60 * i, counter=i) for i in range(8)]


@pytest.fixture
def catalog() -> Iterator[SqlCatalog]:
    one = SqlCatalog("sqlite://", site=STREAM.site)
    yield one
    one.close()


def find(catalog: SqlCatalog, segments: Sequence[Segment], place: str = "main") -> None:
    assert catalog.rebuilding.put([(one, "") for one in segments], place, T0) == []


def gaps(catalog: SqlCatalog) -> list[tuple[int, int, str]]:
    return sorted(
        ((one.start - T0) // SECOND, (one.end - T0) // SECOND, one.cause)
        for one in catalog.footage.gaps(STREAM, ALL)
    )


def test_what_is_missing_between_segments_is_a_gap_by_the_log_s_last_word(
    catalog: SqlCatalog,
) -> None:
    find(catalog, [MADE[0], MADE[3], MADE[4], MADE[6], MADE[7]])
    catalog.audit.write(
        [
            AuditEntry(T0, action, STREAM, MADE[i].key, "main", MADE[i].range, 1, "all", "old", 1)
            for i, action in ((1, "condemn"), (2, "condemn"), (2, "spare"))
        ]
    )
    assert say_holes(catalog, STREAM.site, T0) == 2
    assert gaps(catalog) == [(60, 120, "purged"), (120, 180, "lost"), (300, 360, "lost")]
    assert say_holes(catalog, STREAM.site, T0) == 0, "it is said"


def test_what_turns_up_later_ends_the_gap(catalog: SqlCatalog) -> None:
    find(catalog, [MADE[0], MADE[3]])
    say_holes(catalog, STREAM.site, T0)
    assert gaps(catalog) == [(60, 180, "lost")]
    find(catalog, [MADE[1]], "archive")
    catalog.commits.add_segment(MADE[2], "spool:n1", "", T0)
    assert gaps(catalog) == []


def test_what_others_recorded_or_a_gap_says_or_is_of_another_site_is_no_hole(
    catalog: SqlCatalog,
) -> None:
    catalog.commits.add_segments(MADE, "main", T0)
    catalog.commits.forget([Copy(MADE[1], "main")], Cause.SPOOL_FULL)
    catalog.commits.forget([Copy(MADE[3], "main")], Cause.PURGED)
    other = replace(MADE[5], writer="n2.1", key=MADE[5].key.replace("n1.1", "n2.1"))
    catalog.commits.forget([Copy(MADE[5], "main")], Cause.PURGED)
    catalog.commits.add_segment(other, "main", "", T0)
    late = segment(480, counter=8, start=T0 + 481 * SECOND)
    catalog.commits.add_segment(late, "main", "", T0)  # follows, though a moment later
    assert say_holes(catalog, STREAM.site, T0) == 0
    below = SqlCatalog("sqlite://", site="centre")
    find(below, [MADE[0], MADE[3]])
    assert say_holes(below, "centre", T0) == 0, "its own site tells"
    below.close()


def test_of_a_stream_that_is_recorded_on_events_the_rest_is_no_event(catalog: SqlCatalog) -> None:
    find(catalog, [MADE[0], MADE[3]])
    camera = parse_camera(STREAM.camera, {"url": "rtsp://a/b", "record": "event"})
    say_holes(catalog, STREAM.site, T0, [camera])
    assert gaps(catalog) == [(60, 180, "no-event")]


def test_of_a_stream_with_an_object_that_is_not_given_nothing_is_said(catalog: SqlCatalog) -> None:
    find(catalog, [MADE[0], MADE[3]])
    unread = [MADE[1].key, "odd", MADE[2].key.replace(STREAM.camera, "yard")]
    assert say_holes(catalog, STREAM.site, T0, unread=unread) == 0
    assert gaps(catalog) == []
    assert say_holes(catalog, STREAM.site, T0, unread=unread[1:]) == 1


def test_a_parent_hears_of_the_gap() -> None:
    catalog = SqlCatalog("sqlite://", parent=True, site=STREAM.site)
    find(catalog, [MADE[0], MADE[3]])
    before, _ = catalog.outbox.depth()
    say_holes(catalog, STREAM.site, T0)
    assert catalog.outbox.depth()[0] == before + 1
    catalog.close()


def test_what_was_sealed_and_is_nowhere_is_found_though_it_is_a_gap_now() -> None:
    first, store = SqlCatalog("sqlite://", site=STREAM.site), MemoryStore("main")
    first.commits.add_segments(MADE, "main", 7)
    log = SealedLog(first, lambda: store, FakeClock(T0), STREAM.site, "n1")
    log.log()
    batches = list(log.batches())
    first.close()
    catalog = SqlCatalog("sqlite://", site=STREAM.site)
    find(catalog, [one for one in MADE if one is not MADE[2]])
    say_holes(catalog, STREAM.site, T0)
    (found,) = check_sealed(catalog, batches)
    assert (found.law, MADE[2].key in found.detail) == ("L11", True)
    catalog.close()
