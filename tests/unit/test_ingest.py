"""Sealed segments reach the catalog, whatever it does meanwhile; nothing waits for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from recorder import telemetry
from recorder.errors import CatalogUnavailable
from recorder.ingest.register import GATHER_S, MOST_AT_ONCE, Register
from recorder.ingest.waiting import Waiting
from recorder.model.camera_document import parse_camera
from recorder.model.events import Event
from recorder.model.media import Copy, Segment
from recorder.model.timebase import Instant
from recorder.patience import Patience
from recorder.threads import in_thread
from tests.support.clock import FakeClock
from tests.support.make import T0, segment

PLACE = "spool:n1"


class Catalog:
    """A catalog that notes what is asked of it, and refuses or hangs as told."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.forgotten: list[str] = []
        self.events: list[Event] = []
        self.refuses: Callable[[Sequence[Segment]], bool] = lambda _: False
        self.answers = threading.Event()
        self.answers.set()
        self.asked = threading.Event()

    def add_segments(self, segments: Sequence[Segment], place: str, at: Instant) -> None:
        self.asked.set()
        assert self.answers.wait(60)
        assert (place, at) == (PLACE, T0)
        if self.refuses(segments):
            raise CatalogUnavailable("catalog: away")
        self.batches.append([one.key for one in segments])

    def forget(self, copies: Sequence[Copy], cause: str) -> None:
        self.forgotten += [f"{one.segment.key} {one.place} {cause}" for one in copies]

    def add(self, event: Event, image: bytes | None) -> bool:
        self.events.append(event)
        return True

    @property
    def committed(self) -> list[str]:
        return [key for batch in self.batches for key in batch]


class Files:
    """A spool's sealed files; ``gone`` are not there."""

    def __init__(self) -> None:
        self.gone: set[str] = set()
        self.shed: set[str] = set()

    def was_shed(self, key: str) -> bool:
        return key in self.shed

    def path_of(self, key: str) -> Path | None:
        return None if key in self.gone else Path(key)


class Ingest:
    def __init__(self) -> None:
        self.catalog, self.files = Catalog(), Files()
        self.told: list[str] = []
        self.left: list[str] = []
        self.register = Register(
            self.catalog, self.catalog, self.files, FakeClock(T0), PLACE, lambda _: None, Waiting(),
            before=self._before, after=self._after,
        )  # fmt: skip

    def _before(self) -> None:
        if self.catalog.refuses([]):
            raise CatalogUnavailable("catalog: away")
        self.left.append("registered")

    def _after(self, one: Segment) -> None:
        assert one.key in self.catalog.committed, "told before it was committed"
        self.told.append(one.key)

    def offer(self, count: int) -> list[str]:
        made = [segment(60 * i, 60 * i + 60) for i in range(count)]
        for one in made:
            self.register.offer(one)
        return [one.key for one in made]


@pytest.fixture
def ingest() -> Iterator[Ingest]:
    one = Ingest()
    yield one
    one.catalog.answers.set()
    one.register.stop(60)


def test_a_catalog_that_hangs_keeps_no_seal_waiting_and_gets_all_when_it_answers(
    ingest: Ingest,
) -> None:
    ingest.catalog.answers.clear()
    ingest.register.start()
    first = ingest.offer(1)
    assert ingest.catalog.asked.wait(60)
    rest = ingest.offer(100)  # returns although the catalog hangs
    assert [one.key for one in ingest.register.waiting] == first + rest
    assert ingest.told == []
    ingest.catalog.answers.set()
    assert ingest.register.stop(60)
    assert ingest.catalog.committed == ingest.told == first + rest
    assert len(ingest.catalog.batches) <= 1 + 1 + 100 // MOST_AT_ONCE, "many in one transaction"


def test_what_cameras_end_at_one_second_is_one_transaction(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = (segment(60 * i, 60) for i in range(5))
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        """Others are sealed meanwhile."""
        for one in () if waited else others:
            ingest.register.offer(one)
        waited.append(seconds)
        return False

    monkeypatch.setattr(ingest.register._ended, "wait", wait)
    ingest.register._before = None
    ingest.register.offer(first)
    ingest.register.start()
    assert ingest.catalog.asked.wait(60)
    assert ingest.register.stop(60)
    assert ingest.catalog.batches == [[one.key for one in (first, *others)]]
    assert waited[0] == GATHER_S


def test_what_the_catalog_refuses_stays_queued_in_its_order(ingest: Ingest) -> None:
    keys = ingest.offer(3)
    ingest.catalog.refuses = lambda _: True
    for _ in range(3):
        with pytest.raises(CatalogUnavailable):
            ingest.register.step()
    assert [one.key for one in ingest.register.waiting] == keys
    assert ingest.told == []
    ingest.catalog.refuses = lambda _: False
    ingest.register.step()
    assert ingest.catalog.committed == ingest.told == keys
    assert ingest.register.waiting == []


def test_a_segment_that_is_always_refused_keeps_no_other_out(ingest: Ingest) -> None:
    keys = ingest.offer(10)
    ingest.catalog.refuses = lambda some: any(one.key == keys[0] for one in some)
    ingest.register._stopping = True  # so that nothing is waited for between two tries
    for _ in range(60):
        try:
            ingest.register.step()
        except CatalogUnavailable as exc:
            ingest.register._put_off(str(exc))
    assert sorted(ingest.catalog.committed) == sorted(keys[1:])
    assert [one.key for one in ingest.register.waiting] == keys[:1]
    assert ingest.register.refused
    assert telemetry.CATALOG_REFUSING._value.get() == 1
    ingest.catalog.refuses = lambda _: False
    ingest.register.step()
    assert not ingest.register.refused
    assert telemetry.CATALOG_REFUSING._value.get() == 0


def test_what_earlier_processes_left_is_registered_first(ingest: Ingest) -> None:
    keys = ingest.offer(1)
    ingest.catalog.refuses = lambda some: not some  # of the leftovers alone
    with pytest.raises(CatalogUnavailable):
        ingest.register.step()
    assert ingest.catalog.batches == []
    ingest.catalog.refuses = lambda _: False
    ingest.register.step()
    ingest.register.step()
    assert ingest.left == ["registered"]
    assert ingest.catalog.committed == keys


def test_a_file_that_has_left_the_spool_is_not_committed(ingest: Ingest) -> None:
    keys = ingest.offer(2)
    ingest.files.gone = {keys[0]}
    ingest.register.step()
    assert ingest.catalog.committed == ingest.told == keys[1:]
    assert ingest.catalog.forgotten == []


def test_a_file_that_was_shed_before_it_was_committed_is_a_gap_that_says_so(ingest: Ingest) -> None:
    keys = ingest.offer(2)
    ingest.files.gone = ingest.files.shed = {keys[0]}
    ingest.register.step()
    assert ingest.catalog.committed == keys
    assert ingest.catalog.forgotten == [f"{keys[0]} {PLACE} spool-full"]


def test_a_file_that_leaves_while_it_is_committed_leaves_no_copy_behind(ingest: Ingest) -> None:
    (key,) = ingest.offer(1)

    def shed(some: Sequence[Segment]) -> bool:
        ingest.files.gone = {one.key for one in some}
        return False

    ingest.catalog.refuses = shed
    ingest.register.step()
    assert ingest.catalog.forgotten == [f"{key} {PLACE} spool-full"]


def test_while_the_catalog_is_away_stopping_waits_for_nothing(ingest: Ingest) -> None:
    ingest.catalog.refuses = lambda _: True
    ingest.register.start()
    ingest.offer(2)
    assert not ingest.register.stop(20)
    assert len(ingest.register.waiting) == 2
    assert ingest.register._thread is not None
    assert not ingest.register._thread.is_alive()


def test_activity_makes_events_only_where_the_camera_says_so() -> None:
    one = Ingest()
    body = {"url": "rtsp://10.0.0.1/x", "record": "event", "activity": "events"}
    camera = parse_camera("cam", body)
    lively = segment(0, 60, activity=bytes([0] * 20 + [255] * 10))
    for document, wanted in ((None, False), (camera, True)):
        one.catalog.events.clear()
        one.register.cameras = lambda _, document=document: document  # type: ignore[misc]
        one.register.offer(lively)
        one.register.step()
        assert bool(one.catalog.events) is wanted


def test_who_asks_what_hangs_waits_no_longer_than_it_likes() -> None:
    async def ask() -> None:
        hangs, ends = threading.Event(), threading.Event()

        def question() -> str:
            hangs.wait(60)
            ends.set()
            raise CatalogUnavailable("too late for anybody")

        patience = Patience("reconcile", 0.05)
        with pytest.raises(CatalogUnavailable, match=r"no answer within 0\.05 s"):
            await patience.ask(question)
        with pytest.raises(CatalogUnavailable, match="has not answered yet"):
            await patience.ask(lambda: "asked behind one that hangs")
        hangs.set()
        assert await in_thread("wait", ends.wait, 60)
        assert patience._asked is not None
        await asyncio.wait({patience._asked})
        assert await Patience("other", 60).ask(lambda: 7) == 7
        assert await patience.ask(lambda: "well again") == "well again"

    asyncio.run(ask())


def test_work_that_hangs_keeps_no_process_from_ending() -> None:
    async def leave() -> None:
        task = in_thread("hangs", threading.Event().wait)
        await asyncio.sleep(0)
        assert [one.daemon for one in threading.enumerate() if one.name == "hangs"] == [True]
        task.cancel()

    asyncio.run(leave())
