"""Legal holds in a store stay while anybody who is known, or may be there, needs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recorder.app import App
from recorder.catalog.sql import SqlCatalog
from recorder.config import Settings
from recorder.errors import StoreUnavailable
from recorder.janitor.protect import Protector
from recorder.jobs import retention
from recorder.model.holds import Hold
from recorder.model.timebase import DAY, MINUTE, SECOND, TimeRange
from recorder.sites.said import HoldsSaid
from recorder.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.make import T0, segment


class LockStore(MemoryStore):
    """A bucket with object lock."""

    def __init__(self) -> None:
        super().__init__("main")
        self.held: set[str] = set()
        self.before: Callable[[], object] = lambda: None

    @property
    def protects(self) -> bool:
        return True

    def protect(self, key: str, on: bool) -> None:
        self.before()
        (self.held.add if on else self.held.discard)(key)


class Owner:
    """A recorder with a catalog of its own, which writes into a store that others write into."""

    def __init__(self, store: LockStore) -> None:
        self.catalog, self.store = SqlCatalog("sqlite://"), store
        self.catalog.commits.add_segment(segment(0), "main", "", T0)
        self.protector = Protector(self.catalog.holds, self.catalog.object_locks)
        self.why = ""

    def hold(self, name: str, start: int = T0, expires: int | None = None) -> None:
        range_ = TimeRange(start, start + 15 * SECOND)
        self.catalog.holds.add(Hold(name, ("cam07",), range_, "17", "r", "ann", T0, expires))

    def run(self, now: int = T0) -> tuple[int, int]:
        return self.protector.run(self.store, now, lambda: self.why)


@pytest.fixture
def store() -> LockStore:
    one = LockStore()
    one.put(segment(0).key, b"x", "video/mp4", {})
    return one


@pytest.fixture
def owner(store: LockStore) -> Iterator[Owner]:
    one = Owner(store)
    yield one
    one.catalog.close()


def test_the_lock_stays_until_the_last_of_two_holds_is_released(
    owner: Owner, store: LockStore
) -> None:
    owner.hold("a")
    owner.hold("b")
    owner.run()
    for name, left in (("a", {segment(0).key}), ("b", set())):
        owner.catalog.holds.release(name, "ben", T0 + 1)
        owner.run(T0 + 2)
        assert store.held == left


def test_a_hold_placed_as_another_is_released_finds_its_lock_again(
    owner: Owner, store: LockStore
) -> None:
    owner.hold("a")
    owner.run()
    owner.catalog.holds.release("a", "ben", T0 + 1)
    node = Protector(owner.catalog.holds, owner.catalog.object_locks)

    def placed_meanwhile() -> None:
        store.before = lambda: None
        owner.hold("b")
        owner.run(T0 + 2)  # all of it is locked, the catalog says

    store.before = placed_meanwhile
    assert node.run(store, T0 + 2) == (0, 1)
    assert node.run(store, T0 + 5) == (1, 0)
    assert store.held == {segment(0).key}


def test_nothing_is_lifted_while_another_owner_may_need_it(owner: Owner, store: LockStore) -> None:
    other = Owner(store)
    for one in (owner, other):
        one.hold("same")
        one.run()
    owner.catalog.holds.release("same", "ben", T0 + 1)
    owner.why = "another recorder writes there"
    assert owner.run(T0 + 2) == (0, 0)
    assert store.held == {segment(0).key}, "the other one's hold is in force"
    owner.why = ""
    assert owner.run(T0 + 3) == (0, 0), "asked again after a minute"

    def away() -> str:
        raise StoreUnavailable("away")

    late = segment(120, writer="n2.1", counter=1)
    owner.catalog.commits.add_segment(late, "main", "", T0)
    owner.hold("late", late.start)
    with pytest.raises(StoreUnavailable):
        owner.protector.run(store, T0 + 5 * MINUTE, away)
    assert store.held == {segment(0).key, late.key}, "what is needed is locked all the same"
    other.catalog.holds.release("same", "ben", T0 + 1)
    assert owner.run(T0 + 9 * MINUTE) == (0, 1)
    other.catalog.close()


def test_a_hold_that_ends_by_a_clock_in_doubt_keeps_its_lock(
    owner: Owner, store: LockStore
) -> None:
    owner.hold("a", expires=T0 + DAY)
    owner.run()
    owner.why = "the clock stepped"
    owner.run(T0 + 365 * DAY)
    assert store.held == {segment(0).key}


def test_what_keeps_locks_is_what_keeps_footage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = App(Settings(site="north", data=tmp_path))
    app.admit("main")
    assert retention.why_kept(app, "main") == ""
    monkeypatch.setattr(app.upkeep.keeper, "behind", lambda _: "the catalog is older")
    assert retention.why_kept(app, "main") == "the catalog is older"
    monkeypatch.undo()
    monkeypatch.setattr(app.upkeep.owners, "doubt", lambda _: "another recorder")
    assert retention.why_kept(app, "main") == "another recorder"
    monkeypatch.undo()
    monkeypatch.setattr(app.upkeep.keeper, "doubt", lambda _: "documents are damaged")
    assert retention.why_kept(app, "main") == "documents are damaged"
    said = [getattr(one, "why", "") for one in caplog.records if "rests" in one.getMessage()]
    assert said[-1] == "documents are damaged", "and it is said"
    monkeypatch.undo()
    monkeypatch.setattr(app.upkeep.janitor.proof, "doubt", lambda: "the clock stepped")
    assert retention.why_kept(app, "main").startswith("the clock stepped")
    app.catalog.close()


def test_nothing_is_remembered_of_holds_that_are_over(store: LockStore) -> None:
    owner = Owner(store)
    said = HoldsSaid(owner.catalog, FakeClock(T0), "north", {})
    for i in range(9):
        owner.hold(f"h{i}")
        owner.run()
        owner.run()
        said.to_tell(T0)
        owner.catalog.holds.release(f"h{i}", "ben", T0)
    owner.run()
    said.to_tell(T0)
    known = {**vars(owner.protector), **vars(said)}
    assert [n for n, one in known.items() if isinstance(one, dict) and "h1" in str(one)] == [
        "_told"
    ]
