"""Entries are written before anything goes on, many at a time, and each look once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from recorder.audit.entry import Entry, Subject, read_entry
from recorder.errors import AuditUnavailable, BadDocument, CatalogUnavailable, StateError
from recorder.logbook.book import PLAYBACK, Book
from recorder.logbook.looks import SESSION_S
from recorder.model.timebase import MINUTE, SECOND, TimeRange
from recorder.ports import AskedEntries
from tests.support.clock import FakeClock
from tests.support.logs import ANA, House
from tests.support.make import STREAM, T0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House(tmp_path)
    yield one
    one.catalog.close()


class Held:
    """A log whose first transaction takes as long as it is let; counts them."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.batches: list[int] = []
        self.error: Exception | None = None

    def write(self, entries: Sequence[Entry]) -> None:
        if any(one.action == "bad" for one in entries):
            raise BadDocument("no")
        self.batches.append(len(entries))
        if len(self.batches) == 1:
            self.begun.set()
            assert self.go_on.wait(20)
        if self.error is not None:
            raise self.error

    def search(self, asked: AskedEntries, limit: int) -> list[object]:
        raise NotImplementedError


def test_a_password_that_somebody_typed_where_none_belongs_is_in_no_entry(house: House) -> None:
    url = "rtsp://u:secret@10.0.0.7/x"
    book, ana = Book(house.catalog.audit_log, FakeClock(T0)), replace(ANA, purpose=f"see {url}")
    with pytest.raises(StateError), book.doing(ana, "hold.add", Subject(name=url), case=url):
        raise StateError(f"no hold {url!r}")
    rows = house.catalog.audit_log.search(AskedEntries(), 9)
    assert [b"secret" in one.raw for one in rows] == [False, False]
    assert all(b"10.0.0.7" in one.raw for one in rows)


def test_who_waits_goes_into_one_transaction_with_the_others() -> None:
    log = Held()
    book = Book(log, FakeClock(T0))  # type: ignore[arg-type]
    threads = [threading.Thread(target=book.note, args=(ANA, f"a.{n}")) for n in range(20)]
    threads[0].start()
    assert log.begun.wait(20)
    for one in threads[1:]:
        one.start()
    while len(book._queue) < 19:
        pass
    log.go_on.set()
    for one in threads:
        one.join(20)
    assert log.batches == [1, 19]


def test_an_entry_that_cannot_be_stored_keeps_no_other_from_it() -> None:
    log = Held()
    book = Book(log, FakeClock(T0))  # type: ignore[arg-type]
    refused: list[Exception] = []

    def bad() -> None:
        try:
            book.note(ANA, "bad")
        except AuditUnavailable as exc:
            refused.append(exc)

    first = threading.Thread(target=book.note, args=(ANA, "a.b"))
    first.start()
    assert log.begun.wait(20)
    others = [threading.Thread(target=bad), threading.Thread(target=book.note, args=(ANA, "a.c"))]
    for one in others:
        one.start()
    while len(book._queue) < 2:
        pass
    log.go_on.set()
    for one in (first, *others):
        one.join(20)
    assert len(refused) == 1
    assert log.batches == [1, 1]


def test_nothing_goes_on_without_its_entry_unless_the_operator_says_so() -> None:
    log = Held()
    log.go_on.set()
    log.error = CatalogUnavailable("away")
    clip = TimeRange(T0, T0 + MINUTE)
    book = Book(log, FakeClock(T0))  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(AuditUnavailable, match=r"footage\.clip: the audit log cannot"):
            book.look(ANA, "footage.clip", STREAM, clip)
    done: list[int] = []
    with pytest.raises(AuditUnavailable), book.doing(ANA, "hold.add"):
        done.append(1)
    assert not done
    Book(log, FakeClock(T0), required=False).look(ANA, "footage.clip", STREAM, clip)  # type: ignore[arg-type]


def test_nobody_looks_on_the_strength_of_an_entry_that_is_not_written_yet() -> None:
    log, clip, seen = Held(), TimeRange(T0, T0 + MINUTE), threading.Event()
    book = Book(log, FakeClock(T0))  # type: ignore[arg-type]

    def look() -> None:
        book.look(ANA, "footage.clip", STREAM, clip)
        seen.set()

    threads = [threading.Thread(target=look) for _ in range(2)]
    threads[0].start()
    assert log.begun.wait(20)
    threads[1].start()  # the player asks again
    assert not seen.wait(0.2)
    log.go_on.set()
    for one in threads:
        one.join(20)
    assert seen.is_set()
    assert sum(log.batches) == 2


def test_what_fails_after_its_entry_is_said_to_have_failed(house: House) -> None:
    book = Book(house.catalog.audit_log, house.clock)
    with (
        pytest.raises(StateError),
        book.doing(ANA, "policy.set", Subject(name="policy"), version=3),
    ):
        raise StateError("changed since")
    found = house.catalog.audit_log.search(AskedEntries(), 9)
    said = [(read_entry(one.raw).result, dict(read_entry(one.raw).details)) for one in found]
    assert said == [("failed", {"reason": "changed since"}), ("allowed", {"version": 3})]


def looked(house: House) -> int:
    return len(house.catalog.audit_log.search(AskedEntries(action="footage"), 999))


def test_a_player_that_asks_again_is_one_look(house: House) -> None:
    book, clip = Book(house.catalog.audit_log, house.clock), TimeRange(T0, T0 + MINUTE)
    for _ in range(5):
        book.look(ANA, "footage.clip", STREAM, clip)
        house.clock.sleep(SESSION_S - 1)
    assert looked(house) == 1
    book.look(replace(ANA, name="ben"), "footage.clip", STREAM, clip)
    book.look(ANA, "footage.clip", replace(STREAM, camera="other"), clip)
    book.look(ANA, "footage.clip", STREAM, TimeRange(T0, T0 + 2 * MINUTE))
    assert looked(house) == 4
    house.clock.sleep(SESSION_S + 1)
    book.look(ANA, "footage.clip", STREAM, clip)
    assert looked(house) == 5


def test_a_live_view_is_one_look_however_long_it_lasts(house: House) -> None:
    book = Book(house.catalog.audit_log, house.clock)
    for minute in range(30):
        now = T0 + minute * MINUTE
        asked = TimeRange(now - MINUTE, now + MINUTE)
        book.look(ANA, PLAYBACK, STREAM, asked, live=True)
        part = TimeRange(now - 4 * SECOND, now)
        book.look_within(ANA, "footage.object", STREAM, part, TimeRange(now - MINUTE, now))
        house.clock.sleep(60)
    assert looked(house) == 1


def test_bytes_that_no_playlist_led_to_are_a_look_of_their_own(house: House) -> None:
    book, hour = Book(house.catalog.audit_log, house.clock), TimeRange(T0, T0 + 60 * MINUTE)
    for second in range(0, 600, 4):
        part = TimeRange(T0 + second * SECOND, T0 + (second + 4) * SECOND)
        book.look_within(ANA, "footage.object", STREAM, part, hour)
    assert looked(house) == 1
