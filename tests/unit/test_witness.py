"""A parent vouches for logs that go on, and for no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from recorder.audit.entry import read_entry
from recorder.audit.note import read_checkpoint
from recorder.catalog.sql import SqlCatalog
from recorder.errors import StoreUnavailable
from recorder.logbook.book import Book
from recorder.logbook.keys import own_signer
from recorder.logbook.witness import REST_S, Vouched, Witness
from recorder.model.holds import Hold
from recorder.model.media import ObjectInfo
from recorder.model.timebase import TimeRange
from recorder.ports import AskedEntries
from recorder.sites.noted import FromAbove
from recorder.store.memory import MemoryStore
from tests.support.logs import House
from tests.support.make import T0


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    one = House(tmp_path)
    yield one
    one.catalog.close()


class Above:
    """A parent that vouches, and a child's link to it."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house, self.folder = house, folder
        self.catalog = SqlCatalog("sqlite://", site="centre", node="c1")
        self.book = Book(self.catalog.audit_log, house.clock)
        self.witness = Witness(
            self.catalog.witnessed, lambda: self.book, house.clock, "centre", folder / "w.key"
        )
        self.child = self.link()

    def link(self) -> Vouched:
        house = self.house
        self.child = Vouched(
            house.catalog.audit_tree, lambda: house.store, lambda: house.press, house.clock
        )
        return self.child

    def exchange(self) -> dict[str, object] | None:
        answer = self.witness.look("north", self.child.said())
        self.child.heard(answer)
        return answer

    def entries(self) -> list[str]:
        found = self.catalog.audit_log.search(AskedEntries(), 9)
        return [read_entry(one.raw).action for one in found]


@pytest.fixture
def above(house: House, tmp_path: Path) -> Iterator[Above]:
    one = Above(house, tmp_path)
    yield one
    one.catalog.close()


def test_a_parent_vouches_for_what_goes_on_and_its_word_lies_in_the_store(
    house: House, above: Above
) -> None:
    assert above.exchange() is None, "nothing is signed yet"
    for number in (300, 5, 700):
        house.write(number)
        house.press.publish()
        assert "signature" in (above.exchange() or {})
        checkpoint = house.shelf.checkpoint()
        assert checkpoint is not None
        assert checkpoint.by(above.witness.key())
        assert checkpoint.by(own_signer(house.folder / "audit.key").key(checkpoint.origin))
        assert above.exchange() is None, "and is not asked again"
    house.open()
    above.link()
    house.write(1)
    house.press.publish()
    assert above.exchange() == {"old": 1006}, "another process does not know how far it was"
    assert "signature" in (above.exchange() or {})
    assert house.prove().faults == []
    assert above.entries() == []


class Away(MemoryStore):
    """A store that is away, and who asked it."""

    asked = 0

    def head(self, key: str) -> ObjectInfo | None:
        """Say that it is away."""
        self.asked += 1
        raise StoreUnavailable("away")

    def put(self, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> str:
        """Say that it is away."""
        raise StoreUnavailable("away")


def test_while_the_logs_store_is_away_all_else_is_told_and_the_log_later(
    house: House, above: Above
) -> None:
    for number in (300, 5):
        above.exchange()
        house.write(number)
        house.press.publish()
    above.exchange()
    house.write(7)
    house.press.publish()
    store, away = house.store, Away("main")
    house.store = away
    assert [above.child.said() for _ in range(9)] == [None] * 9, "the feed goes on without it"
    assert away.asked == 1, "what hangs is not asked by each exchange"
    house.clock.sleep(REST_S)
    house.store = store
    answer = above.witness.look("north", above.child.said())
    house.store = away
    above.child.heard(answer)  # raises nothing: what else the parent says is taken in
    house.clock.sleep(REST_S)
    house.store = store
    assert "signature" in (above.exchange() or {})
    checkpoint = house.shelf.checkpoint()
    assert checkpoint is not None
    assert checkpoint.by(above.witness.key())


def test_a_past_that_was_rewritten_with_its_own_key_is_not_vouched_for(
    house: House, above: Above
) -> None:
    house.write(9)
    house.press.publish()
    above.exchange()
    house.catalog.close()
    house.catalog, house.store = SqlCatalog("sqlite://", site="north"), MemoryStore("main")
    house.ids = count(1)
    house.open()
    above.link()
    house.write(5, first=100)
    house.press.publish()
    assert "it has 6 entries, and had 10" in str((above.exchange() or {})["conflict"])
    house.write(20, first=200)
    house.press.publish()
    assert above.exchange() == {"old": 10}
    assert "are not those that were vouched for" in str((above.exchange() or {})["conflict"])
    above.exchange()
    assert above.entries() == ["log.conflict", "log.conflict"], "each once"


def test_a_log_of_another_key_or_another_site_is_not_vouched_for(
    house: House, above: Above, tmp_path: Path
) -> None:
    house.write(9)
    state = house.press.publish()
    above.exchange()
    thief = own_signer(tmp_path / "thief.key")
    key = thief.key(state.origin)
    forged = replace(read_checkpoint(state.checkpoint), signatures=()).signed(key, thief.sign)
    said = {"checkpoint": forged.note, "key": str(key), "old": 10, "proof": []}
    assert "not signed with key" in str((above.witness.look("north", said) or {})["conflict"])
    assert "is not of site south" in str((above.witness.look("south", said) or {})["conflict"])
    for odd in ({}, {"checkpoint": 7, "key": ""}, {**said, "checkpoint": "x"}):
        assert "malformed" in str((above.witness.look("north", odd) or {})["conflict"])


def test_a_new_log_of_a_site_is_vouched_for_and_said(house: House, above: Above) -> None:
    house.write(9)
    house.press.publish()
    above.exchange()
    house.press.begin("why not")
    house.press.publish()
    assert "signature" in (above.exchange() or {})
    assert above.entries() == ["log.new-below"]
    assert len(above.catalog.witnessed.of("north")) == 2, "what was vouched for stays known"


def test_what_the_parent_changes_here_stands_in_the_log_once(house: House) -> None:
    book = Book(house.catalog.audit_log, house.clock)
    above = FromAbove(lambda: book)
    hold = Hold("h1", ("north/gate",), TimeRange(T0, T0 + 1), "7", "theft", "ann", T0)
    released = replace(hold, released=T0 + 9, released_by="ben")
    above.policy("centre", {"rules": []})
    above.camera("centre", "north", "gate", gone=False, own=True)
    above.camera("centre", "south", "yard", gone=True, own=False)
    above.hold("centre", hold, None)
    above.hold("centre", hold, hold)
    above.hold("centre", released, hold)
    above.hold("centre", released, released)
    FromAbove(None).policy("centre", {})
    found = [
        read_entry(one.raw) for one in house.catalog.audit_log.search(AskedEntries(after=0), 9)
    ]
    assert [one.action for one in found] == [
        "policy.set", "camera.change", "camera.ask-remove", "hold.add", "hold.release"
    ]  # fmt: skip
    assert {str(one.caller) for one in found} == {"site:centre"}
    assert found[3].subject.camera == "gate"
